"""The guest asked about, and the problem in which some of its kind wait."""

from dataclasses import dataclass, replace
from typing import Final

from balancer.planner.capacity.waiting import NOWHERE, arriving
from balancer.planner.constraints.spread import Spread
from balancer.planner.model.cluster import Guest
from balancer.planner.model.placement import Placement
from balancer.planner.model.policy import Constraint
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import Resources
from balancer.planner.model.selector import Selector

MARK: Final = "balancer-capacity"
"""Label of the guests asked about, for rules to speak of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The guest asked about."""

    guest: Guest
    """Its allocation, and what it needs of a host; name and uuid are replaced by a number."""
    use: Resources
    """What it is expected to use: millicores, MiB."""
    spread: str = ""
    """Label over which they are to be spread evenly, `host`, or nothing."""
    hosts_lost: int = 0
    """So many hosts may be lost afterwards, and everybody still finds a place."""


def asked_for(problem: Problem, wanted: Wanted, waiting: int, count: int) -> Problem:
    """Return the problem with so many of them `waiting`; `count` were asked for, 0 for no number."""
    template = wanted.guest
    guests = tuple(
        replace(
            template,
            uuid=uuid_of(number),
            name=f"(new {number})",
            labels={**template.labels, MARK: "new"},
        )
        for number in range(1, waiting + 1)
    )
    rules: tuple[Constraint, ...] = ()
    if wanted.spread:
        most = -(-(count or waiting) // max(1, len(places_of(problem, wanted.spread))))
        everyone = Selector((f"label:{MARK}=new",), may_be_empty=True)
        rules = (
            Spread(guests=everyone, across=wanted.spread, at_most=most, name=spread_of(wanted)),
        )
    return arriving(problem, guests, {g.uuid: wanted.use for g in guests}, rules)


def uuid_of(number: int) -> str:
    """Return the uuid of the new guest of that number, from 1."""
    return f"{MARK}-{number:05}"


def spread_of(wanted: Wanted) -> str:
    """Return what the rule is called that spreads them."""
    return f"--spread {wanted.spread}"


def places_of(problem: Problem, across: str) -> frozenset[str]:
    """Return the domains over which guests can be spread: those of hosts that may take guests."""
    return frozenset(problem.domain(name, across) for name in problem.receiving)


def new(asked: Problem) -> frozenset[str]:
    """Return the uuids of those that wait in `asked`."""
    home: Placement = asked.cluster.placement
    return frozenset(uuid for uuid, host in home.items() if host == NOWHERE)
