"""Guests that come and go while something is replayed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from balancer.planner.model.cluster import Guest, HostState
from balancer.planner.model.resources import MEMORY
from balancer.simulator.replaying.track import Change
from balancer.simulator.workloads import Constant
from balancer.simulator.world import SimulatedGuest, World

USED = 0.75
"""Share of its memory that a guest is taken to use where nobody measured it."""
HOT_SET = 0.05


@dataclass(slots=True)
class Coming:
    """Brings guests about as time passes, and takes them away."""

    world: World
    guests: Mapping[str, Guest]
    """By uuid: all that are ever there."""
    changes: Sequence[Change]
    """In order of time."""
    homeless: list[str] = field(default_factory=list)
    """Uuids of those that found no room."""
    _next: int = 0

    def pending(self, at: float) -> bool:
        """True if something up to `at` has not happened yet."""
        return self._next < len(self.changes) and self.changes[self._next].at <= at

    def until(self, at: float) -> None:
        """Let everything up to `at` happen."""
        while self.pending(at):
            change = self.changes[self._next]
            self._next += 1
            if change.comes:
                self._arrive(change)
            else:
                self.world.shut_down(change.guest)

    def _arrive(self, change: Change) -> None:
        """Start a guest where it was started then, else where most memory is free."""
        if change.guest in self.world.guests:
            return
        spec = self.guests[change.guest]
        known = self.world.hosts.get(change.host)
        home = change.host if known and known.alive else self._roomiest(spec)
        if home:
            self.world.guests[change.guest] = simulated(spec)
            self.world.placement[change.guest] = home
        else:
            self.homeless.append(change.guest)

    def _roomiest(self, spec: Guest) -> str:
        """Return the host with the most memory left for it, as allocated; empty for none."""
        left = {
            name: host.spec.usable.get(MEMORY, 0)
            for name, host in self.world.hosts.items()
            if host.alive and host.spec.state is HostState.UP
        }
        for uuid, where in self.world.placement.items():
            if where in left:
                left[where] -= self.world.guests[uuid].spec.allocation.get(MEMORY, 0)
        home = max(left, key=left.__getitem__, default="")
        return home if home and left[home] >= spec.allocation.get(MEMORY, 0) else ""


def simulated(spec: Guest) -> SimulatedGuest:
    """Return the guest as the world has it; what it uses follows from what is replayed."""
    used = int(USED * spec.allocation.get(MEMORY, 0))
    return SimulatedGuest(
        spec=spec,
        cpu=Constant(cpu=0),  # counted from the track, not from here
        memory_mib=used,
        dirty_mib_s=0,
        hot_set_mib=int(HOT_SET * used),
    )
