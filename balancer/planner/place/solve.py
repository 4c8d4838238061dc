"""Problem to placement: two descents always, then an exact model of the whole or of parts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from typing import Final

import numpy as np

from balancer.planner.formulation import Bools, Formulation, Row
from balancer.planner.model.plan import Score
from balancer.planner.model.request import Effort
from balancer.planner.place.anneal import anneal, taking_part
from balancer.planner.place.answer import Answer, key
from balancer.planner.place.emptying import empty, thin_out
from balancer.planner.place.exact import MOST_BOOLEANS, booleans, exact
from balancer.planner.place.greedy import greedy
from balancer.planner.place.parts import Parts
from balancer.planner.place.ration import rationed
from balancer.planner.place.shed import carry_out, hopeless, sheds
from balancer.planner.place.shelter import refuges, sheltered
from balancer.planner.place.state import State

__all__ = ["Answer", "solve"]

WHOLE: Final = 26_000
"""Open decisions up to which all of them make one last part."""
COMPILED: Final = 600
"""Open decisions up to which nothing waits for a compiler."""
RELAXED: Final = {Effort.QUICK: WHOLE, Effort.NORMAL: 2_000_000, Effort.THOROUGH: 50_000_000}
"""Open decisions up to which a linear program says how far from the best an answer may be."""
TWICE: Final = {
    Effort.INSTANT: 0,
    Effort.QUICK: WHOLE,
    Effort.NORMAL: 2_000_000,
    Effort.THOROUGH: 50_000_000,
}
"""Open decisions up to which two seeds anneal, on two cores where there are, and the better counts."""
OTHER_SEED: Final = 1_000_003
PERFECT = Score(repair=0, overload=0, cost=0)


def solve(
    formulation: Formulation, effort: Effort, seed: int, keep_going: Callable[[], bool]
) -> Answer:
    """Return the best placement found within `effort`: permitted, and never worse than the start.

    `keep_going` is asked between chunks of work; once it says no, the best so far is returned.
    The same formulation, effort and seed give the same answer, as long as it keeps saying yes.
    """
    if refuges(formulation):
        return sheltered(
            formulation,
            effort,
            seed,
            keep_going,
            lambda bare: solve(bare, effort, seed, keep_going),
        )
    if two_sided(formulation) and booleans(formulation) > COMPILED:
        return _evenly(formulation, effort, seed, keep_going)
    found, state, least, hot = _quickly(formulation, effort, keep_going)
    if formulation.site_cost.any() and not found.proven and keep_going():
        state, steps = _thriftily(state, keep_going)
        found = replace(
            found, placement=state.site, score=state.score(), steps=found.steps + steps
        )
    if not booleans(formulation):  # nothing may move: as it is, is best
        return replace(found, bound=found.score.cost, proven=True)
    if effort is Effort.INSTANT or found.proven or not keep_going():
        return found
    if booleans(formulation) > MOST_BOOLEANS[effort]:
        return _by_parts(
            found, Parts(state, effort, seed, floor=least, heat=hot), effort, keep_going
        )
    return _sharper(found, exact(formulation, found.placement, effort, seed, keep_going))


def _thriftily(state: State, keep_going: Callable[[], bool]) -> tuple[State, int]:
    """Return the better of two ways to empty sites, and the guests looked at; `state` is used up.

    One empties site after site; the other begins with what the engine on arrays proposes.
    """
    if booleans(state.formulation) <= COMPILED:
        return state, empty(state, keep_going)
    other = State(state.formulation)
    for guest in np.flatnonzero(state.site != other.site).tolist():
        other.shift(guest, int(state.site[guest]))
    steps = empty(state, keep_going) + thin_out(other, keep_going) + empty(other, keep_going)
    return min(state, other, key=lambda each: key(each.score())), steps


def two_sided(formulation: Formulation) -> bool:
    """True if some row asks for more rather than less: where descents by shifts soon stick."""
    return any(isinstance(p, Row) and bool((p.use < 0).any()) for p in formulation.primitives)


def _evenly(
    formulation: Formulation, effort: Effort, seed: int, keep_going: Callable[[], bool]
) -> Answer:
    """Return what annealing makes of a start where each site has shed the least it must.

    Two seeds anneal at once up to TWICE; which is the better does not depend on which ends first.
    """
    seeds = [seed, seed + OTHER_SEED][: 2 if booleans(formulation) <= TWICE[effort] else 1]
    with ThreadPoolExecutor(len(seeds)) as pool:  # kernels let go of the interpreter's lock
        found = list(pool.map(lambda s: _annealed(formulation, effort, s, keep_going), seeds))
    state = min((one for one, _ in found), key=lambda one: key(one.score()))
    steps = sum(taken for _, taken in found)
    return Answer(
        placement=state.site,
        score=state.score(),
        bound=_least(state, effort, keep_going),
        engine="anneal",
        steps=steps,
        proven=False,
    )


def _least(state: State, effort: Effort, keep_going: Callable[[], bool]) -> int | None:
    """Return a bound of the cost where there is time to find one: None else."""
    size = booleans(state.formulation)
    if effort is Effort.INSTANT or size > RELAXED[effort] or not keep_going():
        return None
    from balancer.planner.place.relaxed import relaxed  # noqa: PLC0415 - OR-Tools takes a second

    return relaxed(state, keep_going)


def _annealed(
    formulation: Formulation, effort: Effort, seed: int, keep_going: Callable[[], bool]
) -> tuple[State, int]:
    """Return what one seed comes to, and the steps.

    Where heat stays, another attempt begins with budgets spent where they relieve most. Guests under rules that
    annealing does not count (apart, numa, talking to others) are shifted by descent: before it, in an attempt of
    their own, while there is something left to spend, and after it.
    """
    state, steps = _shedding(formulation, keep_going)
    bound = ~formulation.held & ~taking_part(state)
    steps += anneal(state, effort, seed, keep_going)
    rest, more = _rationed(state, keep_going)
    steps += more
    if rest is not None:
        steps += anneal(rest, effort, seed, keep_going)
        state = min(state, rest, key=_by_score)
    if bound.any() and keep_going():
        other, more = _shedding(formulation, keep_going)
        steps += more
        steps += _shifted(other, bound, effort, keep_going)
        steps += anneal(other, effort, seed, keep_going)
        state = min(state, other, key=_by_score)
        steps += _shifted(state, bound, effort, keep_going)
    return state, steps


def _shedding(formulation: Formulation, keep_going: Callable[[], bool]) -> tuple[State, int]:
    """Return a start from which what must be shed has left, as far as budgets go; and the steps."""
    state = State(formulation)
    return state, carry_out(state, sheds(state), keep_going)


def _by_score(state: State) -> tuple[int, int, int]:
    return key(state.score())


def _rationed(state: State, keep_going: Callable[[], bool]) -> tuple[State | None, int]:
    """Return a start whose budgets went where they relieve most, and the steps.

    None where there is no budget, or `state` is no hotter than it must be.
    """
    heat = _by_score(state)[:2]
    if not state.budgets or not any(heat) or not keep_going():
        return None, 0
    other = State(state.formulation)
    ration = rationed(other) if heat > (0, hopeless(other).overload) else None
    return (None, 0) if ration is None else (other, carry_out(other, ration.wanted, keep_going))


def _shifted(state: State, some: Bools, effort: Effort, keep_going: Callable[[], bool]) -> int:
    """Improve `state` by descent of some guests alone; return the steps."""
    bare = copy(state.formulation)
    bare.held = state.formulation.held | ~some
    alone = State(bare)
    for guest in np.flatnonzero(state.site != state.home).tolist():
        alone.shift(guest, int(state.site[guest]))
    _, steps = greedy(bare, effort, keep_going, alone)
    for guest in np.flatnonzero(state.site != alone.site).tolist():
        state.shift(guest, int(alone.site[guest]))
    return steps


def _quickly(
    formulation: Formulation, effort: Effort, keep_going: Callable[[], bool]
) -> tuple[Answer, State, int, int]:
    """Return the better of two descents, its state, and bounds of cost and of heat that must stay.

    One starts at the start, the other where each site has shed the least it must. The bound of cost
    is of placements that leave nothing to repair, and no more heat than must stay.
    """
    state, steps = greedy(formulation, effort, keep_going)
    engine, least, hot = "greedy", 0, 0
    if keep_going() and state.score() != PERFECT:
        fresh = State(formulation)
        hot = hopeless(fresh).overload
        wanted = sheds(fresh)
        least = sum(bound for _, bound in wanted.values())
        if least and carry_out(fresh, wanted, keep_going):
            other, more = greedy(formulation, effort, keep_going, fresh)
            steps += more
            if key(other.score()) < key(state.score()):
                state, engine = other, "shed"
        rest, more = _rationed(state, keep_going)
        steps += more
        if rest is not None:
            rest, more = greedy(formulation, effort, keep_going, rest)
            steps += more
            if key(rest.score()) < key(state.score()):
                state, engine = rest, "ration"
    score = state.score()
    clear = not score.repair and score.overload == hot
    return (
        Answer(
            placement=state.site,
            score=score,
            bound=least if clear else None,
            engine=engine,
            steps=steps,
            proven=clear and score.cost == least,
        ),
        state,
        least,
        hot,
    )


def _by_parts(
    found: Answer, parts: Parts, effort: Effort, keep_going: Callable[[], bool]
) -> Answer:
    """Return what becomes of the greedy's answer part by part, at last as one part if that fits."""
    steps = parts.run(keep_going)
    score = parts.state.score()
    clear = not score.repair and score.overload == parts.heat
    proven = clear and score.cost == parts.floor
    if not proven and keep_going() and booleans(parts.state.formulation) <= WHOLE:
        proven = parts.whole(effort, keep_going)
        steps, score = parts.steps, parts.state.score()
        clear = not score.repair and score.overload == parts.heat
    least = parts.floor if clear else None
    if not proven:
        split = _least(parts.state, effort, keep_going)
        least = least if split is None else max(least or 0, split)
    return Answer(
        placement=parts.state.site,
        score=score,
        bound=score.cost if proven else least,
        engine="parts" if key(score) < key(found.score) else found.engine,
        steps=found.steps + steps,
        proven=proven,
    )


def _sharper(found: Answer, proof: Answer) -> Answer:
    """Return the exact answer, credited to the engine before it where that was as good already."""
    better = key(proof.score) < key(found.score)
    return Answer(
        placement=proof.placement,
        score=proof.score,
        bound=proof.bound,
        engine="exact" if better else found.engine,
        steps=found.steps + proof.steps,
        proven=proof.proven,
    )
