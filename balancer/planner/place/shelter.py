"""Room kept for lost sites: solve without it, look what would be stranded, keep a hole, solve again.

A hole is a reserve on one site, as a row like any other, so that every engine keeps it. One hole
usually serves the loss of any site. Small problems are solved exactly at last, with a place for
every guest of every loss among the decisions. Whatever is found is held to the law by the
reference evaluation; the start itself is always an answer.
"""

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import replace
from typing import Final

import numpy as np

from balancer.planner.formulation import HARD, Formulation, Ints, Refuge, Row
from balancer.planner.model.request import Effort
from balancer.planner.place.answer import Answer, key
from balancer.planner.place.evaluate import permitted, score, strandeds
from balancer.planner.place.exact import booleans, exact

Solver = Callable[[Formulation], Answer]
ROUNDS: Final = 8
"""How often holes are cut, or made larger."""
EXACT: Final = 60_000
"""Places of refuge to decide on, in all losses, up to which a problem is solved exactly."""


def refuges(formulation: Formulation) -> list[Refuge]:
    """Return the primitives that only this file and the complete model know."""
    return [p for p in formulation.primitives if isinstance(p, Refuge)]


def sheltered(
    formulation: Formulation,
    effort: Effort,
    seed: int,
    keep_going: Callable[[], bool],
    solver: Solver,
) -> Answer:
    """Return the best placement found by `solver` that strands nobody, or nobody more than now."""
    wanted = refuges(formulation)
    whole = all(p.complete for p in wanted)
    found = solver(_with(formulation, ()))
    bound, proven = found.bound, found.proven
    best = _judged(formulation, found, found.placement)
    if key(best.score) == key(found.score) and not _stranded(wanted, best.placement):
        return replace(best, proven=proven and whole)
    if not keep_going() or effort is Effort.INSTANT:
        return replace(best, bound=None, proven=False)
    if _places(formulation, wanted) <= EXACT:
        proof = exact(formulation, best.placement, effort, seed, keep_going)
        return replace(proof, proven=proof.proven and whole, steps=proof.steps + found.steps)
    best = _cut(formulation, best, found, keep_going, solver)
    return replace(best, bound=bound, proven=False)


def _cut(
    formulation: Formulation,
    best: Answer,
    found: Answer,
    keep_going: Callable[[], bool],
    solver: Solver,
) -> Answer:
    """Return the best of answers with ever more room kept where somebody is stranded."""
    holes: dict[tuple[int, int], Ints] = {}
    steps = best.steps
    for _ in range(ROUNDS):
        if not keep_going() or not _dig(formulation, found.placement, holes):
            break
        found = solver(_with(formulation, _reserves(formulation, holes)))
        steps += found.steps
        judged = _judged(formulation, found, best.placement)
        if key(judged.score) < key(best.score):
            best = judged
    return replace(best, steps=steps)


def _with(formulation: Formulation, reserves: Iterable[Row]) -> Formulation:
    """Return the formulation without refuges, and with reserves in their place."""
    bare = copy(formulation)
    rest = [p for p in formulation.primitives if not isinstance(p, Refuge)]
    bare.primitives = [*rest, *reserves]
    return bare


def _judged(formulation: Formulation, found: Answer, otherwise: Ints) -> Answer:
    """Return what was found if it is lawful; else as much of it as is, or `otherwise`."""
    start = formulation.start
    moved = np.flatnonzero(found.placement != start)
    best = otherwise if permitted(formulation, otherwise) else start
    while len(moved):
        part = start.copy()
        part[moved] = found.placement[moved]
        if permitted(formulation, part):
            better = key(score(formulation, part)) < key(score(formulation, best))
            best = part if better else best
            break
        moved = moved[: len(moved) // 2]
    return replace(found, placement=best, score=score(formulation, best))


def _stranded(wanted: Iterable[Refuge], placement: Ints) -> bool:
    return any(left for rule in wanted for left in strandeds(rule, placement))


def _places(formulation: Formulation, wanted: Iterable[Refuge]) -> int:
    """Return how many decisions on refuge a complete model has, its own among them."""
    return booleans(formulation) + sum(len(p.lost) * int(p.may.sum()) for p in wanted)


def _dig(formulation: Formulation, placement: Ints, holes: dict[tuple[int, int], Ints]) -> bool:
    """Make a hole, for each rule the largest that is missing, on the roomiest site; False if none.

    A hole that did not help is joined by another elsewhere.
    """
    missing = False
    for number, rule in enumerate(refuges(formulation)):
        needs = [
            (rule.use[left].sum(axis=0), lost)
            for left, lost in zip(strandeds(rule, placement), rule.lost, strict=True)
            if left
        ]
        if not needs:
            continue
        need, lost = max(needs, key=lambda item: int(item[0].sum()))
        free = rule.room.copy()
        np.subtract.at(free, placement, rule.use)
        share = (free / np.maximum(1, rule.room)).min(axis=1)
        share[lost] = -np.inf
        share[[site for mine, site in holes if mine == number]] = -np.inf
        site = int(share.argmax())
        if np.isfinite(share[site]):
            holes[number, site] = np.minimum(need, rule.room[site])
            missing = True
    return missing


def _reserves(formulation: Formulation, holes: dict[tuple[int, int], Ints]) -> list[Row]:
    rows = []
    for number, rule in enumerate(refuges(formulation)):
        for dimension in range(rule.use.shape[1]):
            use = rule.use[:, dimension].copy()
            limit = np.full(len(rule.room), int(use.sum()), dtype=np.int64)
            for (mine, site), need in holes.items():
                if mine == number:
                    limit[site] = int(rule.room[site, dimension] - need[dimension])
            rows.append(Row(f"{rule.label}: reserve", use, limit, HARD, hard=True))
    return rows
