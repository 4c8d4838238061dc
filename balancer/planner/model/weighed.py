"""What spoke for and against each host that a guest could be on."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """One guest, and the hosts it could be on."""

    guest: str
    """Uuid."""
    stays: str = ""
    """Why it cannot be moved at all; empty if it can."""
    rejected: Mapping[str, int] = field(default_factory=dict)
    """Number of other hosts by what spoke against them: a rule, or `would be hot`."""
    left: tuple[str, ...] = ()
    """Hosts that nothing spoke against, least loaded first; as many as are worth naming."""
    more: int = 0
    """Further ones."""
    otherwise: str = ""
    """What would have changed the decision."""
