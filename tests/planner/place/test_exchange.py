"""Changes of several guests at once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.drain import Drain
from balancer.planner.constraints.only_on import OnlyOn
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.together import Together
from balancer.planner.formulation import Formulation, formulate
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Effort
from balancer.planner.objectives.stability import Stability
from balancer.planner.place.answer import key
from balancer.planner.place.evaluate import permitted, score
from balancer.planner.place.exchange import attempt, blocks, needy, partners
from balancer.planner.place.greedy import greedy
from balancer.planner.place.state import State
from tests.drawing import problem, select
from tests.planner.place.formulations import formulations


def on() -> bool:
    return True


def reached(question: Problem) -> dict[str, str]:
    """Return where the greedy puts each guest, by name."""
    state, _ = greedy(formulate(question), Effort.QUICK, on)
    hosts, guests = question.cluster.hosts, question.cluster.guests
    return {g.name: hosts[s].name for g, s in zip(guests, state.site.tolist(), strict=True)}


@given(formulations(), st.data())
def test_an_attempt_gains_lawfully_or_leaves_no_trace(
    given_: Formulation, data: st.DataObject
) -> None:
    """What was tried in vain is undone to the last sum."""
    state = State(given_)
    guests, sites = given_.allowed.shape
    pairs = st.tuples(st.integers(0, guests - 1), st.integers(0, sites - 1))
    change = data.draw(st.lists(pairs, max_size=3, unique_by=lambda pair: pair[0]))
    before, total, load = state.site.copy(), state.score(), state.load.copy()
    if attempt(state, change):
        assert permitted(given_, state.site)
        assert key(score(given_, state.site)) < key(total)
    else:
        assert (state.site == before).all()
        assert (state.load == load).all()
        assert state.score() == total


@given(formulations(), st.data())
def test_partners_are_lawful_and_gain_as_far_as_rows_and_own_groups_tell(
    given_: Formulation, data: st.DataObject
) -> None:
    """Without groups or budgets on the other side every partner offered is a real gain."""
    given_.primitives[:] = [p for p in given_.primitives if type(p).__name__ == "Row"]
    given_.site_cost[:] = 0
    state = State(given_)
    guest = data.draw(st.sampled_from(range(len(state.site))))
    if given_.held[guest]:
        return
    for other in partners(state, guest).tolist():
        here, there = int(state.site[guest]), int(state.site[other])
        assert attempt(state, [(guest, there), (other, here)])
        state = State(given_)


@given(formulations())
def test_the_needy_are_free_and_could_gain(given_: Formulation) -> None:
    """Nobody who is held is asked, and those with most to gain come first."""
    state = State(given_)
    asked = needy(state)
    assert not given_.held[asked].any()
    hopes = [tuple(state.potential(np.array([g]))[:, 0].tolist()) for g in asked.tolist()]
    assert hopes == sorted(hopes)
    assert all(hope < (0, 0, 0) for hope in hopes)


def test_full_hosts_swap() -> None:
    """Two hosts without room repair a spread rule by exchanging guests."""
    question = problem(
        """
        a 8c/16g : zk-1 1v/8g | zk-2 1v/8g
        b 8c/16g : web-1 1v/8g | web-2 1v/8g
        """,
        Spread(guests=select("zk-*")),
        Capacity(),
        objectives=[Stability()],
    )
    where = reached(question)
    assert where["zk-1"] != where["zk-2"]
    assert sorted(where.values()) == ["a", "a", "b", "b"]


def test_what_must_be_together_moves_as_one() -> None:
    """A drained host gives up a group that may not be parted."""
    question = problem(
        """
        a 8c/16g state=draining : app-1 1v/4g | app-2 1v/4g
        b 8c/6g  :
        c 8c/16g :
        """,
        Together(guests=select("app-*")),
        Drain(),
        Capacity(),
        objectives=[Stability()],
    )
    assert reached(question) == {"app-1": "c", "app-2": "c"}


def test_what_is_apart_is_brought_together() -> None:
    """Two and two on two hosts: no single shift helps, all of them on one host does."""
    question = problem(
        """
        a 8c/16g : app-1 1v/1g | app-2 1v/1g
        b 8c/16g : app-3 1v/1g | app-4 1v/1g
        """,
        Together(guests=select("app-*")),
        objectives=[Stability()],
    )
    assert len(set(reached(question).values())) == 1


def test_only_hard_groups_move_as_one() -> None:
    """Soft ones are left to single shifts."""
    question = problem("a 1c/1g : x 1v/1g | y 1v/1g", Together(guests=select("*"), hard=False))
    assert blocks(State(formulate(question))) == []


def test_a_guest_that_belongs_elsewhere_swaps_its_way_there() -> None:
    """Leaving where it must not be is a gain, though both hosts are full."""
    question = problem(
        "a 8c/8g : x 1v/8g\nb 8c/8g : y 1v/8g",
        OnlyOn(guests=select("x"), hosts=select("b")),
        Capacity(),
        objectives=[Stability()],
    )
    assert reached(question) == {"x": "b", "y": "a"}


def test_what_a_swap_makes_room_for_follows_it() -> None:
    """After an exchange single shifts are looked for again."""
    question = problem(
        """
        a 8c/16g : zk-1 1v/8g | zk-2 1v/8g
        b 8c/16g : web-1 1v/8g | web-2 1v/6g
        d 8c/16g state=draining : w 1v/2g
        """,
        Spread(guests=select("zk-*")),
        OnlyOn(guests=select("w"), hosts=select("a", "d")),
        Drain(),
        Capacity(),
        objectives=[Stability()],
    )
    where = reached(question)
    assert (where["web-2"], where["w"]) == ("a", "a")
