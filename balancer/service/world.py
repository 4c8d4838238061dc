"""What the loop turns over: an installation, what one cycle leaves to the next, and admission."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from balancer.config import Guards, Mode
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import Plan
from balancer.planner.model.policy import Policy
from balancer.planner.model.request import Effort
from balancer.ports import Ports, Refused, Status
from balancer.service.guards import Patience
from balancer.service.score import DAY, REMEMBERED, observed_seconds
from balancer.service.standing import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One installation as the service finds it; a reload makes another."""

    ports: Ports
    policy: Policy
    mode: Mode
    interval: float
    guards: Guards = field(default_factory=Guards)
    close: Callable[[], None] = lambda: None
    """Lets go of connections and files."""
    effort: Effort = Effort.QUICK
    """How long to look for a better answer than the first; INSTANT: only where that is none."""
    reasons_kept: float = 28 * DAY
    """Seconds for which the journal keeps why guests and hosts stood as they did."""


class NoBoard:
    """Implements the port Board where nobody looks."""

    def show(self, status: Status) -> None:
        """Ignore it."""

    def beat(self) -> None:
        """Ignore it."""


@dataclass(slots=True)
class Memory:
    """What one cycle leaves to the next. Lost with the process, and nothing is worse for it."""

    placement: Placement | None = None
    """Where guests were, our own moves since then included; those of unseen hosts as last seen.
    None before the first look."""
    away: float = 0.0
    """Seconds between the last look before this process began and its first; 0 after that."""
    seen_moving: frozenset[tuple[str, str]] = frozenset()
    """Guest and target of migrations by others that were under way at the last look."""
    standing: Standing = field(default_factory=Standing)
    at: float = 0.0
    promised: Mapping[str, int] = field(default_factory=dict)
    """CPU use expected of each host, millicores."""
    carried_out: str = ""
    """Id of the plan whose promise is to be measured."""
    patience: Patience = field(default_factory=Patience)
    proposed: Plan | None = None
    proposed_at: float = 0.0
    because: object = ()
    """Why the proposal is as it is, for the journal."""
    vain: tuple[str, float] = ("", 0.0)
    """The trouble that a search found no answer to, and when."""


def admitted(world: World) -> float:
    """Return the days of observation scored so far. Raises Refused if mode auto needs more."""
    journal, now = world.ports.journal, world.ports.clock.now()
    seconds = observed_seconds(journal.read(now - REMEMBERED, ("cycle",)))
    wanted = world.guards.auto_after
    if world.mode is Mode.AUTO and seconds < wanted:
        raise Refused(
            f'mode = "auto" needs {wanted / DAY:g} days of scored observation, there are '
            f'{seconds / DAY:.1f}: let it run with mode = "observe" or "confirm" until then '
            "(guards.auto_after)"
        )
    return seconds / DAY
