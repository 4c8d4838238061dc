"""Groups: names for sets of guests, in a file of their own or in a policy."""

from collections.abc import Mapping
from pathlib import Path

from balancer.config.fields import EMPTY, read_selector
from balancer.config.reading import Table, nearest, read_toml
from balancer.planner.model.selector import Selector

Groups = Mapping[str, Selector]


def load_groups(path: Path) -> Groups:
    """Return the groups of a groups file: `name = patterns`, at the top or under [groups].

    Raises UsageError naming the file and the group.
    """
    top = read_toml(path)
    inner = top.values.get("groups")
    if isinstance(inner, dict):
        top.only(["groups"])
        top = top.table("groups")
    groups = read_groups(top)
    check_references(top, groups, groups)
    return groups


def read_groups(table: Table) -> Groups:
    """Return the groups of one table; a name's value is patterns, or a table with `guests`."""
    return {name: _group(table, name) for name in table.values}


def check_references(table: Table, groups: Groups, known: Groups) -> None:
    """Refuse groups of this table that speak of unknown groups, or of themselves in the end."""
    for name in groups:
        if (cycle := _cycle(name, known, ())) is not None:
            table.fail(name, f"contains itself ({' → '.join(cycle)}); break the circle")
        check_group_names(table, name, groups[name], known)


def check_group_names(table: Table, key: str, selector: Selector, known: Groups) -> None:
    """Refuse a `group:` that is not defined."""
    for name in named_groups(selector):
        if name not in known:
            hint = nearest(name, known) if known else "; define it in the groups file"
            table.fail(key, f'there is no group "{name}"{hint}')


def named_groups(selector: Selector) -> tuple[str, ...]:
    """Return the groups that the patterns name."""
    bare = [pattern.removeprefix("!") for pattern in selector.patterns]
    return tuple(p.removeprefix("group:") for p in bare if p.startswith("group:"))


def _group(table: Table, name: str) -> Selector:
    if not isinstance(table.values[name], dict):
        return read_selector(table, name, may_be_empty=False)
    inner = table.table(name)
    inner.only(["guests", EMPTY])
    return read_selector(inner, "guests", may_be_empty=inner.flag(EMPTY, default=False))


def _cycle(name: str, known: Groups, within: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the way from `name` back to a group on the way, if there is one."""
    if name in within:
        return (*within[within.index(name) :], name)
    for inner in named_groups(known[name]) if name in known else ():
        if (found := _cycle(inner, known, (*within, name))) is not None:
            return found
    return None
