"""The engine that turns a yard into a schedule: bounds first, then what works, then better.

1. Direct moves, event by event. 2. Where those block each other in circles: steps aside, few or
many. 3. Back and forth over the schedule, shaken, until the bound or the budget is reached;
parts that have nothing to do with each other apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np

from balancer.planner.order.apart import found_apart, polish_apart
from balancer.planner.order.aside import GLANCE, Searching, Ways, fewer, fewest_steps_aside
from balancer.planner.order.bounds import Bound, bound, channel_work, lengths
from balancer.planner.order.components import components
from balancer.planner.order.deadlocks import Deadlocks
from balancer.planner.order.kernels import passes, roaming, settling
from balancer.planner.order.kernels.passes import NEVER, duration
from balancer.planner.order.pacing import light_paces
from balancer.planner.order.rerouting import rerouted
from balancer.planner.order.roamers import (
    Habits,
    drawn_settings,
    first_settings,
    ground_of,
    movers_of,
    near_habits,
)
from balancer.planner.order.ruin import few_steps_aside
from balancer.planner.order.windows import Windows
from balancer.planner.order.yard import (
    UNLIMITED,
    Compiled,
    Floats,
    Trip,
    Yard,
    compile_trips,
)

ENOUGH: Final = 1e-9
SEARCHING: Final = 0.6
"""The share of the time in which ways round circles are sought; the rest goes into polishing."""

WHOLE: Final = np.array([1.0])
SHARED: Final = np.array([1.0, 0.75, 0.5, 0.3, 0.2])
"""Least shares of the top rate, one of which each round accepts."""
KNOBS: Final = np.array([0.5, 0.3, 0.3, 0.5, 0.03, 0.3, 0.5, 0.1, 0.5])
"""How often orders are shaken, how much; how often busy links come first; how often legs are placed
one by one; how much longer a schedule may be on the way; how often rates are changed, how many."""

DEAR: Final = 0.02
"""Price from which few steps aside matter more than a short schedule."""
FIRST: Final = 2
"""Ways round circles that are tried with careful settings."""
PLENTY: Final = 8
"""Attempts from which on ways near good ones are tried."""
KNOWN: Final = 30
"""The best ways, as far as they differ, that are known by how they came about."""
KEEN: Final = 0.6
"""How often one near a good one is tried."""
REST: Final = 0.1
"""From this share of a top rate on, what is left of a channel is worth dividing."""
EXACT: Final = 100
"""Trips up to which CP-SAT is asked: with more it finds nothing in a second."""
WALKS: Final = 6
FIRST_WALK: Final = 200
"""Rounds before CP-SAT is asked: often the bound is reached by then."""
NOTHING_LEFT: Final = 1e-9
WINDOWS_FROM: Final = 0.5
"""The share of the budget from which CP-SAT looks through windows of larger schedules."""
MANY_TRIPS: Final = 3000
ROAMS: Final = 60
"""By how much fewer ways round circles are tried where those with fewest steps aside are known."""
TIGHTER: Final = 1.5
"""How many times as long a way round circles may be as the best before it is tightened."""
GOOD: Final = 2.0
"""How much longer than the bound a schedule is of guests that block each other in circles."""
REROUTES: Final = 40
"""Other ways for a mover that are tried between walks."""
SHORT: Final = 40
"""Rounds between those, at most."""
REROUTED: Final = 10
"""Rounds of a walk after each of them that looks well."""
FAR: Final = 1.15
"""By how much longer a schedule may be just after one mover has got another way."""
NEAR: Final = 0.003
"""By how much worse a schedule may be after another way for a mover, to go on from there."""
MUST: Final = 8
"""Ways round circles that are tried whatever the time."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Trips with their times and rates."""

    trips: Sequence[Trip]
    start: Floats
    end: Floats
    rate: Floats
    seconds: float
    asked: Floats
    """The rates that trips were to have at most: `rate` may be what was left."""

    @property
    def steps_aside(self) -> int:
        """How many trips do not end where their mover wants to be."""
        return len(self.trips) - len({trip.mover for trip in self.trips})


@dataclass(frozen=True, slots=True)
class Arranged:
    """The best schedule found, and what no schedule can undercut."""

    schedule: Schedule | None
    bound: Bound
    rounds: int
    """Work done; a replay reuses it."""
    least: int = 0
    """Steps aside that any order has, of movers; 0 where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much to do. Steps decide, so that the same seed gives the same answer."""

    rounds: int = 400
    roams: int = 60
    """How many ways round circles to try after the last that was better."""
    seed: int = 1
    price_of_a_step_aside: float = 0.5
    """How much longer, as a share, a schedule may be for each step aside that it saves."""
    compiled_from: int = 0
    """Moves from which the kernels run compiled; a first compilation takes half a minute."""
    exact: float = 0.0
    """Work that CP-SAT may take on schedules of up to `EXACT` trips, its deterministic seconds."""
    aside: float = inf
    """Steps aside that may be made for a shorter schedule, as a share of movers: more only where no
    order with fewer was found."""
    fewest: float = 0.0
    """Work that CP-SAT may take on who has to step aside, its deterministic seconds a question."""
    enough: float = ENOUGH
    """How much longer than the bound, as a share, a schedule may be that ends the search."""
    spent: Callable[[], float] = lambda: 0.0
    """Asked between chunks of work: the share of the time that is over; from 1 on, all is."""
    seconds: float = inf
    """The time that `spent` is a share of: the solver is held to it by the clock."""


@dataclass(frozen=True, slots=True)
class Kernels:
    """Those that are called from here; see there."""

    step: Callable[..., float]
    generate: Callable[..., float]
    improve: Callable[..., float]
    roam: Callable[..., tuple[int, int, float]]
    aside: Searching


PLAIN: Final = Kernels(
    passes.step,
    passes.generate,
    passes.improve,
    roaming.roam,
    Searching(settling.settle, settling.outlook, visits=5_000_000, orders=31),
)


def kernels(*, compiled: bool) -> Kernels:
    """Return the kernels, compiled or as written."""
    if not compiled:
        return PLAIN
    from balancer.planner.order.kernels import compiled as fast  # noqa: PLC0415 - takes long

    aside = Searching(fast.settle, fast.outlook, visits=200_000_000, orders=31)
    return Kernels(fast.step, fast.generate, fast.improve, fast.roam, aside)


def arrange(yard: Yard, effort: Effort) -> Arranged:
    """Return a schedule that takes every mover to its target, or none if none was found."""
    return Work(yard, effort).run()


class Work:
    """The state of one call of `arrange`."""

    def __init__(self, yard: Yard, effort: Effort) -> None:
        self.yard, self.effort = yard, effort
        self.n = len(yard.source)
        trips = [Trip(m, int(yard.source[m]), int(yard.target[m])) for m in range(self.n)]
        self.direct = compile_trips(yard, trips)
        self.compiling = self.n >= effort.compiled_from
        self.kernels = kernels(compiled=self.compiling)
        self.dear = effort.price_of_a_step_aside > DEAR
        self.bound = bound(yard, self.direct)
        self.length = lengths(self.direct)
        self.rng = np.random.default_rng(effort.seed)
        self.rounds = 0
        self.shares = SHARED if _odd_rates(self.direct) else WHOLE
        self.best: Schedule | None = None
        self.compiled: Compiled = self.direct
        self.slow: Floats | None = None
        """Rates at which the busiest links carry least, where those are not the highest."""
        self.ways: list[tuple[Compiled, Schedule]] = []
        """The best found on the way, each of other trips or times."""
        self.least = 0
        """Steps aside that any order has, as far as is known."""
        self.allowed = inf
        """Steps aside from which on none is worth what it saves."""
        self.floor = 0.0
        """Seconds that another part takes anyhow: nothing shorter is of use."""

    def run(self) -> Arranged:
        """Find, then improve."""
        if not self.n:
            nothing = np.zeros(0)
            return Arranged(Schedule((), nothing, nothing, nothing, 0.0, nothing), self.bound, 0)
        self.find_direct()
        able = self.yard.temporary or self.yard.cold is not None
        if self.best is None and able and not found_apart(self):
            self.find_detours()
        if self.best is not None:
            self.polish()
        return Arranged(self.best, self.bound, self.rounds, self.least)

    def reached(self) -> bool:
        """True if the best is as good as asked for."""
        return self.best is not None and self.best.seconds <= self.aim

    @property
    def aim(self) -> float:
        """Seconds below which nothing is won."""
        return max(self.bound.seconds * (1 + self.effort.enough), self.floor)

    def cost(self, schedule: Schedule) -> float:
        """Return what a schedule is worth; less is better."""
        price, steps = self.effort.price_of_a_step_aside, schedule.steps_aside
        seconds = max(schedule.seconds, self.floor)
        return seconds * (1 + price * steps) if steps <= self.allowed else NEVER

    def cheapest_more(self) -> float:
        """Return what a good schedule with one step aside more than the best would cost."""
        more = 1 + (self.best.steps_aside if self.best else 0)
        return GOOD * self.bound.seconds * (1 + self.effort.price_of_a_step_aside * more)

    def keep(self, compiled: Compiled, schedule: Schedule) -> bool:
        """Make `schedule` the best if it is; remember it if it is one of the best ways."""
        self.ways = sorted([*self.ways, (compiled, schedule)], key=lambda way: self.cost(way[1]))
        del self.ways[WALKS:]
        if self.best is not None and self.cost(schedule) >= self.cost(self.best):
            return False
        self.best, self.compiled = schedule, compiled
        return True

    def find_direct(self) -> None:
        """Try direct moves, longest first and then in shaken orders."""
        for attempt in range(1 + 20):
            shake = 1.0 if not attempt else self.rng.random(self.n)
            done = self.stepped(self.direct, -self.length * shake)
            if done is not None:
                self.keep(self.direct, done)
                return
            if attempt and self.effort.spent() >= 1:
                return

    def stepped(self, c: Compiled, key: Floats, asked: Floats | None = None) -> Schedule | None:
        """Return the schedule that going by events in the order of `key` gives, if it gets far."""
        n = len(c.trips)
        start, end, rate = np.zeros(n), np.zeros(n), np.zeros(n)
        asked = c.legs.top.copy() if asked is None else asked.copy()
        legs = c.legs._replace(top=asked)
        seconds = self.kernels.step(legs, c.stock, c.flow, key, 1.0, c.pause, start, end, rate)
        self.rounds += 1
        if seconds >= NEVER:
            return None
        return Schedule(c.trips, start, end, rate, seconds, asked)

    def find_detours(self) -> None:
        """Roam with many settings; keep the best of what gets everybody home."""
        movers, ground = movers_of(self.yard), ground_of(self.yard)
        if self.yard.temporary and self.dear:
            self.find_fewest(movers, ground)
        seen: list[tuple[float, Habits]] = []
        if self.best is not None and (  # roaming among many takes minutes
            self.n > EXACT or self.cheapest_more() >= self.cost(self.best)
        ):
            return
        few = self.best is not None
        attempt, since = FIRST if few else 0, 0
        roams = max(MUST, self.effort.roams // ROAMS) if few else self.effort.roams
        while since < roams and (attempt < MUST or self.effort.spent() < SEARCHING):
            habits = self.habits(attempt, seen)
            before = self.best
            cost = self.roamed(movers, ground, habits)
            if cost < NEVER and all(cost != known for known, _ in seen):
                seen = sorted([*seen, (cost, habits)], key=lambda known: known[0])[:KNOWN]
            attempt, since = attempt + 1, since + 1 if few or self.best is before else 0
        if self.best is not None and self.best.steps_aside:
            self.straighten()

    def find_fewest(self, movers: roaming.Movers, ground: roaming.Ground) -> None:
        """Keep the best of the ways with the fewest steps aside."""
        self.least = len(Deadlocks(self.yard).apart())
        for trips in self.with_fewest(movers, ground):
            compiled = compile_trips(self.yard, trips)
            made = self.tightened(compiled, np.arange(float(len(trips))))
            if made is not None:
                self.keep(compiled, made)
        if self.best is not None:
            self.allowed = max(self.effort.aside * self.n, self.best.steps_aside)

    def with_fewest(self, movers: roaming.Movers, ground: roaming.Ground) -> Ways:
        """Return ways with as few steps aside as are found; raise `least`."""
        longest = np.argsort(-self.length, kind="stable")
        others = [self.rng.permutation(self.n) for _ in range(self.kernels.aside.orders)]
        orders, search = [longest, *others], self.kernels.aside
        if self.n > EXACT and (
            trips := few_steps_aside(movers, ground, search, self.rng, self.least)
        ):
            return [trips]
        ways = fewest_steps_aside(movers, ground, orders, search, most=GLANCE)
        if not ways or len(ways[0]) > self.n + self.least:
            ways = fewer(ways, self.asked(ways[0] if ways else ()))
        if not ways or len(ways[0]) > self.n + max(1, self.least):
            ways = fewer(ways, fewest_steps_aside(movers, ground, orders, search))
        return ways

    def asked(self, known: Sequence[Trip]) -> list[tuple[Trip, ...]]:
        """Return a way with fewer steps aside than `known`, if CP-SAT has one; raise `least`."""
        if self.n > EXACT or self.effort.fewest <= 0:
            return []
        from balancer.planner.order.fewest import fewest  # noqa: PLC0415 - slow

        answer = fewest(self.yard, self.effort.fewest, known)
        self.least = max(self.least, answer.least)
        return [answer.trips] if answer.trips else []

    def habits(self, attempt: int, seen: Sequence[tuple[float, Habits]]) -> Habits:
        """Return careful habits first, then such as are near good ones, and others by chance."""
        aside = self.yard.temporary
        if seen and attempt >= PLENTY and self.rng.random() < KEEN:
            chosen = min(self.rng.integers(len(seen), size=3))
            return near_habits(self.rng, seen[chosen][1])
        few = self.dear and self.best is None
        drawn = drawn_settings(self.rng, self.n, aside=aside, few=few)
        knobs = first_settings(attempt, aside=aside) if attempt < FIRST else drawn
        return Habits(knobs, self.rng.random((2, self.n)))

    def roamed(self, movers: roaming.Movers, ground: roaming.Ground, habits: Habits) -> float:
        """Roam once, tighten what comes out; return its cost, or NEVER if somebody is stuck."""
        limit = 4 * self.n + 8
        mover, source, target, kind = (np.zeros(limit, dtype=np.int64) for _ in range(4))
        start = np.zeros(limit)
        number, left, seconds = self.kernels.roam(
            movers,
            ground,
            habits.knobs,
            habits.luck,
            mover,
            source,
            target,
            kind,
            start,
        )
        self.rounds += 1
        if left:
            return NEVER
        price = 1 + self.effort.price_of_a_step_aside * (number - self.n)
        least = max(seconds / TIGHTER, self.bound.seconds) * price
        if self.best is not None and least > self.cost(self.best):
            return float(seconds * price)
        trips = [
            Trip(int(m), int(a), int(b), int(k))
            for m, a, b, k in zip(
                mover[:number], source[:number], target[:number], kind[:number], strict=True
            )
        ]
        compiled = compile_trips(self.yard, trips)
        made = self.tightened(compiled, start[:number].copy())
        if made is None:
            return NEVER
        self.keep(compiled, made)
        return self.cost(made)

    def straighten(self) -> None:
        """Make direct moves of steps aside in the best schedule that nobody needs."""
        for mover in sorted({t.mover for t in self.direct.trips}):
            best = self.best
            legs = [i for i, t in enumerate(best.trips) if t.mover == mover] if best else []
            if best is None or len(legs) < 2:  # noqa: PLR2004 - there and on
                continue
            rest = [i for i in range(len(best.trips)) if i not in legs]
            compiled = compile_trips(
                self.yard, [*(best.trips[i] for i in rest), self.direct.trips[mover]]
            )
            for at in (legs[0], legs[-1]):
                key = np.append(best.start[rest], best.start[at])
                made = self.tightened(compiled, key)
                if made is not None and self.keep(compiled, made):
                    break

    def tightened(self, compiled: Compiled, key: Floats) -> Schedule | None:
        """Return the schedule that placing trips in the order of `key`, back and forth, gives."""
        made = self.placed(compiled, key)
        return None if made is None else self.walk(compiled, made, 6)

    def placed(self, c: Compiled, key: Floats) -> Schedule | None:
        """Return the schedule that placing trips in the order of `key` gives; None if some cannot."""
        n = len(c.trips)
        start, end, rate = np.zeros(n), np.zeros(n), np.zeros(n)
        seconds = self.kernels.generate(
            c.legs, c.stock, c.flow, c.book, key, 1.0, c.pause, start, end, rate
        )
        if seconds >= NEVER:
            return None
        return Schedule(c.trips, start, end, rate, seconds, c.legs.top.copy())

    def walk(self, c: Compiled, made: Schedule, rounds: int) -> Schedule:
        """Return what is found for some rounds on from `made`, never longer."""
        self.rounds += rounds
        start, end = made.start.copy(), made.end.copy()
        rate, asked = made.rate.copy(), made.asked.copy()
        weight = self.weights(c)
        seed = int(self.rng.integers(1 << 30))
        seconds = self.kernels.improve(
            c.legs, c.stock, c.flow, c.book, max(self.bound.seconds, self.floor), weight,
            self.shares, c.pause, KNOBS, rounds, seed, start, end, rate, asked,
        )  # fmt: skip
        return Schedule(c.trips, start, end, rate, seconds, asked)

    def weights(self, c: Compiled) -> Floats:
        """Return [legs]: how busy each leg's busiest channel is, 1 for the busiest of all."""
        work = channel_work(c, lengths(c))
        padded = np.append(work, 0.0)
        most = padded[c.legs.channel].max(axis=1)
        found: Floats = most / max(1e-12, float(most.max(initial=0.0)))
        return found

    def polish(self) -> None:
        """Improve the best until the bound, the rounds or the time end it.

        Several walks set out, from the best and from shaken orders; the longest are given up one
        by one as the budget goes.
        """
        first = self.best
        if first is None or self.reached():
            return
        parts = components(self.compiled)
        if len(parts) > 1:
            polish_apart(self, parts)
            return
        if self.effort.exact > 0 and len(first.trips) <= EXACT and self.solved(first):
            return
        walks = self.setting_out(self.best or first)
        windows = Windows(self, 0.0 if first.steps_aside else self.effort.exact)
        chunk = max(2, min(200, 100_000 // len(first.trips), self.effort.rounds // 20))
        chunk = min(chunk, SHORT) if first.steps_aside else chunk
        while self.over() < 1 and not self.reached():
            walks = self.fewer(self.walked_on(walks, chunk))
            if self.over() > WINDOWS_FROM and windows.look():
                walks[0] = self.compiled, self.best or first
            if walks[0][1].steps_aside:
                walks[0] = self.rerouted(*walks[0])

    def walked_on(
        self, walks: list[tuple[Compiled, Schedule]], rounds: int
    ) -> list[tuple[Compiled, Schedule]]:
        """Return what each of `walks` comes to in some rounds, as far as the budget goes."""
        for i, (c, made) in enumerate(walks):
            walks[i] = c, self.walk(c, made, rounds)
            self.keep(*walks[i])
            if self.over() >= 1 or self.reached():
                break
        return walks

    def setting_out(self, first: Schedule) -> list[tuple[Compiled, Schedule]]:
        """Return where walks begin: where guests step aside, the best ways round circles as well.

        Those are worth a walk before they are compared, and so are those that go slowly.
        """
        ways = self.ways if first.steps_aside else [(self.compiled, first)]
        walks = [*ways, *self.others(self.compiled)][: WALKS + 1]
        return walks if first.steps_aside or self.slow is not None else self.fewer(walks)

    def fewer(self, walks: list[tuple[Compiled, Schedule]]) -> list[tuple[Compiled, Schedule]]:
        """Return the best of `walks`, the fewer the more of the budget is gone."""
        best = sorted(walks, key=lambda way: self.cost(way[1]))
        return best[: max(1, round(WALKS * (1 - 1.7 * self.over())))]

    def rerouted(self, c: Compiled, made: Schedule) -> tuple[Compiled, Schedule]:
        """Return what comes of other ways for some movers, one after the other, hardly longer."""
        for _ in range(REROUTES):
            if self.over() >= 1 or self.reached():
                break
            self.rounds += 1
            drawn = rerouted(self.rng, self.yard, made.trips, made.start)
            if drawn is None:
                continue
            other = compile_trips(self.yard, drawn[0])
            tried = self.placed(other, drawn[1])
            if tried is None or tried.seconds > made.seconds * FAR:
                continue
            tried = self.walk(other, tried, REROUTED)
            if self.cost(tried) <= self.cost(made) * (1 + NEAR * self.rng.random()):
                c, made = other, tried
                self.keep(c, made)
        return c, made

    def solved(self, first: Schedule) -> bool:
        """Improve the best by CP-SAT; True if no better order of its trips is left to look for."""
        from balancer.planner.order.exact import Known, Means, best_starts  # noqa: PLC0415 - slow

        c = self.compiled
        walked = self.walk(c, first, min(FIRST_WALK, self.effort.rounds))
        rate, seconds = walked.rate, walked.seconds
        self.keep(c, walked)
        if self.reached():
            return True
        work = self.effort.exact * max(0.0, 1 - self.effort.spent())
        known = Known(walked.start, rate, seconds, self.bound.seconds)
        answer = best_starts(c, known, Means(work, self.seconds_left()))
        proven = answer.proven and not self.rates_matter(c, rate)
        if answer.start is None:
            return proven
        self.placed_anew(answer.start, walked)
        return proven or self.reached()

    def placed_anew(self, key: Floats, made: Schedule, *, backwards: bool = False) -> bool:
        """Keep what placing the best's trips in the order of `key`, at rates as made, gives.

        Backwards, `key` is of the mirrored schedule.
        """
        c, n = self.compiled, len(key)
        legs = c.legs._replace(top=np.where(c.legs.top > 0, made.rate, c.legs.top))
        start, end, rate = np.zeros(n), np.zeros(n), np.zeros(n)
        if backwards:
            back, mirror = passes.mirrored(legs, c.stock)
            seconds = self.kernels.generate(
                back, mirror, c.flow, c.book, key, 1.0, c.pause, start, end, rate
            )
            key = seconds - end
        seconds = self.kernels.generate(
            legs, c.stock, c.flow, c.book, key, 1.0, c.pause, start, end, rate
        )
        return self.keep(c, Schedule(c.trips, start, end, rate, seconds, legs.top))

    def rates_matter(self, c: Compiled, rate: Floats) -> bool:
        """True if other rates than these, all at their top, might make a schedule shorter."""
        top = c.legs.top
        half = c.legs._replace(top=0.5 * top)
        slower = np.array(
            [duration(half, j, float(half.top[j]), c.pause) for j in range(len(top))]
        )
        worth = (top > 0) & (0.5 * slower < lengths(c) * (1 - ENOUGH))
        return len(self.shares) > 1 or bool(np.any(worth)) or bool(np.any(rate < top))

    def others(self, c: Compiled) -> list[tuple[Compiled, Schedule]]:
        """Return schedules of the same trips to set out from as well; few if those are many."""
        if len(c.trips) > MANY_TRIPS:
            return []
        self.slow = light_paces(c)
        found = [
            self.stepped(c, -self.rng.random(len(c.trips)), self.slow if turn % 2 else None)
            for turn in range(WALKS - 1)
        ]
        return [(c, made) for made in found if made is not None]

    def seconds_left(self) -> float:
        """Return the seconds that are left by the clock; infinite where work alone decides."""
        return self.effort.seconds * max(NOTHING_LEFT, 1 - self.effort.spent())

    def over(self) -> float:
        """Return the share of the budget that is over."""
        return max(self.effort.spent(), self.rounds / self.effort.rounds)


def _odd_rates(direct: Compiled) -> bool:
    """True if some channel is no whole multiple of a top rate that it carries: rest is left."""
    rate = np.append(direct.flow.rate, UNLIMITED)
    for k in range(direct.legs.channel.shape[1]):
        c = direct.legs.channel[:, k]
        on = (c >= 0) & (direct.legs.top > 0)
        times = rate[c[on]] / direct.legs.top[on]
        if np.any(times - np.floor(times + 1e-6) > REST):
            return True
    return False
