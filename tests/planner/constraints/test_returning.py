"""Guests do not go back where load drove them from, unless that pays clearly."""

from dataclasses import replace

import pytest

from balancer.planner.assessment import left
from balancer.planner.constraints.returning import Returning
from balancer.planner.constraints.spread import Spread
from balancer.planner.formulation import formulate
from balancer.planner.model.placement import at_rest
from balancer.planner.model.plan import Migration, Outcome, Prediction, Result
from balancer.planner.model.problem import Problem
from tests.drawing import NOON, placed, problem, select, uuid_of

HOTTER = """
    a 16c/64g : x 8v/8g cpu=8 | y 8v/8g cpu=7
    b 16c/64g : z 8v/8g cpu={cpu}
"""


def driven(text: str, *rules: Spread, **fields: object) -> Problem:
    """Return the problem in which load has driven x from host b."""
    told = replace(problem(text, *rules), left={uuid_of("x"): frozenset({"b", "gone"})})
    return replace(told, **fields)  # type: ignore[arg-type]


def barred(told: Problem) -> bool:
    """Both readings must agree."""
    formulation = formulate(told, [Returning()], [])
    free = formulation.allowed[
        formulation.guest_number[uuid_of("x")], formulation.site_number["b"]
    ]
    found = Returning().violations(told, at_rest(placed(told.cluster, x="b")))
    assert bool(found) != free
    assert Returning().concerns(told) == ((uuid_of("x"),) if found else ())
    return bool(found)


def test_where_it_came_from_is_closed_to_it() -> None:
    """Heat that noise may bring is no reason to go back; the sentence says what holds it."""
    told = driven(HOTTER.format(cpu=5).replace("y 8v/8g cpu=7", "y 8v/8g cpu=6"))
    assert barred(told)
    (found,) = Returning().violations(told, at_rest(placed(told.cluster, x="b")))
    assert found.sentence == (
        "x must not go back to b yet: it left it lately: limit same_host_again_after"
    )
    assert not Returning().violations(told, at_rest(placed(told.cluster, y="b")))
    assert Returning(name="mine").label == "mine"


@pytest.mark.parametrize(("cpu", "free"), [(1, True), (3.1, True), (3.3, False)])
def test_it_may_go_back_where_that_pays_clearly(cpu: float, free: bool) -> None:  # noqa: FBT001
    """Five points over the limit here, and fifteen under it there with the guest."""
    assert barred(driven(HOTTER.format(cpu=cpu))) != free
    full = HOTTER.format(cpu=cpu).replace("z 8v/8g", "z 8v/48g")
    assert barred(driven(full))


def test_orders_and_repairs_come_before() -> None:
    """Who is moved by order, whose host is emptied or relieved, or who breaks a rule is free."""
    text = HOTTER.format(cpu=5)
    assert barred(driven(text))
    assert not barred(driven(text, ordered=frozenset({uuid_of("x")})))
    assert not barred(driven(text, relieve=frozenset({"a"})))
    assert not barred(driven(text.replace("a 16c/64g", "a 16c/64g state=draining")))
    assert not barred(driven(text, Spread(guests=select("x", "y"))))
    assert barred(driven(text, Spread(guests=select("x", "z"))))
    gone = replace(driven(text), left={"gone": frozenset({"b"})})
    assert Returning().concerns(gone) == ()
    home = replace(driven(text), left={uuid_of("x"): frozenset({"a"})})
    assert Returning().concerns(home) == ()


def test_only_what_load_drove_and_only_lately() -> None:
    """Moves for rules and orders are no reason, nor those that failed or are long ago."""
    move = Migration(
        id="m1", guest="g", name="g", source="a", target="b", rate_kib_s=1, downtime_ms=1,
        predicted=Prediction(seconds=1, seconds_p90=1, mib=1, downtime_ms=1), for_load=True,
    )  # fmt: skip
    done = Outcome(action=move, result=Result.DONE, started=NOON, ended=NOON)
    further = replace(done, action=replace(move, source="b", target="c"))
    assert left([done, further], NOON - 1) == {"g": frozenset({"a", "b"})}
    assert left([done], NOON) == {}
    assert left([replace(done, result=Result.FAILED)], 0.0) == {}
    assert left([replace(done, action=replace(move, for_load=False))], 0.0) == {}
