"""A walk over the arrays by rearrangements of up to four guests: for problems of straight prices."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer.planner.formulation import Bools, Ints, Level
from balancer.planner.place.arrays import Arrays
from balancer.planner.place.walker import LOGS, NO_SAMPLE, Floats

OFTEN: Final = (2, 12, 18, 12, 8, 8, 6, 4)
"""How often each way is tried: home, shift, swap, push home, push on, two for one, two for two,
two together."""
SPARE: Final = 4
"""Times the guests of the fullest site that any site may come to hold."""
STRICT: Final = -1
EVERYBODY: Final = 0.75
"""Share of the price of being away that is alike for all."""


class Trader:
    """Walks over `arrays` and changes them. What a walk does follows from the seed alone.

    `suits` must hold of the arrays. While `press` is told a price, rows may be taken beyond
    their caps at that price a unit, which `total` leaves out; rows that linger never are.
    """

    def __init__(self, arrays: Arrays, seed: int) -> None:
        self.arrays = arrays
        self.seed = np.array([(seed * 0x9E3779B97F4A7C15 + 1) % 2**64], dtype=np.uint64)
        self.logs: Floats = -np.log((np.arange(LOGS) + 0.5) / LOGS)
        self.use: Ints = np.vstack(
            [arrays.use, np.zeros((1, arrays.use.shape[1]), dtype=np.int64)]
        )
        self.home: Ints = np.append(arrays.state.home, -1)
        self.ways: Ints = np.cumsum(OFTEN) * 2**31 // sum(OFTEN)
        self.tried: Ints = np.zeros(len(OFTEN), dtype=np.int64)
        self.taken: Ints = np.zeros(len(OFTEN), dtype=np.int64)
        self.strict = STRICT
        self.tug: Ints = np.zeros(len(arrays.site), dtype=np.int64)
        self.fares = arrays.state.formulation.move_cost
        self.weight = _lingering(arrays)
        sites = len(arrays.load)
        self.widest = SPARE * int(np.bincount(arrays.site, minlength=sites).max()) + 64
        self._stand()
        self.confine(np.arange(sites))

    def confine(self, sites: Ints) -> None:
        """Move only who is at one of these sites, and only to another of them."""
        self.pool = sites
        self.within: Bools = np.zeros(len(self.arrays.load), dtype=np.bool_)
        self.within[sites] = True
        movers = self.arrays.movers
        self.movers: Ints = movers[self.within[self.arrays.site[movers]]]

    def drawn(self, chance: np.random.Generator, size: int) -> Ints:
        """Draw so many sites: the first by what it pays, the others by chance."""
        worth = self.paid + max(1.0, float(self.paid.mean()) / 10)
        first = int(chance.choice(len(worth), p=worth / worth.sum()))
        others = chance.permutation(len(worth))[:size]
        return np.array([first, *others[others != first][: size - 1].tolist()])

    @property
    def slope(self) -> int:
        """What a unit beyond a limit typically costs here: a measure for what `press` is told."""
        priced = self.arrays.last[self.arrays.last > 0]
        return max(1, int(np.median(priced))) if len(priced) else 1

    def press(self, price: int) -> None:
        """Let caps be exceeded at this price a unit; a negative one lets none be.

        Only where nothing is exceeded may it become negative.
        """
        self.strict = price
        self._charge()

    def pull(self, price: float) -> None:
        """Charge this for being away from home, which `total` leaves out.

        More from who counts for more on rows that linger, on average about the price.
        """
        self.tug = (price * self.weight).astype(np.int64)
        self.fares = self.arrays.state.formulation.move_cost + self.tug

    def exceeded(self) -> int:
        """Return by how many units caps are exceeded, on all sites and rows."""
        a = self.arrays
        return int(np.maximum(0, a.load - a.cap).sum())

    def walk(self, proposals: int, heat: float, ceiling: Ints, sample: Floats = NO_SAMPLE) -> int:
        """Make so many proposals and return how many were accepted, or sampled."""
        from balancer.planner.place.kernels.trade import trade  # noqa: PLC0415 - loads the compiler

        del ceiling
        a = self.arrays
        if not np.array_equal(self.known, a.site):
            self._stand()
        before, tugged = self.exceeded() if self.strict > 0 else 0, self._tugged()
        done, gained = trade(
            self.seed, proposals, heat, self.strict, self.ways, a.site, self.home, self.movers,
            self.pool, self.within, a.allowed, self.fares, a.terms.routes, self.use, a.load, a.limit,
            a.cap, a.last, a.plain, self.paid, self.members, self.inside, self.place, a.first, a.groups, a.map_of,
            a.maps, a.offset, a.count, a.used, a.roof, a.least_used, a.most_used, a.needs_first,
            a.needs, a.by_first, a.by, self.logs, sample, self.tried, self.taken,
        )  # fmt: skip
        after = self.exceeded() if self.strict > 0 else 0
        a.total[Level.COST] += gained - self.strict * (after - before) - (self._tugged() - tugged)
        self.known[:] = a.site
        return int(done)

    def evict(self, tries: int, heat: float) -> int:
        """Try to force guests onto other sites, others giving way; return how often one went.

        Where nothing is exceeded, and `press` was told that nothing may be.
        """
        from balancer.planner.place.kernels.evict import evict  # noqa: PLC0415 - loads the compiler

        a = self.arrays
        tugged = self._tugged()
        done, gained = evict(
            self.seed, tries, heat, a.site, self.home, self.movers, self.pool, self.within, a.allowed,
            self.fares, a.terms.routes, self.use, a.load, a.limit, a.cap, a.last, a.plain, self.paid,
            self.members, self.inside, self.place, a.first, a.groups, a.map_of, a.maps, a.offset,
            a.count, a.used, a.roof, a.least_used, a.most_used, a.needs_first, a.needs, a.by_first,
            a.by, self.logs,
        )  # fmt: skip
        a.total[Level.COST] += gained - (self._tugged() - tugged)
        self.known[:] = a.site
        return int(done)

    def bring(self, changes: Sequence[tuple[int, int]]) -> int:
        """Bring guests to sites; return what that adds to the cost. The result must be lawful."""
        from balancer.planner.place.kernels.trade import bring  # noqa: PLC0415 - loads the compiler

        a = self.arrays
        who = np.array([guest for guest, _ in changes], dtype=np.int64)
        end = np.array([site for _, site in changes], dtype=np.int64)
        before = int(self.paid.sum()) + self._fares(who)
        bring(
            who, end, a.site, self.home, self.use, a.load, a.plain, self.members, self.inside,
            self.place, a.first, a.groups, a.map_of, a.maps, a.offset, a.count, a.used, a.roof,
            a.least_used, a.most_used, a.needs_first, a.needs, a.by_first, a.by,
        )  # fmt: skip
        self._charge()
        gained = int(self.paid.sum()) + self._fares(who) - before
        a.total[Level.COST] += gained
        self.known[:] = a.site
        return gained

    def settle(self, placement: Ints) -> None:
        """Bring everybody to where a lawful `placement` has him; from now on no cap is exceeded."""
        self.press(STRICT)
        changed = np.flatnonzero(self.arrays.site != placement)
        self.bring(list(zip(changed.tolist(), placement[changed].tolist(), strict=True)))

    def _tugged(self) -> int:
        return int(self.tug[self.arrays.site != self.arrays.state.home].sum())

    def _fares(self, who: Ints) -> int:
        a = self.arrays
        home, site = a.state.home[who], a.site[who]
        fares = int(a.state.formulation.move_cost[who[home != site]].sum())
        if len(a.terms.routes):
            fares += int(a.terms.routes[home, site].sum())
        return fares

    def _stand(self) -> None:
        """Find who is where, and what each site pays."""
        a = self.arrays
        sites = len(a.load)
        at = a.site[a.movers]
        self.inside: Ints = np.bincount(at, minlength=sites)
        order = np.argsort(at, kind="stable")
        start = np.cumsum(self.inside) - self.inside
        self.place: Ints = np.zeros(len(a.site), dtype=np.int64)
        self.place[a.movers[order]] = np.arange(len(at)) - start[at[order]]
        self.members: NDArray[np.int32] = np.zeros((sites, self.widest), dtype=np.int32)
        self.members[at, self.place[a.movers]] = a.movers
        self.known = a.site.copy()
        self._charge()

    def _charge(self) -> None:
        a = self.arrays
        load, limit, cap = (x[:, : a.plain] for x in (a.load, a.limit, a.cap))
        self.paid: Ints = np.maximum(0, load - limit) @ a.last[: a.plain]
        if self.strict > 0:
            self.paid += self.strict * np.maximum(0, load - cap).sum(axis=1)


def _lingering(arrays: Arrays) -> NDArray[np.float64]:
    """Return [guests]: one, or more for those that use more than others of what lingers."""
    lingering = arrays.use[:, arrays.plain :].astype(np.float64)
    if not lingering.shape[1]:
        return np.ones(len(arrays.site))
    share: NDArray[np.float64] = lingering / np.maximum(1.0, lingering.mean(axis=0))
    most: NDArray[np.float64] = share.max(axis=1)
    return EVERYBODY + (1 - EVERYBODY) * most


def suits(arrays: Arrays) -> bool:
    """True if all prices are straight and of cost, and nothing is broken: what the kernel knows."""
    given = arrays.state.formulation
    return (
        arrays.straight
        and not arrays.total[: Level.COST].any()
        and not arrays.given_back.any()
        and not arrays.fault.any()
        and not len(arrays.pairs)
        and not len(arrays.budget)
        and not given.site_cost.any()
        and bool((arrays.load <= arrays.cap).all())
    )
