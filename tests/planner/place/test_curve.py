"""What each move brings of the whole, and that a plan may be cut after any."""

from hypothesis import HealthCheck, given, settings

from balancer.config import default_policy
from balancer.planner.constraints.spread import Spread
from balancer.planner.formulation import formulate
from balancer.planner.model.plan import Plan
from balancer.planner.objectives.overload import Overload
from balancer.planner.pipeline import assess, plan
from balancer.planner.place.curve import curve
from balancer.planner.verify import judge
from tests.drawing import observation, problem, select, texts, uuid_of

CROWDED = """
a 16c/64g : g1 6v/8g cpu=5 | g2 6v/8g cpu=5 | g3 6v/8g cpu=5
b 16c/64g : h1 6v/8g cpu=5 | h2 6v/8g cpu=5 | h3 6v/8g cpu=5
c 16c/64g :
d 16c/64g :
"""


def test_moves_that_bring_nothing_yet_are_nought_and_the_last_is_the_whole() -> None:
    """In the middle is what was gained by then."""
    made = plan(observation(CROWDED), default_policy())
    assert isinstance(made, Plan)
    assert len(made.gained) == len(made.actions) > 1
    assert made.gained[-1] == 1000
    assert all(0 <= share <= 1000 for share in made.gained)


def test_what_lags_behind_counts() -> None:
    """A plan that mends a rule by its first move and cools a host by its second has by the first
    brought nothing of the whole yet."""
    apart = Spread(guests=select("p*"))
    text = "a 16c/64g : p1 1v/1g | p2 1v/1g\nb 16c/64g : hot 8v/8g cpu=7.5 | busy 8v/8g cpu=7\nc 16c/64g :"
    given_ = formulate(problem(text, apart), [apart], [Overload()])
    sites, guests = given_.site_number, given_.guest_number
    moves = [(guests[uuid_of("p1")], sites["c"]), (guests[uuid_of("hot")], sites["a"])]
    assert curve(given_, moves) == (0, 1000)
    assert curve(given_, moves[:1]) == (1000,)


def test_where_nothing_is_gained_there_is_no_curve() -> None:
    """Neither by no moves nor by one in vain."""
    given_ = formulate(problem("a 16c/64g : g1 2v/8g\nb 16c/64g :"))
    given_.move_cost[:] = 5
    assert curve(given_, []) == ()
    assert curve(given_, [(0, 1)]) == ()
    assert curve(given_, [(0, 1), (0, 0)]) == ()


@given(texts(max_hosts=4, max_guests=8, min_guests=3))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_plan_may_be_cut_after_any_move(text: str) -> None:
    """What is left of it, in order of start, is a plan that the judge accepts."""
    seen = observation(text)
    made = plan(seen, default_policy())
    if isinstance(made, Plan):
        ordered = sorted(made.actions, key=lambda action: action.start)
        question = assess(seen, default_policy())
        for count in range(len(ordered)):
            assert judge(question, tuple(ordered[:count])).valid
