"""The least change to one rule that makes it agree with a placement: what an operator could write.

Given what a placement breaks of a rule, and nothing else, returns the rule so relaxed that it does
not; or the problem, where what gives way is a limit or a consent. Rules that speak of what is so,
rather than of what is wanted, do not give way.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import ceil
from typing import Any, Final, cast

from balancer.planner.constraints.budget import Budget
from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.changing import Changing
from balancer.planner.constraints.cooling import Cooling
from balancer.planner.constraints.headroom import Headroom
from balancer.planner.constraints.licence import Licence
from balancer.planner.constraints.places import Places
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.tied import Tied
from balancer.planner.model.policy import Constraint
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import MEMORY, VCPUS
from balancer.planner.model.selector import Selector
from balancer.planner.model.violation import Violation

PLAIN: Final = 100
"""Overcommit is written with two decimals, and so are shares."""
GIB: Final = 1024
EXCEPTED: Final = 20
"""Guests that are left out of a rule one by one; of more, the rule as a whole becomes a wish."""


@dataclass(frozen=True, slots=True)
class Eased:
    """A problem in which one rule gives way."""

    problem: Problem
    setting: str
    guests: int


def eased(problem: Problem, rule: Constraint, broken: Sequence[Violation]) -> Eased | None:
    """Return the problem with `rule` relaxed by as much as `broken` says; None if it cannot be."""
    match rule:
        case Budget():
            return _limits(problem, broken)
        case Cooling():
            limits = replace(problem.policy.limits, same_guest_again_after=0.0)
            policy = replace(problem.policy, limits=limits)
            rested = replace(problem, policy=policy, cooling=frozenset())
            return Eased(rested, '[limits] same_guest_again_after = "0min"', 0)
        case Tied() | Changing():
            return None
        case Capacity():
            changes = _overcommit(problem, rule, broken)
        case Headroom():
            changes = _shares(problem, rule, broken)
        case _:
            changes = _counts(rule, broken) or _exceptions(problem, rule, broken)
    if not changes:
        return None
    policy = replace(
        problem.policy,
        constraints=tuple(
            cast("Constraint", replace(cast("Any", r), **changes, name=rule.label))
            if r == rule
            else r
            for r in _own(problem, rule)
        ),
    )
    setting = ", ".join(f"{key} = {_said(value)}" for key, value in changes.items())
    return Eased(replace(problem, policy=policy), setting, _guests(broken, changes))


def _own(problem: Problem, rule: Constraint) -> tuple[Constraint, ...]:
    """Return the policy's rules; one that is always there becomes its own."""
    own = problem.policy.constraints
    return own if rule in own else (*own, rule)


def _guests(broken: Iterable[Violation], changes: Mapping[str, object]) -> int:
    """Return for how many guests a rule no longer holds: those excepted, else all concerned."""
    if "guests" in changes or not changes.keys().isdisjoint({"at_most", "at_least"}):
        return sum(violation.amount for violation in broken)
    return len({uuid for violation in broken for uuid in violation.guests})


def _counts(rule: Constraint, broken: Sequence[Violation]) -> Mapping[str, object]:
    """Return how many more, or fewer, a rule that counts would have to allow."""
    worst = max(violation.amount for violation in broken)
    match rule:
        case Spread(evenly=True):
            return {"evenly": False, "at_most": _most_held(broken)}
        case Spread() | Licence():
            return {"at_most": rule.at_most + worst}
        case Places() if rule.at_most and "at least" not in _asked(rule, broken):
            return {"at_most": rule.at_most + worst}
        case Places():
            less = rule.at_least - worst
            return {"at_least": less} if less or rule.at_most else {"hard": False}
        case _:
            return {}


def _asked(rule: Places, broken: Sequence[Violation]) -> str:
    """Return which of its two bounds a placement breaks."""
    used = broken[0].sentence.rpartition("use ")[2].partition(":")[0]
    return "at least" if rule.at_least and int(used) < rule.at_least else "at most"


def _most_held(broken: Iterable[Violation]) -> int:
    return max(len(violation.guests) for violation in broken)


def _exceptions(
    problem: Problem, rule: Constraint, broken: Sequence[Violation]
) -> Mapping[str, object]:
    """Return who is left out of the rule where it speaks of one guest at a time, else: a wish."""
    guests = getattr(rule, "guests", None)
    single = all(len(v.guests) == 1 and v.amount == 1 for v in broken)
    names = [u for violation in broken for u in violation.guests]
    if single and isinstance(guests, Selector) and len(set(names)) <= EXCEPTED:
        known = [_pattern(problem, uuid) for uuid in dict.fromkeys(names)]
        return {"guests": replace(guests, patterns=(*guests.patterns, *known), may_be_empty=True)}
    return {"hard": False} if "hard" in _keys(rule) else {}


def _keys(rule: Constraint) -> Collection[str]:
    return {field.name for field in fields(cast("Any", rule))}


def _pattern(problem: Problem, uuid: str) -> str:
    """Return what leaves out one guest and no other."""
    name = problem.name(uuid)
    twins = sum(guest.name == name for guest in problem.cluster.guests)
    plain = twins == 1 and not set(name) & set("*?[:!")
    return f"!{name}" if plain else f"!uuid:{uuid}"


def _overcommit(
    problem: Problem, rule: Capacity, broken: Sequence[Violation]
) -> Mapping[str, object]:
    """Return the overcommit that gives out what is asked."""
    changes: dict[str, object] = {}
    plain = replace(rule, vcpus_per_core=1.0, memory_overcommit=1.0).rooms(problem)
    for violation in broken:
        dimension = violation.rule.rpartition(": ")[2]
        room = plain[violation.subject].get(dimension, 0)
        ratio = {MEMORY: "memory_overcommit", VCPUS: "vcpus_per_core"}.get(dimension)
        if ratio is None or not room:
            return {"hard": False}
        held = rule.rooms(problem)[violation.subject][dimension] + violation.amount
        needed = ceil(PLAIN * (held + 1) / room) / PLAIN
        changes[ratio] = max(needed, cast("float", changes.get(ratio, 0.0)))
    return changes


def _shares(problem: Problem, rule: Headroom, broken: Sequence[Violation]) -> Mapping[str, object]:
    """Return the shares that stay free nevertheless."""
    changes: dict[str, object] = {}
    for violation in broken:
        name = violation.rule.rpartition(": ")[2]
        usable = max(1, problem.host(violation.subject).usable.get(name, 0))
        limit = rule.limits(problem)[violation.subject][name]
        left = 1 - (limit + violation.amount + 1) / usable
        share = max(0, int(PLAIN * left)) / PLAIN
        changes[name] = min(share, cast("float", changes.get(name, 1.0)))
        if left < 0:
            return {"hard": False}
    return changes


def _limits(problem: Problem, broken: Sequence[Violation]) -> Eased:
    limits = problem.policy.limits
    over = {violation.subject: violation.amount for violation in broken}
    moves = limits.moves_per_hour + over.get("moves_per_hour", 0) + problem.spent_moves
    data = limits.data_per_hour + over.get("data_per_hour", 0) + problem.spent_mib
    wider = replace(
        limits,
        moves_per_hour=moves if "moves_per_hour" in over else limits.moves_per_hour,
        data_per_hour=GIB * -(-data // GIB) if "data_per_hour" in over else limits.data_per_hour,
    )
    said = [f"moves_per_hour = {wider.moves_per_hour}"] if "moves_per_hour" in over else []
    said += (
        [f'data_per_hour = "{wider.data_per_hour // GIB}GiB"'] if "data_per_hour" in over else []
    )
    policy = replace(problem.policy, limits=wider)
    return Eased(replace(problem, policy=policy), f"[limits] {', '.join(said)}", 0)


def _said(value: object) -> str:
    """Return a value as it is written in a policy."""
    if isinstance(value, Selector):
        return "[" + ", ".join(f'"{pattern}"' for pattern in value.patterns) + "]"
    return str(value).lower()
