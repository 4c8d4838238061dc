"""Hosts that an operator closed to placement, and who was there: a file that outlives us all."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from balancer.codec import write_atomically
from balancer.ports import UsageError

FORMAT: Final = "balancer-closed/1"
FAULTS: Final = (
    *(
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ),
)
"""What a file that holds something else can bring about."""


@dataclass(frozen=True, slots=True)
class Closure:
    """One host that is closed."""

    since: float
    """Seconds since the epoch."""
    by: str
    guests: Mapping[str, str]
    """Name by uuid of the guests that ran there then."""


class ClosedHosts:
    """The hosts of the file. Read anew each time: a running service sees what a verb wrote."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def known(self) -> Mapping[str, Closure]:
        """Return the closed hosts by name. Raises UsageError where the file cannot be read."""
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            return {name: _closure(entry) for name, entry in _hosts(document).items()}
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except FAULTS as error:
            raise UsageError(
                f"{self._path} cannot be read ({type(error).__name__}): it names the hosts that are "
                "closed to placement; mend it, or remove it and drain them again"
            ) from None

    def close(self, host: str, closure: Closure) -> None:
        """Close `host`; who was there first is kept. Raises UsageError."""
        known = self.known()
        self._save({**known, host: known.get(host, closure)})

    def open(self, host: str) -> Closure | None:
        """Open `host` again; return what is known, or None if it was not closed."""
        known = dict(self.known())
        closure = known.pop(host, None)
        if closure is not None:
            self._save(known)
        return closure

    def _save(self, known: Mapping[str, Closure]) -> None:
        hosts = {
            name: {"since": c.since, "by": c.by, "guests": dict(c.guests)}
            for name, c in known.items()
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, json.dumps({"format": FORMAT, "hosts": hosts}, indent=1))


def _hosts(document: Any) -> Mapping[str, Any]:  # noqa: ANN401 - whatever the file holds
    if document["format"] != FORMAT:
        raise ValueError
    hosts: Mapping[str, Any] = document["hosts"]
    return hosts


def _closure(entry: Any) -> Closure:  # noqa: ANN401 - whatever the file holds
    guests = {str(uuid): str(name) for uuid, name in entry["guests"].items()}
    return Closure(float(entry["since"]), str(entry["by"]), guests)
