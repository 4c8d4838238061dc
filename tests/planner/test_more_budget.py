"""What may be moved besides never makes a plan worse, though the way to what is best is not safe."""

from dataclasses import replace
from random import Random

import pytest

from balancer.config import default_policy
from balancer.planner.model.plan import Plan, Score
from balancer.planner.model.policy import Limits, Policy
from balancer.planner.model.request import Effort, Request
from balancer.planner.objectives.even import Even
from balancer.planner.objectives.overload import Overload
from balancer.planner.objectives.stability import Stability
from balancer.planner.pipeline import plan
from tests.drawing import observation

PLENTY = 1000
TOLERATED = 20
"""One part in so many of the lesser budget's gain."""


def drawn(seed: int) -> str:
    """Return ten hosts, nearly full, so that much goes back and forth before it is even."""
    chance, lines = Random(seed), []
    for host in range(10):
        free, guests = 60, []
        while (size := chance.choice([2, 4, 8, 24])) <= free:
            free -= size
            cpu = round(chance.uniform(0.1, 0.6) * 4, 1)
            guests.append(f"g-{host}-{len(guests)} 4v/{size}g cpu={cpu} used={size}")
        lines.append(f"h{host} 16c/64g : " + " | ".join(guests))
    return "\n".join(lines)


def balancing(gib: int) -> Policy:
    """Return the policy: as even as `gib` allow, and hosts no hotter on the way."""
    return replace(
        default_policy(),
        objectives=(Overload(margin=0.0), Even(cpu=1, memory=1), Stability(points_per_gib=1)),
        limits=Limits(
            moves_per_hour=PLENTY,
            data_per_hour=gib * 1024,
            minimum_gain=0.0,
            hotter_on_the_way=0.0,
            migration_link_share=1.0,
        ),
    )


def reached(seed: int, gib: int) -> tuple[Score, Score]:
    """Return how bad the cluster is before and after the plan."""
    made = plan(observation(drawn(seed)), balancing(gib), Request(effort=Effort.INSTANT))
    assert isinstance(made, Plan)
    return made.score_before, made.score_after


@pytest.mark.parametrize(("seed", "gib"), [(0, 60), (3, 60), (9, 120)])
def test_twice_the_budget_is_not_worse(seed: int, gib: int) -> None:
    """Heat and overload never, evenness by no more than a small part of what was gained."""
    before, less = reached(seed, gib)
    _, more = reached(seed, 2 * gib)
    assert (more.repair, more.overload) <= (less.repair, less.overload)
    if (more.repair, more.overload) == (less.repair, less.overload):
        assert TOLERATED * (more.cost - less.cost) <= before.cost - less.cost
