"""The ordering problem as arrays: what the scheduling engine reads, whoever poses it.

Movers, hosts, rows, channels. A *row* is room of one kind on one host, or the places of a group in
one domain; a mover in flight takes its rows on both ends. A *channel* carries rates and numbers of
moves: a link's one direction, a limit on moves at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer.planner.order.kernels.passes import NONE, Book, Flow, Legs, Stock

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Effects = tuple[dict[int, int], dict[int, int], list[int], float]
"""Of a trip: what it takes of rows, and gives; its channels; its highest rate."""

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
    known: dict["Trip", Effects] = field(default_factory=dict, init=False, repr=False)
    """What trips take and give, kept as the same are asked about again and again."""
    base: Ints = field(init=False)
    """[groups]: the row of each group's domain 0."""

    def __post_init__(self) -> None:
        first = self.room.size
        base = np.cumsum([first, *(len(p) for p in self.places)]).astype(np.int64)
        object.__setattr__(self, "base", base)

    @property
    def free(self) -> Ints:
        """[rows]: what is free now."""
        return np.concatenate([self.room.T.reshape(-1), *self.places]).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Trip:
    """One leg of a mover's way."""

    mover: int
    source: int
    target: int
    kind: int = 0
    """0 live, 1 store, 2 resume."""


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
    take: list[dict[int, int]] = []
    give: list[dict[int, int]] = []
    paths: list[list[int]] = []
    rates: list[float] = []
    for trip in trips:
        taken, given, path, top = effects(yard, trip)
        take.append(taken)
        give.append(given)
        paths.append(path)
        rates.append(top)
    tops = np.array(rates, dtype=np.float64)
    take, give = _binding_rows(yard.free, take, give)
    take, give, used = _renumbered(take, give)
    stock = _stock(yard.free[used], take, give)
    paths = _binding_channels(yard, paths, tops)
    before, after = _links(trips)
    movers = np.array([t.mover for t in trips], dtype=np.int64)
    setup = yard.setup[movers] if len(trips) else np.zeros(0)
    if yard.store is not None:
        setup = np.where([t.kind != LIVE for t in trips], yard.store[movers], setup)
    ratio = np.ones(len(trips))
    if yard.ratio is not None:
        ratio = np.array([yard.ratio[t.source, t.target] for t in trips])
    legs = Legs(
        *_padded(take), *_padded(give), _padded_paths(paths), before, after,
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
    return (
        {r: a for r, a in there.items() if r not in here},
        {r: a for r, a in here.items() if r not in there},
        path,
        top_rate(yard, trip.mover, path) if trip.kind == LIVE else 0.0,
    )


def _stock(room: Ints, take: Sequence[dict[int, int]], give: Sequence[dict[int, int]]) -> Stock:
    """Return rows that are empty at first, and what has been taken of each in the end."""
    end = np.zeros(len(room), dtype=np.int64)
    for taken, given in zip(take, give, strict=True):
        for r, amount in taken.items():
            end[r] += amount
        for r, amount in given.items():
            end[r] -= amount
    return Stock(np.zeros(len(room), dtype=np.int64), end, room)


Amounts = list[dict[int, int]]


def _renumbered(take: Amounts, give: Amounts) -> tuple[Amounts, Amounts, Ints]:
    """Return the same with rows counted from 0, and their old numbers: few of many are short."""
    used = sorted({r for one in (*take, *give) for r in one})
    number = {r: i for i, r in enumerate(used)}
    return (
        [{number[r]: a for r, a in one.items()} for one in take],
        [{number[r]: a for r, a in one.items()} for one in give],
        np.array(used, dtype=np.int64),
    )


def _binding_rows(
    room: Ints, take: Sequence[dict[int, int]], give: Sequence[dict[int, int]]
) -> tuple[list[dict[int, int]], list[dict[int, int]]]:
    """Return the rows that can be short, per leg: those that all takers together would overfill."""
    most = np.zeros(len(room), dtype=np.int64)
    for taken in take:
        for r, amount in taken.items():
            most[r] += amount
    tight = most > room
    return (
        [{r: a for r, a in taken.items() if tight[r]} for taken in take],
        [{r: a for r, a in given.items() if tight[r]} for given in give],
    )


def _binding_channels(yard: Yard, paths: Sequence[Sequence[int]], tops: Floats) -> list[list[int]]:
    rate = np.zeros(len(yard.rate))
    number = np.zeros(len(yard.rate), dtype=np.int64)
    for path, top in zip(paths, tops.tolist(), strict=True):
        for c in path:
            rate[c] += top
            number[c] += 1
    binds = (rate > yard.rate) | (number > yard.number)
    return [[c for c in path if binds[c]] for path in paths]


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


def _padded(lists: Sequence[dict[int, int]]) -> tuple[Ints, Ints]:
    width = max([1, *(len(one) for one in lists)])
    rows = np.full((len(lists), width), NONE, dtype=np.int64)
    amounts = np.zeros((len(lists), width), dtype=np.int64)
    for i, one in enumerate(lists):
        rows[i, : len(one)] = list(one)
        amounts[i, : len(one)] = list(one.values())
    return rows, amounts


def _padded_paths(paths: Sequence[Sequence[int]]) -> Ints:
    width = max([1, *(len(path) for path in paths)])
    found = np.full((len(paths), width), NONE, dtype=np.int64)
    for i, path in enumerate(paths):
        found[i, : len(path)] = path
    return found


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
