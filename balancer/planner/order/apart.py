"""Parts of a schedule that have nothing to do with each other, each searched by itself.

The whole is as long as its longest part: what another part takes anyhow is the floor below which
nothing is won, and whoever is home by then is left as he is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, Final

import numpy as np

from balancer.planner.order.components import components, part_of, taken_by
from balancer.planner.order.yard import Ints, Trip, compile_trips

if TYPE_CHECKING:
    from balancer.planner.order.arrange import Effort, Schedule, Work

NOTHING: Final = 1e-9
"""A share of the time that is none."""


def found_apart(work: "Work") -> bool:
    """Find ways round circles for those movers alone that no order of direct moves takes home.

    False if those are all there are, or if steps aside are dear: who leaves first may then spare
    others a step aside. What others take is nobody else's meanwhile, so that the ways found are
    good beside them.
    """
    if work.dear:
        return False
    trips = work.direct.trips
    able: list[Schedule] = []
    stuck: list[int] = []
    for part in components(work.direct):
        compiled = compile_trips(work.yard, [trips[i] for i in part])
        made = work.stepped(compiled, -work.length[np.array(part)])
        if made is None:
            stuck += part
        else:
            able.append(made)
    if not able:
        return False
    others = taken_by(work.yard, (trip for one in able for trip in one.trips))
    share = len(stuck) / len(trips)
    work.floor = max(one.seconds for one in able)
    alone = _part(work, sorted(stuck), others, share, work.effort)
    work.floor = 0.0
    alone.run()
    if alone.best is None:
        return False
    _glue(work, [*able, _named(alone.best, sorted(stuck))])
    return True


def polish_apart(work: "Work", parts: Sequence[Sequence[int]]) -> None:
    """Improve each of `parts` of the best by itself, the longest first, as far as that is of use.

    Each has as many rounds, and of the time what its size is of all that are still to come. What
    is left goes to the longest again.
    """
    best = work.best
    assert best is not None  # noqa: S101 - what has parts has been found
    taken = taken_by(work.yard, best.trips)
    now = {part[0]: picked(best, part) for part in parts}
    turn, ended = 0, False
    while not ended and work.over() < 1 and _over(work, now):
        ended = _pass(work, now, taken, turn)
        turn += 1
    work.floor = 0.0
    _glue(work, list(now.values()))


def _over(work: "Work", now: Mapping[int, "Schedule"]) -> bool:
    work.floor = work.bound.seconds
    return any(made.seconds > work.aim for made in now.values())


def _pass(work: "Work", now: dict[int, "Schedule"], taken: Ints, turn: int) -> bool:
    """Take up every part once that is longer than those before it; True if that was in vain.

    It is where the longest part cannot be shortened any more.
    """
    left = max(1, work.effort.rounds - work.rounds)
    effort = replace(work.effort, rounds=left, seed=work.effort.seed + turn)
    todo = set(now)
    ended = False
    while work.over() < 1:
        long = [k for k in todo if now[k].seconds > work.aim]
        if not long:
            break
        k = min(long, key=lambda k: (-now[k].seconds, k))
        share = len(now[k].trips) / sum(len(now[other].trips) for other in long)
        movers = sorted({trip.mover for trip in now[k].trips})
        others = taken - taken_by(work.yard, now[k].trips)
        part = _part(work, movers, others, share, effort)
        mine = replace(now[k], trips=_renamed(now[k].trips, {m: i for i, m in enumerate(movers)}))
        part.keep(compile_trips(part.yard, mine.trips), mine)
        part.polish()
        now[k] = _named(part.best or mine, movers)
        work.rounds += ceil(part.rounds * len(now[k].trips) / len(work.compiled.trips))
        todo.remove(k)
        ended |= now[k].seconds > work.aim and part.over() < 1
        work.floor = max(work.floor, now[k].seconds)
    return ended


def _part(
    work: "Work", movers: Sequence[int], others: Ints, share: float, effort: "Effort"
) -> "Work":
    """Return the search for `movers` beside `others` [rows], with a share of what time is left."""
    spent, used = effort.spent, effort.spent()
    left = max(NOTHING, (1 - used) * share)
    part = type(work)(
        part_of(work.yard, movers, others),
        replace(
            effort,
            compiled_from=0 if work.compiling else len(movers) + 1,
            exact=effort.exact * share,
            seconds=effort.seconds * left,
            spent=lambda: (spent() - used) / left,
        ),
    )
    part.floor = work.floor
    part.bound = replace(part.bound, seconds=min(part.bound.seconds, work.bound.seconds))
    return part


def _glue(work: "Work", parts: Sequence["Schedule"]) -> None:
    """Keep the schedule of all `parts`, each placed as it is beside the others.

    Room holds whatever the others do; only steps aside may meet others on a link, and then wait.
    In the order of its own starts no schedule gets stuck.
    """
    c = compile_trips(work.yard, [trip for part in parts for trip in part.trips])
    start, end, rate, asked = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("start", "end", "rate", "asked")
    )
    paced = c.legs._replace(top=np.where(c.legs.top > 0, rate, c.legs.top))
    seconds = work.kernels.generate(
        paced, c.stock, c.flow, c.book, start.copy(), 1.0, c.pause, start, end, rate
    )
    made = replace(parts[0], trips=c.trips, start=start, end=end, rate=rate, asked=asked)
    work.keep(c, replace(made, seconds=seconds))


def _named(made: "Schedule", movers: Sequence[int]) -> "Schedule":
    """Return a part's schedule with movers by their numbers in the whole."""
    return replace(made, trips=_renamed(made.trips, movers))


def _renamed(trips: Sequence[Trip], number: Mapping[int, int] | Sequence[int]) -> list[Trip]:
    return [trip._replace(mover=number[trip.mover]) for trip in trips]


def picked(whole: "Schedule", some: Sequence[int]) -> "Schedule":
    """Return the trips `some` of a schedule alone."""
    at = np.array(some, dtype=np.int64)
    return replace(
        whole,
        trips=[whole.trips[i] for i in some],
        start=whole.start[at],
        end=whole.end[at],
        rate=whole.rate[at],
        asked=whole.asked[at],
        seconds=float(whole.end[at].max(initial=0.0)),
    )
