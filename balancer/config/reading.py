"""TOML files read with care: every fault names the file, the key and the remedy."""

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, NoReturn, cast

from balancer.config.units import Unit
from balancer.ports import UsageError

SHOWN: Final = 60
"""Characters of an offending value that are worth showing."""
LONGEST: Final = 1000
"""Characters of a sentence that are worth showing."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of one file, and how it is called in faults."""

    file: Path
    path: str
    """Dotted, as `limits` or `spread[2]`; empty for the top."""
    values: Mapping[str, object]

    def fail(self, key: str, remedy: str) -> NoReturn:
        """Raise the UsageError about `key`: its value as written, and what to do."""
        shown = f" = {_shown(self.values[key])}" if key in self.values else ""
        raise UsageError(printable(f"{self.file}: {self.dotted(key)}{shown}: {remedy}"))

    def dotted(self, key: str) -> str:
        """Return the full name of `key`."""
        key = _short(key)
        return f"{self.path}.{key}" if self.path and key else self.path or key

    def only(self, known: Collection[str]) -> None:
        """Refuse a key that is not among `known`, with the nearest that is."""
        for key in self.values:
            if key not in known:
                self.unknown(key, known)

    def unknown(self, key: str, known: Collection[str]) -> NoReturn:
        """Refuse `key`, naming the nearest known one."""
        text = f"unknown key{nearest(key, known)}"
        raise UsageError(printable(f"{self.file}: {self.dotted(key)}: {text}"))

    def text(self, key: str, default: str = "") -> str:
        """Return a string."""
        value = self.values.get(key, default)
        return value if isinstance(value, str) else self.fail(key, "must be a string in quotes")

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a string or a list of them, as a tuple; empty if the key is absent."""
        value = self.values.get(key, [])
        listed = value if isinstance(value, list) else [value]
        if not all(isinstance(item, str) for item in listed):
            self.fail(key, "must be a string in quotes or a list of them")
        return tuple(cast("list[str]", listed))

    def choice(self, key: str, allowed: Collection[str], default: str) -> str:
        """Return one of `allowed`."""
        word = self.text(key, default)
        if word not in allowed:
            self.fail(key, f"must be one of {', '.join(allowed)}{nearest(word, allowed, '')}")
        return word

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.values.get(key, default)
        return value if isinstance(value, bool) else self.fail(key, "must be true or false")

    def amount(self, key: str, unit: Unit, default: float) -> int | float:
        """Return an amount in the unit's own measure."""
        if key not in self.values:
            return default
        value = self.values[key]
        if isinstance(value, float) and unit.whole and unit.bare == 1:
            self.fail(key, f"must be a {unit.name}, for example {unit.example}")
        try:
            return unit.read(value)
        except ValueError as error:
            self.fail(key, str(error))

    def table(self, key: str) -> "Table":
        """Return a table within; empty if it is absent."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            self.fail(key, f"must be a table: [{self.dotted(key)}]")
        return Table(self.file, self.dotted(key), cast("Mapping[str, object]", value))

    def tables(self, key: str) -> tuple["Table", ...]:
        """Return an array of tables, `[[key]]`; empty if it is absent."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.fail(key, f"must be written [[{self.dotted(key)}]], once for each")
        return tuple(
            Table(self.file, f"{self.dotted(key)}[{number}]", item)
            for number, item in enumerate(cast("list[Mapping[str, object]]", value), 1)
        )

    def strings(self, key: str) -> Mapping[str, str]:
        """Return a table of strings."""
        table = self.table(key)
        return {name: table.text(name) for name in table.values}


def nearest(word: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """Return `; did you mean …?`, or `otherwise`, or the list of what is known."""
    names = sorted(known)
    near = get_close_matches(word, names, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known are {', '.join(names)}" if otherwise is None else otherwise


def printable(text: str) -> str:
    """Return `text` without what could disturb a terminal or a log, and not without end."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 1] + "…"


def read_toml(path: Path) -> Table:
    """Return the file's top table. Raises UsageError naming it and what is wrong."""
    try:
        with path.open("rb") as file:
            return Table(path, "", tomllib.load(file))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(printable(f"{path}: is not TOML: {error}")) from None
    except UnicodeDecodeError:
        raise UsageError(printable(f"{path}: is not UTF-8 text; save it as UTF-8")) from None
    except RecursionError:
        raise UsageError(printable(f"{path}: is nested too deeply")) from None
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageError(printable(f"{path}: cannot be read: {why}")) from None


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else str(value).lower()
    return f'"{_short(text)}"' if isinstance(value, str) else _short(text)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
