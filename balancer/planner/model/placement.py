"""Who runs where, and who holds resources where while some are in flight."""

from collections.abc import Mapping
from hashlib import sha256

Placement = Mapping[str, str]
"""Guest uuid to host name."""

Occupancy = Mapping[str, tuple[str, ...]]
"""Guest uuid to the hosts it holds resources on: one at rest, two while migrating."""


def at_rest(placement: Placement) -> Occupancy:
    """Return the occupancy of a placement in which nothing is in flight."""
    return {guest: (host,) for guest, host in placement.items()}


def fingerprint(placement: Placement) -> str:
    """Return 16 hex digits that differ whenever any guest runs elsewhere."""
    lines = "\n".join(f"{guest} {host}" for guest, host in sorted(placement.items()))
    return sha256(lines.encode()).hexdigest()[:16]
