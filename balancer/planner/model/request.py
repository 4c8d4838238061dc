"""What is asked of the planner this time, beyond the standing policy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Effort(StrEnum):
    """How long to look: a budget of steps, about 2, 20 and 300 seconds.

    `INSTANT` takes the first answer, without looking for a proof or for a better one.
    """

    INSTANT = "instant"
    QUICK = "quick"
    NORMAL = "normal"
    THOROUGH = "thorough"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An explicit order of the operator, or nothing: then only the policy speaks."""

    relieve: frozenset[str] = field(default_factory=frozenset)
    """Hosts to take load from."""
    held: Mapping[str, str] = field(default_factory=dict)
    """Uuids of guests to leave alone this time, and why."""
    passing: frozenset[str] = field(default_factory=frozenset)
    """Hosts whose load has not lasted yet: it is no reason to take anybody off them."""
    ordered: frozenset[str] = field(default_factory=frozenset)
    """Uuids of guests that the operator wants moved: that they moved lately does not hold them."""
    barred: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Pairs of a guest's uuid and a host it must not go to this time, and why."""
    before: Mapping[str, str] = field(default_factory=dict)
    """Host by uuid: where guests were before what is to be undone. What was broken then may be
    again."""
    effort: Effort = Effort.QUICK
    seed: int = 1
