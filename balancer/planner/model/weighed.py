"""What spoke for and against each host that a guest could be on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Bound(StrEnum):
    """What keeps a guest from more CPU where it is."""

    NONE = "all it wants"
    SHARE = "share"
    """Others want the rest: it gets what its shares bring."""
    RESERVATION = "reservation"
    """Its shares would bring less than what it is to get in any case."""
    LIMIT = "limit"
    VCPUS = "number of vCPUs"
    """It keeps all it has busy: what more it would use is not seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one guest has of something other than CPU that a `[[resize]]` manages."""

    what: str
    """`memory` (MiB), `disk` or `network` (KiB/s)."""
    wanted: int
    """Of memory with the margin; of a guest at a limit of its traffic: twice that limit."""
    got: int
    bound: Bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What fair division gives one guest of its host's CPU, as the policy wants it set."""

    host: str
    wanted: int
    """Millicores, what it waits for included."""
    got: int
    """Millicores."""
    bound: Bound
    missing: tuple[str, ...] = ()
    """What would be needed for more, one phrase each."""
    beside: tuple[Share, ...] = ()
    """The same of memory and traffic, where its `[[resize]]` manages them."""


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
    resized: Granted | None = None
    """What it gets where it is; None where the policy says no `[[resize]]`, or nothing is known."""
