"""Who holds what, indexed both ways, for those who replay many events."""

from collections import defaultdict

from balancer.planner.model.placement import Occupancy


class Ledger(dict[str, tuple[str, ...]]):
    """An occupancy that changes in place (by `put` alone) and knows who is on each host.

    It reads as an `Occupancy`, so rules need not know it; `Problem.holders` asks it for the guests
    of a host instead of reading the whole cluster.
    """

    __slots__ = ("_on",)

    def __init__(self, occupancy: Occupancy) -> None:
        super().__init__(
            (guest, tuple(dict.fromkeys(hosts))) for guest, hosts in occupancy.items()
        )
        on: dict[str, list[str]] = defaultdict(list)
        for guest, hosts in self.items():
            for host in hosts:
                on[host].append(guest)
        self._on = {host: tuple(guests) for host, guests in on.items()}

    def put(self, guest: str, *hosts: str) -> None:
        """Let `guest` hold resources on exactly `hosts`."""
        before, after = self[guest], tuple(dict.fromkeys(hosts))
        for host in before:
            if host not in after:
                self._on[host] = tuple(g for g in self._on[host] if g != guest)
        for host in after:
            if host not in before:
                self._on[host] = (*self._on.get(host, ()), guest)
        self[guest] = after

    def on(self, host: str) -> tuple[str, ...]:
        """Return the guests that hold resources on `host`, in no promised order."""
        return self._on.get(host, ())

    def twin(self) -> "Ledger":
        """Return an equal ledger that changes apart from this one."""
        other = Ledger({})
        other.update(self)
        other._on = self._on.copy()
        return other
