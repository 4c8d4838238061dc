"""What is tried: a few settings of the policy, each at a few values an operator would think of."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from balancer.config import overlaid
from balancer.planner.model.policy import Policy
from balancer.ports import UsageError


@dataclass(frozen=True, slots=True)
class Change:
    """One setting at another value, as a policy file says it."""

    table: str
    """Empty for the top of the file."""
    key: str
    value: str | int

    @property
    def name(self) -> str:
        """Return the setting's dotted name."""
        return f"{self.table}.{self.key}" if self.table else self.key

    @property
    def words(self) -> str:
        """Return the change on one line."""
        return f"{self.name} = {_written(self.value)}"


Candidate = tuple[Change, ...]
"""No two of one setting; empty for the present policy."""


@dataclass(frozen=True, slots=True)
class Lever:
    """One setting, and the values that are tried."""

    table: str
    key: str
    values: tuple[str | int, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """Return one change for each value."""
        return tuple(Change(self.table, self.key, value) for value in self.values)


LEVERS: Final = (
    Lever("hot", "cpu_used", ("65%", "70%", "75%", "80%", "85%", "90%", "95%")),
    Lever("hot", "memory_used", ("80%", "85%", "90%", "95%")),
    Lever("hot", "lasting", ("5min", "10min", "30min")),
    Lever("overload", "margin", ("0%", "5%", "10%", "15%")),
    Lever("", "aggressiveness", (1, 2, 3, 4, 5)),
    Lever("balance", "within", ("3%", "5%", "10%", "15%")),
    Lever("forecast", "quantile", ("80%", "90%", "95%", "99%")),
    Lever("limits", "same_guest_again_after", ("4h", "24h", "72h")),
)


def changed(policy: Policy, candidate: Candidate) -> Policy:
    """Return the policy with these lines on top, read as a policy file is. Raises UsageError."""
    return overlaid(policy, _tables(candidate))


def singles(policy: Policy, only: Collection[str] = ()) -> tuple[Candidate, ...]:
    """Return every candidate of one change that changes something; of these settings if any are named.

    Raises UsageError where one is not known.
    """
    known = {change.name for lever in LEVERS for change in lever.changes}
    for name in only:
        if name not in known:
            near = get_close_matches(name, known, 1) or sorted(known)
            raise UsageError(
                f"--only {name}: no setting that is tuned; did you mean {', '.join(near)}?"
            )
    present = changed(policy, ())
    return tuple(
        (change,)
        for lever in LEVERS
        for change in lever.changes
        if (not only or change.name in only) and changed(policy, (change,)) != present
    )


def lines(candidate: Candidate) -> str:
    """Return the candidate as lines of a policy file."""
    tables = _tables(candidate)
    told = [f"{key} = {_written(value)}" for key, value in tables.items() if not isinstance(value, dict)]  # fmt: skip
    for name, table in tables.items():
        if isinstance(table, dict):
            told += ["", f"[{name}]", *(f"{key} = {_written(value)}" for key, value in table.items())]  # fmt: skip
    return "\n".join(told).strip("\n") + "\n"


def _tables(candidate: Sequence[Change]) -> Mapping[str, object]:
    found: dict[str, object] = {}
    for change in candidate:
        if not change.table:
            found[change.key] = change.value
            continue
        table = found.setdefault(change.table, {})
        assert isinstance(table, dict)  # noqa: S101 - made one line above
        table[change.key] = change.value
    return found


def _written(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
