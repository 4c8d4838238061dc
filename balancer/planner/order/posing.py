"""A problem's moves as a yard: rules as rows, links and limits as channels.

Capacity and spread rules, whatever their number, become rows. Rules that rows cannot say are not
read here: whoever uses the schedule asks the guard about each of its steps.
"""

from collections.abc import Sequence

import numpy as np

from balancer.planner.constraints import all_rules
from balancer.planner.formulation import AtMostPerDomain, Formulation, Row, formulate
from balancer.planner.model.cold import DOWN
from balancer.planner.model.duration import load
from balancer.planner.model.law import link_share
from balancer.planner.model.policy import throughout
from balancer.planner.model.problem import Problem
from balancer.planner.order.cost import KIB
from balancer.planner.order.moves import Move, Travel
from balancer.planner.order.rungs import pauses
from balancer.planner.order.yard import UNLIMITED, Bools, Ints, Yard


def pose(travel: Travel, moves: Sequence[Move]) -> Yard:
    """Return the yard in which `moves`, none of a guest in flight, have to be made."""
    problem = travel.problem
    rules = [rule for rule in all_rules(problem) if rule.hard and throughout(rule)]
    formulation = formulate(problem, rules, ())
    who = formulation.numbers([move.guest for move in moves])
    names = [host.name for host in problem.cluster.hosts]
    rows = [p for p in formulation.primitives if isinstance(p, Row) and p.hard and p.transient]
    rate, number, leaving, entering = _channels(problem, names)
    groups, domain, places = _groups(formulation, who)
    loads = [load(problem, move.guest) for move in moves]
    dirty = [travel.pressing(move) for move in moves]
    cold = np.array(
        [bool(travel.cold(m.guest, m.source, m.target)) for m in moves], dtype=np.bool_
    )
    return Yard(
        source=formulation.start[who],
        target=formulation.sites([]) if not moves else _sites(formulation, moves),
        need=_columns([row.use[who] for row in rows], len(moves)),
        room=_columns([row.limit - formulation.load(row.use) for row in rows], len(names)),
        volume=np.where(
            cold, 0.0, np.array([s.volume_mib + s.longest_mib for s in loads], dtype=np.float64)
        ),
        dirty=np.array(dirty, dtype=np.float64),
        hot=np.array([sent.hot_mib for sent in loads], dtype=np.float64),
        setup=np.where(cold, DOWN, problem.calibration.setup.value),
        top=np.full(len(moves), UNLIMITED),
        rate=rate,
        number=number,
        leaving=leaving,
        entering=entering,
        leaving_zone=np.full((len(names), 1), -1, dtype=np.int64),
        entering_zone=np.full((len(names), 1), -1, dtype=np.int64),
        zone=np.zeros(len(names), dtype=np.int64),
        groups=groups,
        domain=domain,
        places=places,
        allowed=_allowed(formulation, who),
        temporary=problem.policy.allow.temporary_moves,
        ratio=_ratios(travel, moves, names),
        pause=pauses(problem.policy.limits.pause_at_most)[0] / 1000,
    )


def _sites(formulation: Formulation, moves: Sequence[Move]) -> Ints:
    return np.array([formulation.site_number[move.target] for move in moves], dtype=np.int64)


def _columns(columns: Sequence[Ints], height: int) -> Ints:
    return np.array(columns, dtype=np.int64).reshape(len(columns), height).T.copy()


def _channels(problem: Problem, names: Sequence[str]) -> tuple[np.ndarray, Ints, Ints, Ints]:
    """Return rates in MiB/s and numbers; and of each host the channels out of it and into it.

    Channel 0 is everything; each host has one for both ways together, which limits numbers, and
    one for each way, which limits rates.
    """
    limits = problem.policy.limits
    many = 1 << 40
    rate, number = [UNLIMITED], [limits.at_once_total]
    leaving, entering = [], []
    for name in names:
        at = len(rate)
        share = link_share(problem, name) / KIB
        rate += [UNLIMITED, share, share]
        number += [limits.at_once_per_host, many, many]
        leaving.append([0, at, at + 1])
        entering.append([at, at + 2])
    return (
        np.array(rate, dtype=np.float64),
        np.array(number, dtype=np.int64),
        np.array(leaving, dtype=np.int64),
        np.array(entering, dtype=np.int64),
    )


def _groups(formulation: Formulation, who: Ints) -> tuple[list[list[int]], list[Ints], list[Ints]]:
    """Return each mover's groups, their domains by site, and the places free in each domain."""
    number = {guest: i for i, guest in enumerate(who.tolist())}
    groups: list[list[int]] = [[] for _ in number]
    domain: list[Ints] = []
    places: list[Ints] = []
    for primitive in formulation.primitives:
        if not (isinstance(primitive, AtMostPerDomain) and primitive.hard):
            continue
        mine = [number[guest] for guest in primitive.members.tolist() if guest in number]
        if not mine:
            continue
        held = primitive.domain[formulation.start[primitive.members]]
        size = int(primitive.domain.max()) + 1
        for i in mine:
            groups[i].append(len(domain))
        domain.append(primitive.domain)
        places.append(primitive.most - np.bincount(held, minlength=size).astype(np.int64))
    return groups, domain, places


def _allowed(formulation: Formulation, who: Ints) -> Bools:
    """Return [movers, sites]: where a mover may stop; never on a host that receives nobody."""
    receiving = formulation.sites(formulation.problem.receiving)
    shut = np.ones(formulation.allowed.shape[1], dtype=np.bool_)
    shut[receiving] = False
    allowed: Bools = formulation.allowed[who].copy()
    allowed[:, shut] = False
    return allowed


def _ratios(travel: Travel, moves: Sequence[Move], names: Sequence[str]) -> np.ndarray | None:
    calibration = travel.problem.calibration
    if not calibration.by_pair and not calibration.by_link:
        return np.full((len(names), len(names)), calibration.everywhere.value)
    del moves
    return np.array(
        [
            [calibration.ratio(a, b, min(travel.link(a), travel.link(b))) for b in names]
            for a in names
        ]
    )
