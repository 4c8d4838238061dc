"""How much more CPU a translated guest uses on a host of another architecture than on its own.

A guest that TCG translates runs wherever its architecture is the host's or is emulated there, and
the same work does not take the same CPU on both. What it uses is measured where it is; what it
would use elsewhere is that times the ratio of the two slow-downs:

    use there = use here * s(guest's, there) / s(guest's, here),    s = 1 where they are the same

s is learned from the guests that have moved (`calibrate.slower`), by architectures; until one has,
it is the policy's. Nobody uses more than all of its vCPUs: what it needs beyond is waited for in the
guest. Guests under KVM are never translated, so nothing of this is theirs.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer.planner.model.calibration import Calibration
from balancer.planner.model.cluster import TRANSLATED, Cluster, Guest, Host
from balancer.planner.model.resources import VCPUS

Ints = NDArray[np.int64]
PER_MILLE: Final = 1000


def slowdown(guest: str, host: str, learned: Calibration, usual: float) -> float:
    """Return s for these architectures: `usual` where nothing is learned."""
    if guest == host:
        return 1.0
    known = learned.slowdowns.get(guest, {}).get(host)
    return usual if known is None else known.value


def elsewhere(
    cluster: Cluster, learned: Calibration, usual: float
) -> Mapping[str, Mapping[str, int]]:
    """Return, by uuid and host, per mille of its use here that a guest would use there.

    Only of guests and hosts where it is not 1000: none at all where nothing is translated.
    """
    found = {}
    for guest in cluster.guests:
        if guest.accelerator == TRANSLATED:
            home = cluster.host[cluster.placement[guest.uuid]]
            here = slowdown(guest.architecture, home.architecture, learned, usual)
            there = {
                host.name: round(PER_MILLE * _on(guest, host, learned, usual) / here)
                for host in cluster.hosts
            }
            differs = {name: ratio for name, ratio in there.items() if ratio != PER_MILLE}
            if differs:
                found[guest.uuid] = differs
    return found


def _on(guest: Guest, host: Host, learned: Calibration, usual: float) -> float:
    return slowdown(guest.architecture, host.architecture, learned, usual)


def most(guest: Guest) -> int:
    """Return what a guest can use at most, millicores."""
    return PER_MILLE * guest.allocation.get(VCPUS, 0)


def there(amount: int, ratio: int, at_most: int) -> int:
    """Return what somebody who uses `amount` here uses where the ratio is so many per mille."""
    scaled = amount * ratio // PER_MILLE
    return scaled if ratio <= PER_MILLE else min(scaled, max(amount, at_most))


def all_there(amounts: Ints, ratios: Ints, at_most: Ints) -> Ints:
    """Return the same of many at once."""
    scaled = amounts * ratios // PER_MILLE
    capped = np.minimum(scaled, np.maximum(amounts, at_most))
    result: Ints = np.where(ratios <= PER_MILLE, scaled, capped)
    return result
