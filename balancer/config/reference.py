"""The reference of policy keys, made from the code. `python -m balancer.config.reference` prints it.

`policies/README.md` holds it between two marks; a test keeps the two equal.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING
from fractions import Fraction
from typing import Final, cast

from balancer.config.fields import EMPTY, is_consent, keys, type_of, unit_of
from balancer.config.guards import KEYS as GUARDS
from balancer.config.guards import Guards
from balancer.config.hosts import DECLARED, NAMES
from balancer.config.installation import KEYS as INSTALLATION
from balancer.config.keys import KEYS, Entry
from balancer.config.notify import KEYS as NOTIFY
from balancer.config.policy import RESIZE, STANDING, SURVIVE
from balancer.config.prometheus import KEYS as PROMETHEUS
from balancer.config.units import Unit
from balancer.planner.constraints import CONSTRAINTS
from balancer.planner.forecast import FORECASTERS
from balancer.planner.model.policy import Allow, Distance, Forecast, Hot, Limits
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.resources import Resources
from balancer.planner.model.selector import EVERYTHING, Selector
from balancer.planner.objectives import OBJECTIVES, REPEATED

SETTINGS: Final[Mapping[str, type]] = {
    "hot": Hot,
    "forecast": Forecast,
    "limits": Limits,
    "distance": Distance,
    "allow": Allow,
}
NOUGHT: Final = str.maketrans("123456789", "000000000")
SURVIVE_ROW: Final = (
    SURVIVE,
    "whole number, as `8`",
    "0",
    "short for a rule `[[survive]]` with so many `hosts_lost`; 0: none",
)
BEGIN: Final = "<!-- from here on made by: python -m balancer.config.reference -->"
TOP: Final = (
    ("extends", "file or name", "", "the policy this one starts from; what it does not say holds"),
    (
        "aggressiveness",
        "1 to 5",
        "2",
        "1 acts on broken rules only, 2 also on hot hosts … 5 evens out nearly everything",
    ),
    (
        "timezone",
        "name",
        '"UTC"',
        "of the windows of `[[blackout]]` and `[[quiet]]`, as `Europe/Berlin`",
    ),
    (
        "forecaster",
        "name",
        '"latest"',
        "how demand is expected: " + ", ".join(f"`{name}`" for name in FORECASTERS),
    ),
)


def reference() -> str:
    """Return the reference in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from (BEGIN, "", "## At the top", "", *_table(TOP))
    yield from ("", "## Settings")
    for name, kind in SETTINGS.items():
        yield from _section(f"[{name}]", kind)
    yield from ("", "## Goals")
    for name, kind in OBJECTIVES.items():
        if keys(kind):
            yield from _section(f"[{name}]", kind)
    for name, kind in REPEATED.items():
        yield from _section(f"[[{name}]]", kind)
    yield from ("", "## Resizes")
    yield from _section(f"[[{RESIZE}]]", Resizing)
    yield from ("", "## Rules")
    for name, kind in CONSTRAINTS.items():
        yield from _section(f"[{name}]" if name in STANDING else f"[[{name}]]", kind)


def _section(title: str, kind: type) -> Iterator[str]:
    yield from (
        "",
        f"### `{title}`",
        "",
        (kind.__doc__ or "").split("\n\n")[0].replace("\n   ", ""),
    )
    yield ""
    rows = [_row(kind, key) for key in keys(kind)]
    if any(type_of(kind, key) is Selector for key in keys(kind)):
        rows.append((EMPTY, "true or false", "false", KEYS[EMPTY].sentence))
    if kind is CONSTRAINTS["capacity"]:
        rows.insert(-1, SURVIVE_ROW)
    yield from _table(rows)


def _row(kind: type, key: str) -> tuple[str, str, str, str]:
    return (key, _written(kind, key), _default(kind, key), _sentence(kind, key))


def _sentence(kind: type, key: str) -> str:
    return KEYS.get(f"{kind.__name__.lower()}.{key}", KEYS[key]).sentence


def _written(kind: type, key: str) -> str:
    """Return what a value looks like: the kind of amount with an example, or the kind of word."""
    unit = unit_of(kind, key)
    if unit is not None:
        return f"{unit.name}, as `{unit.example}`"
    if is_consent(kind, key):
        return "true, false, pattern or list"
    words: Mapping[object, str] = {
        Selector: "pattern or list",
        tuple[str, ...]: "text or list",
        bool: "true or false",
        str: "text",
        Resources: "table of amounts",
    }
    return words[type_of(kind, key)]


def _default(kind: type, key: str) -> str:
    default = keys(kind)[key].default
    if default is MISSING:
        return "must be given"
    unit = unit_of(kind, key)
    if unit is not None and not isinstance(default, bool):
        return as_written(cast("float", default), unit)
    if is_consent(kind, key):
        return "false"
    if isinstance(default, Selector):
        return '"*"' if default == EVERYTHING else "none"
    return f'"{default}"' if isinstance(default, str) else str(default).lower()


def as_written(amount: float, unit: Unit) -> str:
    """Return an amount as an operator would write it: the largest unit that keeps it exact."""
    if not unit.example.startswith('"'):
        return f"{amount / unit.bare:g}"
    if not amount:
        return unit.example.translate(NOUGHT)
    for name, factor in sorted(unit.factors.items(), key=lambda item: -item[1]):
        number = round(Fraction(amount) / factor)
        if number and unit.read(f"{number}{name}") == amount:
            return f'"{number}{name}"'
    return f"{amount:g}"


def _table(rows: object) -> Iterator[str]:
    yield "| key | value | default | what it says |"
    yield "|---|---|---|---|"
    for key, value, default, sentence in cast("list[tuple[str, str, str, str]]", rows):
        shown = f"`{default}`" if default and default != "must be given" else default
        yield f"| `{key}` | {value} | {shown} | {sentence} |"


HEAD: Final = """# Configuration

Two kinds of files, never mixed: `config.toml` says how this installation works, a *policy* says what
is wanted ([reference](../policies/README.md)). Made by `python -m balancer.config.reference
configuration`; a test holds it to the code.

Without `--config` the first of these is read: `$BALANCER_CONFIG`, `config.toml` in this folder,
`/etc/balancer/config.toml`. Paths are relative to the file they stand in. Amounts carry their unit.
A key that is not listed is an error that names the nearest one.
"""


def configuration() -> str:
    """Return the reference of config.toml and of hosts files, in Markdown."""
    base = Guards()
    guards = {
        key: Entry(
            f"{entry.unit.name}, as `{entry.unit.example}`",
            as_written(getattr(base, key), entry.unit),
            entry.sentence,
        )
        for key, entry in GUARDS.items()
    }
    parts = (
        ("`config.toml`", INSTALLATION),
        ("`[guards]` of `config.toml`", guards),
        ("`[prometheus]` of `config.toml`", PROMETHEUS),
        ("`[[notify]]` of `config.toml`", NOTIFY),
        ("`[[hosts]]`, `[defaults]` and `[[overrides]]` of a hosts file", {**NAMES, **DECLARED}),
    )
    lines = [HEAD]
    for title, entries in parts:
        lines += [
            f"## {title}",
            "",
            "| key | value | default | what it says |",
            "|---|---|---|---|",
        ]
        for key, (value, default, sentence) in entries.items():
            shown = f"`{default}`" if default[0] in '"0123456789' else default
            lines.append(f"| `{key}` | {value} | {shown} | {sentence} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(configuration() if "configuration" in sys.argv[1:] else reference())
