"""What emptying a host comes to: said before anything moves."""

from dataclasses import dataclass

from balancer.planner.model.plan import Infeasible, Plan


@dataclass(frozen=True, slots=True)
class Blocked:
    """A guest that does not leave."""

    guest: str
    """Its name."""
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What emptying a host comes to, before anything moves."""

    host: str
    possible: bool
    """True if it ends empty."""
    guests: tuple[str, ...]
    """Names of those that run there now."""
    seconds: float
    """Predicted for all that can leave."""
    blocked: tuple[Blocked, ...] = ()
    shut_down: tuple[str, ...] = ()
    """Names of guests that cannot leave and may be shut down: the last thing that is done."""
    decision: Plan | Infeasible
