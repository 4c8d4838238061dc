"""Policy files: what the operator wants, as a checked and typed `Policy`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from balancer.config.digest import digest
from balancer.config.fields import build, needs_something, selectors
from balancer.config.groups import Groups, check_group_names, check_references, read_groups
from balancer.config.reading import Table, nearest, read_toml
from balancer.config.search import find
from balancer.config.units import COUNT
from balancer.planner.constraints import CONSTRAINTS
from balancer.planner.forecast import FORECASTERS
from balancer.planner.model.policy import (
    Allow,
    Constraint,
    Distance,
    Forecast,
    Hot,
    Limits,
    Objective,
    Policy,
)
from balancer.planner.model.resizing import Resizing
from balancer.planner.objectives import OBJECTIVES, REPEATED
from balancer.ports import UsageError

STANDING: Final = ("capacity",)
"""Rules of the table that every policy holds, with their defaults where no file speaks of them."""
SURVIVE: Final = "survive_hosts_lost"
"""Of `[capacity]`: short for a rule `survive` with so many hosts lost."""
NO_GROUPS: Final[Groups] = {}
PLAIN_KEYS: Final = ("extends", "aggressiveness", "timezone", "forecaster")
SETTINGS: Final = ("hot", "forecast", "limits", "distance", "allow")
RESIZE: Final = "resize"
"""What guests may be given where they are: any number of tables."""
TABLES: Final = ("groups", *SETTINGS, *CONSTRAINTS, *OBJECTIVES, *REPEATED, RESIZE)
MOST_EAGER: Final = 5


@dataclass(frozen=True)
class LoadedPolicy:
    """A policy, and sentences on what the operator may not have meant."""

    policy: Policy
    warnings: tuple[str, ...] = ()
    files: tuple[Path, ...] = field(default=(), compare=False)
    """The policy's own file first, then those it extends."""


def default_policy(name: str = "balance") -> Policy:
    """Return the policy that is built in; `policies/balance.toml` says the same."""
    return sealed(
        Policy(
            name=name,
            constraints=tuple(CONSTRAINTS[rule]() for rule in STANDING),
            objectives=tuple(goal() for goal in OBJECTIVES.values()),
        )
    )


def load_policy(path: Path, groups: Groups = NO_GROUPS) -> Policy:
    """Return the policy in the file; `groups` (of the groups file) go before its own.

    Raises UsageError naming file, table, key and remedy.
    """
    return open_policy(path, groups).policy


def read_policy(table: Table, groups: Groups = NO_GROUPS) -> Policy:
    """Return the policy that a table holds as a policy file would. Raises UsageError."""
    return _loaded(table, groups).policy


def overlaid(policy: Policy, values: Mapping[str, object]) -> Policy:
    """Return the policy with what a file of these tables would change. Raises UsageError."""
    return sealed(_overlaid(policy, Table(Path(policy.name), "", values), NO_GROUPS, {}))


def open_policy(path: Path, groups: Groups = NO_GROUPS) -> LoadedPolicy:
    """Return the policy in the file, and warnings. Raises UsageError as load_policy does."""
    return _loaded(read_toml(path), groups)


def _loaded(top: Table, groups: Groups) -> LoadedPolicy:
    tables = _with_parents(top, ())
    policy = default_policy(top.file.stem)
    rules: dict[str, Table] = {}
    for table in reversed(tables):
        policy = _overlaid(policy, table, groups, rules)
        _check_consents(table, policy, groups)
    policy = replace(policy, groups={**policy.groups, **groups})
    _check_groups(policy, rules)
    warnings = tuple(text for table in tables for text in _conflicts(table, groups))
    return LoadedPolicy(sealed(policy), warnings, tuple(table.file for table in tables))


def _with_parents(table: Table, within: tuple[Path, ...]) -> tuple[Table, ...]:
    """Return the table, then the tables of the files that it extends."""
    real = table.file.resolve()
    parent = table.text("extends")
    if real in within:
        table.fail("extends", "the files extend each other in a circle; drop one of the links")
    if not parent:
        return (table,)
    try:
        above = find(parent, table.file.parent)
    except UsageError as error:
        table.fail("extends", str(error))
    return (table, *_with_parents(read_toml(above), (*within, real)))


def _overlaid(base: Policy, table: Table, groups: Groups, rules: dict[str, Table]) -> Policy:
    """Return `base` with everything that one file says; its rules' places go into `rules`."""
    table.only((*PLAIN_KEYS, *TABLES))
    own = read_groups(table.table("groups"))
    check_references(table.table("groups"), own, {**base.groups, **own, **groups})
    return replace(
        base,
        aggressiveness=_aggressiveness(table, base.aggressiveness),
        timezone=_timezone(table, base.timezone),
        forecaster=table.choice("forecaster", tuple(FORECASTERS), base.forecaster),
        groups={**base.groups, **own},
        hot=build(Hot, table.table("hot"), base.hot),
        limits=build(Limits, table.table("limits"), base.limits),
        forecast=build(Forecast, table.table("forecast"), base.forecast),
        distance=build(Distance, table.table("distance"), base.distance),
        allow=build(Allow, table.table("allow"), base.allow),
        resizes=_resizes(table, base.resizes, rules),
        constraints=_rules(table, base.constraints, rules),
        objectives=(*_goals(table, base.objectives), *_declared(table, base.objectives, rules)),
    )


def _goals(table: Table, inherited: tuple[Objective, ...]) -> Iterator[Objective]:
    """Yield each goal there is once, with what the file says of it."""
    for name, goal in zip(OBJECTIVES, inherited, strict=False):
        yield build(type(goal), table.table(name), goal)


def _declared(
    table: Table, inherited: tuple[Objective, ...], places: dict[str, Table]
) -> tuple[Objective, ...]:
    """Return the inherited goals of which there may be many, and the file's own, as with rules."""
    goals = {goal.label: goal for goal in inherited[len(OBJECTIVES) :]}
    mine: dict[str, Table] = {}
    for name, kind in REPEATED.items():
        for place in table.tables(name):
            goal: Objective = build(kind, place)
            _named_apart(place, goal.label, mine)
            goals[goal.label] = goal
            mine[goal.label] = place
    places.update(mine)
    return tuple(goals.values())


def _resizes(
    table: Table, inherited: tuple[Resizing, ...], places: dict[str, Table]
) -> tuple[Resizing, ...]:
    """Return what is inherited, then the file's own: one of the same label takes its place."""
    found = {one.label: one for one in inherited}
    mine: dict[str, Table] = {}
    for place in table.tables(RESIZE):
        one: Resizing = build(Resizing, place)
        _named_apart(place, one.label, mine)
        found.pop(one.label, None)
        found[one.label] = one
        mine[one.label] = place
    places.update(mine)
    return tuple(found.values())


def _named_apart(place: Table, label: str, mine: dict[str, Table]) -> None:
    """Refuse two rules, or goals, of one file that are called the same."""
    if label in mine:
        twin = mine[label].path
        place.fail("", f'is called "{label}" like {twin}: give it a name = "…" of its own')


def _rules(
    table: Table, inherited: tuple[Constraint, ...], places: dict[str, Table]
) -> tuple[Constraint, ...]:
    """Return the inherited rules and the file's own: one of the same label takes its place."""
    rules = {rule.label: rule for rule in inherited}
    mine: dict[str, Table] = {}
    for place, rule, replaced in _own_rules(table, inherited):
        _named_apart(place, rule.label, mine)
        rules = {
            (rule.label if label == replaced else label): (rule if label == replaced else other)
            for label, other in rules.items()
        } | {rule.label: rule}
        mine[rule.label] = place
    places.update(mine)
    return tuple(rules.values())


def _own_rules(
    table: Table, inherited: tuple[Constraint, ...]
) -> Iterator[tuple[Table, Constraint, str]]:
    """Yield each rule of one file: its place, itself, and the label of the one it changes."""
    for name, kind in CONSTRAINTS.items():
        single = isinstance(table.values.get(name), dict) and not needs_something(kind)
        if not single:
            for place in table.tables(name):
                yield place, build(kind, place), ""
            continue
        base = next((rule for rule in inherited if isinstance(rule, kind)), None)
        place, beside = _apart(table.table(name))
        yield place, build(kind, place, base), base.label if base else ""
        for other, own in beside:
            yield other, own, ""


def _apart(place: Table) -> tuple[Table, list[tuple[Table, Constraint]]]:
    """Return a rule's table without the keys that stand for rules of their own, and those rules."""
    values = dict(place.values)
    lost = values.pop(SURVIVE, None)
    if place.path != "capacity" or not lost:
        return place, []
    other = replace(place, values={"hosts_lost": lost})
    return replace(place, values=values), [(other, build(CONSTRAINTS["survive"], other))]


def _check_groups(policy: Policy, places: dict[str, Table]) -> None:
    """Refuse rules and goals that speak of groups nobody defined."""
    spoken: tuple[Constraint | Objective | Resizing, ...] = (
        *policy.constraints, *policy.objectives, *policy.resizes,
    )  # fmt: skip
    for rule in spoken:
        for key, selector in selectors(rule).items():
            if rule.label in places:
                check_group_names(places[rule.label], key, selector, policy.groups)


def _check_consents(table: Table, policy: Policy, groups: Groups) -> None:
    """Refuse consents for groups nobody defined."""
    place, known = table.table("allow"), {**policy.groups, **groups}
    for key, selector in selectors(policy.allow).items():
        if key in place.values:
            check_group_names(place, key, selector, known)


def _conflicts(table: Table, groups: Groups) -> Iterator[str]:
    own = read_groups(table.table("groups"))
    for name in sorted(own.keys() & groups.keys()):
        if own[name] != groups[name]:
            yield f"{table.file}: groups.{name} is not as in the groups file, which goes before"


def _aggressiveness(table: Table, default: int) -> int:
    level = int(table.amount("aggressiveness", COUNT, default))
    if not 1 <= level <= MOST_EAGER:
        table.fail("aggressiveness", "must be 1 (broken rules only) to 5 (eager)")
    return level


def _timezone(table: Table, default: str) -> str:
    name = table.text("timezone", default)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        table.fail("timezone", f"no such time zone{nearest(name, available_timezones(), '')}")
    return name


def sealed(policy: Policy) -> Policy:
    """Return the policy with the digest of what it says."""
    return replace(policy, digest=digest(policy))
