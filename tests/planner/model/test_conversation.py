"""What guests that talk to each other wait because their answers come from afar."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.formulation import Formulation, formulate
from balancer.planner.model.conversation import Talk
from balancer.planner.model.placement import Placement
from balancer.planner.model.policy import Distance
from balancer.planner.model.problem import Problem
from balancer.planner.objectives.traffic import POINTS_PER_SECOND, Traffic
from balancer.planner.place.evaluate import score
from tests.drawing import placed, placements, problem, problems, select, selectors, uuid_of
from tests.planner.constraints.test_every_rule import numbered

RACKS = """
    a 16c/64g rack=r1 room=m1 : s-1 1v/1g | d-1 1v/1g
    b 16c/64g rack=r1 room=m1 : d-2 1v/1g
    c 16c/64g rack=r2 room=m1 : s-2 1v/1g
    d 16c/64g rack=r3 room=m2 :
"""
SPARK = Traffic(guests=select("s-*"), others=select("d-*"), rate=64_000, request=64)
"""A thousand requests a second over four pairs."""


def talking(*goals: Traffic, aggressiveness: int = 2) -> Problem:
    return problem(RACKS, objectives=goals, aggressiveness=aggressiveness)


def waits(told: Problem, placement: Placement) -> float:
    talk = Talk(told.conversations, told.domain)
    return talk.waits(talk.counts(placement))


def test_waiting_is_requests_times_the_way() -> None:
    """Of four pairs one is on a host, one in a rack, two in a room: 0 + 50 + 2 x 150 us, a quarter each."""
    told = talking(SPARK)
    assert waits(told, told.cluster.placement) == pytest.approx(1000 * 350e-6 / 4)
    far = placed(told.cluster, **{"s-2": "d"})
    assert waits(told, far) == pytest.approx(1000 * (50 + 2 * 500) * 1e-6 / 4)


def test_those_who_talk_among_themselves_are_pairs_of_two() -> None:
    """Nobody talks to itself: two guests on one host wait for nothing, on two for the way."""
    told = talking(Traffic(guests=select("d-*"), rate=64_000))
    assert waits(told, told.cluster.placement) == pytest.approx(1000 * 50e-6)
    assert waits(told, placed(told.cluster, **{"d-2": "a"})) == pytest.approx(0)


def test_distance_grows() -> None:
    """Where what is further took less, guests would be driven apart."""
    with pytest.raises(ValueError, match="further away must not take less"):
        Distance(same_rack=200)
    assert Distance(same_rack=1, same_room=3, beyond=7).steps() == (
        ("host", 1),
        ("rack", 2),
        ("room", 4),
    )


def test_without_a_label_nothing_tells_racks_apart() -> None:
    """Hosts of which no rack is known are as near as those of one rack."""
    told = problem("a 8c/8g : s-1 1v/1g\nb 8c/8g : d-1 1v/1g", objectives=(SPARK,))
    assert waits(told, told.cluster.placement) == pytest.approx(1000 * 50e-6)


def test_a_policy_of_repairs_moves_nobody_nearer() -> None:
    """Aggressiveness 1 looks at broken rules and orders only."""
    told = talking(SPARK, aggressiveness=1)
    assert told.conversations == ()
    assert formulate(told).primitives == []


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Problem, Placement]:
    """Draw a cluster in which some talk to some, perhaps to themselves, and any placement."""
    told = draw(problems())
    goals = draw(
        st.lists(
            st.builds(
                Traffic,
                guests=selectors(),
                others=st.none() | selectors(),
                rate=st.integers(1, 2_000_000),
            ),
            min_size=1,
            max_size=2,
            unique_by=lambda goal: goal.label,
        )
    )
    told = replace(told, policy=replace(told.policy, aggressiveness=2, objectives=tuple(goals)))
    return told, draw(placements(told.cluster))


@given(conversations(), st.data())
def test_what_one_move_gains_is_the_difference_of_all(
    case: tuple[Problem, Placement], data: st.DataObject
) -> None:
    """Reckoned from the guest's own pairs, or from everybody's with it on either host."""
    told, placement = case
    uuid = data.draw(st.sampled_from(sorted(placement)))
    source = data.draw(st.sampled_from([host.name for host in told.cluster.hosts]))
    talk = Talk(told.conversations, told.domain)
    then = talk.counts(placement)
    gained = talk.nearer(then, uuid, source, placement[uuid])
    assert gained == pytest.approx(
        waits(told, {**placement, uuid: source}) - waits(told, placement), abs=1e-9
    )
    whom = talk.whom(then, uuid, source, placement[uuid])
    assert bool(whom) or gained <= 1e-12


@given(conversations())
def test_points_are_the_currency_but_for_rounding(case: tuple[Problem, Placement]) -> None:
    """What engines search by is what is waited over the horizon, rounded up once for each distance."""
    told, placement = case
    formulation: Formulation = formulate(told, [])
    cost = score(formulation, numbered(formulation, placement)).cost
    exact = POINTS_PER_SECOND * told.policy.forecast.horizon * waits(told, placement)
    assert abs(cost - exact) <= 2 * len(formulation.primitives) + 1e-6


def test_whom_names_the_conversation_that_gains_most() -> None:
    """A guest in two conversations is brought to the louder one."""
    loud = replace(SPARK, rate=640_000, name="loud")
    back = Traffic(guests=select("s-2"), others=select("d-2"), rate=64, name="soft")
    told = talking(loud, back)
    reached = placed(told.cluster, **{"s-2": "a"})
    talk = Talk(told.conversations, told.domain)
    assert talk.whom(talk.counts(reached), uuid_of("s-2"), "c", "a") == "loud"
    assert talk.whom(talk.counts(reached), uuid_of("s-2"), "a", "a") == ""
