"""Dataclasses filled from tables: the fields *are* the keys, their types say how to read them."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, replace
from types import NoneType
from typing import Any, Final, TypeVar, cast, get_args, get_type_hints

from balancer.config.keys import KEYS, SPELT, Key, resource_unit
from balancer.config.patterns import check_pattern
from balancer.config.reading import Table, nearest
from balancer.config.units import COUNT, RATIO, Unit
from balancer.planner.model.resources import DIMENSIONS, Resources
from balancer.planner.model.selector import EVERYTHING, NOBODY, Selector

T = TypeVar("T")

EMPTY: Final = "may_be_empty"
"""The key beside a rule's patterns that lets them match nothing."""
OWN_NUMBERS: Final[Mapping[object, Unit]] = {int: COUNT, float: RATIO}


def build(kind: type[T], table: Table, base: T | None = None) -> T:
    """Return a `kind` with the table's values; what it does not say is `base`'s or the default.

    Raises UsageError for an unknown key, a value of the wrong kind, a missing key, or one that
    the class itself refuses.
    """
    known = keys(kind)
    table.only([*known, EMPTY] if _speaks_of_something(kind) else known.keys())
    values = {known[key].name: _value(table, key, kind) for key in table.values if key in known}
    for key, entry in known.items():
        if base is None and key not in table.values and _required(entry):
            table.fail(key, f"missing: {KEYS[key].sentence if key in KEYS else 'give it'}")
    try:
        if base is not None:
            return cast("T", replace(cast("Any", base), **values))
        return kind(**values)
    except ValueError as error:
        table.fail("", str(error))


def keys(kind: type[object]) -> Mapping[str, "Field[Any]"]:
    """Return the keys a table of this kind may hold: its fields."""
    return {
        SPELT.get(entry.name, entry.name): entry
        for entry in fields(cast("Any", kind))
        if entry.init
    }


def needs_something(kind: type[object]) -> bool:
    """True if a table of this kind has a key without default."""
    return any(map(_required, keys(kind).values()))


def type_of(kind: type[object], key: str) -> object:
    """Return the type of a key's field; of `X | None`, X."""
    hint = get_type_hints(kind)[keys(kind)[key].name]
    parts = [part for part in get_args(hint) if part is not NoneType]
    return parts[0] if NoneType in get_args(hint) and len(parts) == 1 else hint


def unit_of(kind: type[object], name: str) -> Unit | None:
    """Return the unit a key is written in, or None if it is no number."""
    hint = type_of(kind, name)
    return (KEYS[name].unit if name in KEYS else None) or OWN_NUMBERS.get(hint)


def selectors(rule: object) -> Mapping[str, Selector]:
    """Return a rule's selectors by field name."""
    values = {key: getattr(rule, entry.name) for key, entry in keys(type(rule)).items()}
    return {key: value for key, value in values.items() if isinstance(value, Selector)}


def means_hosts(name: str) -> bool:
    """True if the selector in a field of this name chooses hosts, not guests."""
    return name == "hosts" or name.endswith("_hosts")


def read_selector(table: Table, key: str, *, may_be_empty: bool) -> Selector:
    """Return the patterns under `key`, each checked for its form."""
    patterns = table.texts(key)
    if not patterns:
        table.fail(key, 'needs at least one pattern; "*" means all')
    for pattern in patterns:
        if fault := check_pattern(pattern, hosts=means_hosts(key)):
            table.fail(key, fault)
    return Selector(patterns, may_be_empty=may_be_empty)


def read_resources(table: Table, key: str) -> Resources:
    """Return a table of amounts by resource, as `{ memory = "240GiB", cpu = 48 }`."""
    amounts = table.table(key)
    found = {}
    for name in amounts.values:
        unit = resource_unit(name)
        if unit is None:
            amounts.fail(name, f"unknown resource{nearest(name, DIMENSIONS)}")
        found[name] = int(amounts.amount(name, unit, 0))
    return found


def read_number(table: Table, key: str, unit: Unit, of: str = "") -> int | float:
    """Return the amount under `key`, within the range the vocabulary gives it in tables `of` a kind."""
    amount = table.amount(key, unit, 0)
    entry = KEYS.get(f"{of}.{key}", KEYS.get(key, Key("")))
    if not entry.least <= amount <= entry.most:
        bounds = f"at least {_plain(entry.least, unit)}"
        if entry.most != float("inf"):
            bounds += f" and at most {_plain(entry.most, unit)}"
        table.fail(key, f"must be {bounds}")
    return amount


def _value(table: Table, name: str, kind: type[object]) -> object:
    hint = type_of(kind, name)
    unit = unit_of(kind, name)
    if unit is not None:
        return read_number(table, name, unit, kind.__name__.lower())
    if hint is Selector:
        return _selector(table, name, kind)
    if hint is bool:
        return table.flag(name, default=False)
    if hint is str:
        return table.text(name)
    if hint == Resources:
        return read_resources(table, name)
    if hint == tuple[str, ...]:
        return table.texts(name)
    raise NotImplementedError(f"{kind.__name__}.{name}: a field of type {hint} cannot be a key")


def _selector(table: Table, name: str, kind: type[object]) -> Selector:
    given = table.values[name]
    if is_consent(kind, name) and isinstance(given, bool):
        return EVERYTHING if given else NOBODY
    return read_selector(table, name, may_be_empty=table.flag(EMPTY, default=False))


def _speaks_of_something(kind: type[object]) -> bool:
    return any(type_of(kind, name) is Selector for name in keys(kind))


def is_consent(kind: type[object], key: str) -> bool:
    """True if the key's patterns name whom something is allowed for: `true` is everybody."""
    return bool(keys(kind)[key].default is NOBODY)


def _required(entry: "Field[Any]") -> bool:
    return entry.default is MISSING and entry.default_factory is MISSING


def _plain(amount: float, unit: Unit) -> str:
    return f"{amount:g} {unit.becomes}".strip()
