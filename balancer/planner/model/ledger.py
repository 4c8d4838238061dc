"""Who holds what, indexed both ways, for those who replay many events."""

from collections.abc import Collection, Mapping

from balancer.planner.model.placement import Occupancy


class Ledger(dict[str, tuple[str, ...]]):
    """An occupancy that changes in place (by `put` alone) and knows who is on each host.

    It reads as an `Occupancy`, so rules need not know it; `Problem.holders` asks it for the guests
    of a host instead of reading the whole cluster. Sums that were asked for once are kept up to
    date from then on.
    """

    __slots__ = ("_on", "_own", "_sums")

    def __init__(self, occupancy: Occupancy) -> None:
        super().__init__(
            (guest, tuple(dict.fromkeys(hosts))) for guest, hosts in occupancy.items()
        )
        self._on: dict[str, dict[str, None]] = {}
        for guest, hosts in self.items():
            for host in hosts:
                self._on.setdefault(host, {})[guest] = None
        self._own = set(self._on)
        """Hosts whose guests are listed here alone; other lists are shared with twins."""
        self._sums: dict[int, tuple[Mapping[str, int], dict[str, int]]] = {}
        """Sums by host, for each mapping that was summed up, by its identity."""

    def put(self, guest: str, *hosts: str) -> None:
        """Let `guest` hold resources on exactly `hosts`."""
        before, after = self[guest], tuple(dict.fromkeys(hosts))
        for host in before:
            if host not in after:
                del self._list(host)[guest]
                self._count(host, guest, -1)
        for host in after:
            if host not in before:
                self._list(host)[guest] = None
                self._count(host, guest, 1)
        self[guest] = after

    def _list(self, host: str) -> dict[str, None]:
        """Return the guests of `host`, to be changed."""
        if host not in self._own:
            self._on[host] = dict(self._on.get(host, {}))
            self._own.add(host)
        return self._on[host]

    def _count(self, host: str, guest: str, one: int) -> None:
        for amounts, sums in self._sums.values():
            if host in sums:
                sums[host] += one * amounts[guest]

    def on(self, host: str) -> Collection[str]:
        """Return the guests that hold resources on `host`, in no promised order."""
        return self._on.get(host, {}).keys()

    def sum_on(self, host: str, amounts: Mapping[str, int]) -> int:
        """Return what the guests on `host` have of `amounts` (by uuid) together.

        Quick for a mapping that is asked about often. It must not change.
        """
        _, sums = self._sums.setdefault(id(amounts), (amounts, {}))
        if host not in sums:
            sums[host] = sum(map(amounts.__getitem__, self.on(host)))
        return sums[host]

    def twin(self) -> "Ledger":
        """Return an equal ledger that changes apart from this one."""
        other = Ledger({})
        other.update(self)
        other._on = self._on.copy()
        self._own = set()
        other._sums = {key: (of, sums.copy()) for key, (of, sums) in self._sums.items()}
        return other
