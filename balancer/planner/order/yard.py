"""The ordering problem as arrays: what the scheduling engine reads, whoever poses it.

Movers, hosts, rows, channels. A *row* is room of one kind on one host, or the places of a group in
one domain; a mover in flight takes its rows on both ends. A *channel* carries rates and numbers of
moves: a link's one direction, a limit on moves at once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from balancer.planner.order.kernels.passes import NONE, Book, Flow, Legs, Stock

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

UNLIMITED: Final = 1e18
"""The rate of a channel that limits numbers alone."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Yard:
    """Who has to go where, and what that takes. Hosts, movers, rows and channels are numbered."""

    source: Ints
    """[movers]: host."""
    target: Ints
    need: Ints
    """[movers, resources]"""
    room: Ints
    """[hosts, resources]: what is free now; negative where too much is given out already."""
    volume: Floats
    """[movers]: MiB to send at least once."""
    dirty: Floats
    """[movers]: MiB/s."""
    hot: Floats
    """[movers]: MiB dirtied over and over; negative where `dirty` holds for ever."""
    setup: Floats
    """[movers]: seconds beside the transfer."""
    top: Floats
    """[movers]: the highest rate."""
    rate: Floats
    """[channels]: the most that all together may use; infinite for none."""
    number: Ints
    """[channels]: the most moves at once."""
    leaving: Ints
    """[hosts, …]: channels of every move out of a host, padded with -1."""
    entering: Ints
    leaving_zone: Ints
    """[hosts, …]: channels of moves out of a host to another zone."""
    entering_zone: Ints
    zone: Ints
    """[hosts]: -1 for none: everything is another zone."""
    groups: Sequence[Sequence[int]] = ()
    """[movers]: numbers of the groups each belongs to."""
    domain: Sequence[Ints] = ()
    """[groups]: [hosts], the domain of each host, from 0."""
    places: Sequence[Ints] = ()
    """[groups]: [domains], free places now."""
    allowed: Bools | None = None
    """[movers, hosts]: where a mover may stop on its way; None for everywhere."""
    temporary: bool = True
    cold: Bools | None = None
    """[movers]: may be stored and resumed, in seconds `store` each."""
    store: Floats | None = None
    ratio: Floats | None = None
    """[hosts, hosts]: effective rate as a share of the rate allowed; None for 1."""
    pause: float = 0.0
    """Seconds of the longest pause."""
    known: dict["Trip", "Effects"] = field(default_factory=dict, init=False, repr=False)
    """What trips take and give, kept as the same are asked about again and again."""
    base: Ints = field(init=False)
    """[groups]: the row of each group's domain 0."""
    most_rows: int = field(init=False)
    """How many rows a mover may take on a host, at most."""
    most_channels: int = field(init=False)
    """How many channels a move may go through, at most."""

    def __post_init__(self) -> None:
        first = self.room.size
        base = np.cumsum([first, *(len(p) for p in self.places)]).astype(np.int64)
        object.__setattr__(self, "base", base)
        most = max((len(groups) for groups in self.groups), default=0)
        object.__setattr__(self, "most_rows", self.need.shape[1] + most)
        lines = (self.leaving, self.entering, self.leaving_zone, self.entering_zone)
        object.__setattr__(self, "most_channels", sum(line.shape[1] for line in lines))

    @property
    def free(self) -> Ints:
        """[rows]: what is free now."""
        return np.concatenate([self.room.T.reshape(-1), *self.places]).astype(np.int64)


class Trip(NamedTuple):
    """One leg of a mover's way."""

    mover: int
    source: int
    target: int
    kind: int = 0
    """0 live, 1 store, 2 resume."""


class Effects(NamedTuple):
    """What one trip does, padded with -1 to the same lengths for all trips of a yard."""

    numbers: Ints
    """Rows that it takes, how much of each, rows that it gives, how much of each, its channels."""
    top: float
    """Its highest rate."""


LIVE, STORE, RESUME = 0, 1, 2


def rows_of(yard: Yard, mover: int, host: int) -> dict[int, int]:
    """Return what `mover` takes of each row on `host`."""
    hosts = len(yard.room)
    taken = {r * hosts + host: int(amount) for r, amount in enumerate(yard.need[mover]) if amount}
    for g in yard.groups[mover] if yard.groups else ():
        taken[int(yard.base[g] + yard.domain[g][host])] = 1
    return taken


@dataclass(frozen=True, slots=True)
class Compiled:
    """Trips as arrays."""

    trips: Sequence[Trip]
    legs: Legs
    stock: Stock
    flow: Flow
    book: Book
    pause: float


def channels_of(yard: Yard, source: int, target: int) -> list[int]:
    """Return the channels of a move between these hosts."""
    found = [int(c) for c in (*yard.leaving[source], *yard.entering[target]) if c >= 0]
    if yard.zone[source] < 0 or yard.zone[source] != yard.zone[target]:
        far = (*yard.leaving_zone[source], *yard.entering_zone[target])
        found += [int(c) for c in far if c >= 0]
    return list(dict.fromkeys(found))


def top_rate(yard: Yard, mover: int, channels: Sequence[int]) -> float:
    """Return the highest rate of a mover through `channels`."""
    return min([float(yard.top[mover]), *(float(yard.rate[c]) for c in channels)])


def compile_trips(yard: Yard, trips: Sequence[Trip]) -> Compiled:
    """Return `trips`, those of one mover in their order, with rows and channels that may bind."""
    found = [effects(yard, trip) for trip in trips]
    tops = np.array([one.top for one in found], dtype=np.float64)
    numbers = np.concatenate([one.numbers for one in found] or [np.zeros(0, dtype=np.int64)])
    lines = numbers.reshape(len(trips), 4 * yard.most_rows + yard.most_channels)
    take, takes, give, gives, path = np.split(lines, np.arange(1, 5) * yard.most_rows, axis=1)
    tight = np.append(_taken(len(yard.free), take, takes) > yard.free, False)
    take, takes = _kept(tight[take], take, takes)
    give, gives = _kept(tight[give], give, gives)
    used = np.unique(np.concatenate([take[take >= 0], give[give >= 0]]))
    take = np.where(take >= 0, np.searchsorted(used, take), NONE)
    give = np.where(give >= 0, np.searchsorted(used, give), NONE)
    end = _taken(len(used), take, takes) - _taken(len(used), give, gives)
    stock = Stock(np.zeros(len(used), dtype=np.int64), end, yard.free[used])
    path, _ = _kept(_binding(yard, path, tops)[path], path, path)
    before, after = _links(trips)
    movers = np.array([t.mover for t in trips], dtype=np.int64)
    setup = yard.setup[movers]
    if yard.store is not None:
        setup = np.where([t.kind != LIVE for t in trips], yard.store[movers], setup)
    ratio = np.ones(len(trips))
    if yard.ratio is not None:
        ratio = np.array([yard.ratio[t.source, t.target] for t in trips])
    legs = Legs(
        take, takes, give, gives, path, before, after,
        yard.volume[movers], yard.dirty[movers], yard.hot[movers], setup, tops, ratio,
    )  # fmt: skip
    flow = Flow(yard.rate.astype(np.float64), yard.number.astype(np.int64))
    return Compiled(trips, legs, stock, flow, _book(legs, stock, flow), yard.pause)


def effects(yard: Yard, trip: Trip) -> Effects:
    """Return what a trip takes and gives of each row, its channels, and its highest rate."""
    if trip not in yard.known:
        yard.known[trip] = _effects(yard, trip)
    return yard.known[trip]


def _effects(yard: Yard, trip: Trip) -> Effects:
    here = rows_of(yard, trip.mover, trip.source) if trip.kind != RESUME else {}
    there = rows_of(yard, trip.mover, trip.target) if trip.kind != STORE else {}
    path = channels_of(yard, trip.source, trip.target) if trip.kind == LIVE else []
    take = {r: a for r, a in there.items() if r not in here}
    give = {r: a for r, a in here.items() if r not in there}
    told = [_padded(one, yard.most_rows) for t in (take, give) for one in (t, t.values())]
    numbers = np.concatenate([*told, _padded(path, yard.most_channels)])
    return Effects(numbers, top_rate(yard, trip.mover, path) if trip.kind == LIVE else 0.0)


def _padded(numbers: Iterable[int], width: int) -> Ints:
    told = np.full(width, NONE, dtype=np.int64)
    listed = list(numbers)
    told[: len(listed)] = listed
    return told


def _taken(rows: int, which: Ints, amounts: Ints) -> Ints:
    """Return [rows]: the sum of `amounts` for each of `which`, both [trips, …]."""
    taken = np.zeros(rows + 1, dtype=np.int64)
    np.add.at(taken, which, amounts)
    return taken[:-1]


def _kept(keep: Bools, which: Ints, amounts: Ints) -> tuple[Ints, Ints]:
    """Return of each line the numbers to `keep`, first, padded with -1, and their amounts."""
    width = max(1, int(keep.sum(axis=1).max(initial=0)))
    order = np.argsort(~keep, axis=1, kind="stable")[:, :width]
    lines = np.arange(len(keep))[:, np.newaxis]
    kept = keep[lines, order]
    return np.where(kept, which[lines, order], NONE), np.where(kept, amounts[lines, order], 0)


def _binding(yard: Yard, path: Ints, tops: Floats) -> Bools:
    """Return [channels + 1]: whether all trips at once would overfill it; the last is none."""
    on = path.ravel()
    rate = np.zeros(len(yard.rate) + 1)
    np.add.at(rate, on, np.repeat(tops, path.shape[1]))
    number = np.bincount(on + 1, minlength=len(rate))[1:]
    return np.append((rate[:-1] > yard.rate) | (number > yard.number), False)


def _links(trips: Sequence[Trip]) -> tuple[Ints, Ints]:
    before = np.full(len(trips), NONE, dtype=np.int64)
    after = before.copy()
    last: dict[int, int] = {}
    for i, trip in enumerate(trips):
        if trip.mover in last:
            before[i] = last[trip.mover]
            after[last[trip.mover]] = i
        last[trip.mover] = i
    return before, after


def _book(legs: Legs, stock: Stock, flow: Flow) -> Book:
    rows = np.bincount(
        np.concatenate([legs.take[legs.take >= 0], legs.give[legs.give >= 0]]),
        minlength=len(stock.room),
    )
    channels = np.bincount(legs.channel[legs.channel >= 0], minlength=len(flow.rate))
    row_at = np.concatenate([[0], np.cumsum(rows + 2)]).astype(np.int64)
    chan_at = np.concatenate([[0], np.cumsum(2 * channels + 2)]).astype(np.int64)
    return Book(
        row_at[:-1], np.ones(len(rows), dtype=np.int64),
        np.zeros(row_at[-1]), np.zeros(row_at[-1], dtype=np.int64),
        chan_at[:-1], np.ones(len(channels), dtype=np.int64),
        np.zeros(chan_at[-1]), np.zeros(chan_at[-1]), np.zeros(chan_at[-1], dtype=np.int64),
    )  # fmt: skip
