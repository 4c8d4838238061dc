"""What is asked of the planner this time, beyond the standing policy."""

from dataclasses import dataclass, field
from enum import StrEnum


class Effort(StrEnum):
    """How long to look: a budget of steps, about 2, 20 and 300 seconds."""

    QUICK = "quick"
    NORMAL = "normal"
    THOROUGH = "thorough"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An explicit order of the operator, or nothing: then only the policy speaks."""

    relieve: frozenset[str] = field(default_factory=frozenset)
    """Hosts to take load from."""
    effort: Effort = Effort.QUICK
    seed: int = 1
