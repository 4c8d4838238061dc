"""N+1: whether the guests of any one host would find room on the others, were it lost now."""

from collections.abc import Mapping, Sequence

from balancer.planner.model.cluster import HostState
from balancer.planner.model.resources import MEMORY
from balancer.simulator.world import World


def bears_any_loss(world: World) -> bool:
    """Return whether no host is indispensable.

    Memory as allocated decides, and hosts that take guests; rules are not looked at. Guests are
    packed largest first, each where it leaves the least room: where this finds no way there may
    still be one, so the answer is never better than the truth.
    """
    alive = {name: host for name, host in world.hosts.items() if host.alive}
    guests: dict[str, list[int]] = {name: [] for name in alive}
    for uuid, where in world.placement.items():
        if where in guests:
            guests[where].append(world.guests[uuid].spec.allocation.get(MEMORY, 0))
    room = {
        name: host.spec.usable.get(MEMORY, 0) - sum(guests[name])
        for name, host in alive.items()
        if host.spec.state is HostState.UP
    }
    return all(_packed(sizes, room, lost) for lost, sizes in guests.items())


def _packed(sizes: Sequence[int], room: Mapping[str, int], lost: str) -> bool:
    left = [mib for name, mib in room.items() if name != lost]
    for size in sorted(sizes, reverse=True):
        fits = [mib for mib in left if mib >= size]
        if not fits:
            return False
        tightest = min(fits)
        left[left.index(tightest)] = tightest - size
    return True
