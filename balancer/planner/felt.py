"""How long guests were seen to wait: what promises are measured by, in guest-seconds a second."""

from collections.abc import Iterable, Mapping
from math import inf
from statistics import NormalDist
from typing import Final

from balancer.planner.model.observation import History
from balancer.planner.model.problem import Problem
from balancer.planner.model.waiting import SWAP_KIB_S
from balancer.planner.worth import Currency

DELAY: Final = "vCPU delay"
PRESSURE: Final = "pressure"
LOAD: Final = "load"
MEANINGS: Final = (DELAY, PRESSURE, LOAD)
"""What waiting may be measured by, the best first."""
PER_MILLE: Final = 1000
MOST: Final = 0.999
"""Share of the time under pressure from which on more cannot be told apart."""


def felt(problem: Problem, history: History, hosts: Iterable[str]) -> Mapping[str, float]:
    """Return how many vCPUs wait on these hosts, by each meaning that is known of all of them.

    `history` is what was measured just now and is believed. `load` is always known: it is the
    model's own answer to the load as measured.
    """
    names = sorted(set(hosts) & problem.cluster.host.keys())
    found = {
        DELAY: _delayed(problem, history, names),
        PRESSURE: _pressed(problem, history, names),
        LOAD: sum(_currency(problem).waits(problem.cluster.placement, names)),
    }
    return {meaning: round(amount, 4) for meaning, amount in found.items() if amount is not None}


def since(problem: Problem, history: History, hosts: Iterable[str]) -> float:
    """Return from when on what was measured tells of all guests on these hosts.

    Minus infinity where nothing believed is known of one of them.
    """
    begun = [
        sample[-1].at - sample[-1].window if (sample := history.guests.get(guest.uuid)) else -inf
        for host in hosts
        for guest in problem.cluster.guests_on.get(host, ())
    ]
    return min(begun, default=-inf)


def _delayed(problem: Problem, history: History, names: Iterable[str]) -> float | None:
    """Return the delay of all guests of the hosts, and what swapping costs them."""
    total = 0.0
    for host in names:
        for guest in problem.cluster.guests_on[host]:
            values = history.guests[guest.uuid][-1].values if guest.uuid in history.guests else {}
            if "cpu.delay" not in values:
                return None
            total += values["cpu.delay"] / PER_MILLE + values.get("swap", 0) / SWAP_KIB_S
    return total


def _pressed(problem: Problem, history: History, names: Iterable[str]) -> float | None:
    """Return how many wait if the share of time that some did is the chance that too many run."""
    currency, placement = _currency(problem), problem.cluster.placement
    total = 0.0
    normal = NormalDist()
    for host in names:
        values = history.hosts[host][-1].values if history.hosts.get(host) else {}
        if "cpu.pressure" not in values:
            return None
        running, spread = currency.spread(placement, host)
        share = min(MOST, values["cpu.pressure"] / PER_MILLE)
        if share > 0:
            z = normal.inv_cdf(share)
            total += spread * (normal.pdf(z) + z * share)
        total += running * values.get("memory.pressure", 0) / PER_MILLE
    return total


def _currency(problem: Problem) -> Currency:
    return problem.once("currency", lambda: Currency(problem))
