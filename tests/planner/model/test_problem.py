"""One question, complete, and what it implies."""

from hypothesis import given

from balancer.planner.constraints.drain import Drain
from balancer.planner.model.ledger import Ledger
from balancer.planner.model.placement import at_rest
from balancer.planner.model.problem import Problem
from tests.drawing import problem, problems, select, uuid_of

TEXT = """
    a 8c/8g rack=r1 : x 1v/1g cpu=1
    b 8c/8g state=draining : y 1v/1g moving=a
    c 8c/8g state=down :
    """


def test_hosts_to_be_emptied_are_draining_or_named_by_a_rule() -> None:
    """Both alike, and none of them receives."""
    assert problem(TEXT).emptied == {"b"}
    assert problem(TEXT).receiving == ("a",)
    question = problem(TEXT, Drain(hosts=select("a")))
    assert question.emptied == {"a", "b"}
    assert question.receiving == ()


def test_a_guest_s_domain_is_its_host_s() -> None:
    """The host itself, its label, or the one of all that lack it."""
    question = problem(TEXT)
    assert question.domain("a", "host") == "a"
    assert question.domain("a", "rack") == "r1"
    assert question.domain("b", "rack") == question.domain("c", "rack")


def test_who_moved_is_seen_and_who_is_in_flight_is_not() -> None:
    """Both ends of a flight that others began are home."""
    question = problem(TEXT)
    away = {uuid_of("x"): ("a", "c"), uuid_of("y"): ("b", "a")}
    assert list(question.moved(away)) == [(uuid_of("x"), "c")]
    assert list(question.moved(away, ["a"])) == []


def test_loads_are_mean_demand_by_host() -> None:
    """Hosts without guests have none."""
    loads = problem(TEXT).loads
    assert loads["a"] == {"cpu": 1000, "memory": 1024}
    assert loads["c"] == {}


def test_what_a_guest_needs_is_allocated_and_used() -> None:
    """Memory as allocated, CPU as the demand's peak."""
    question = problem("a 8c/8g : x 2v/4g used=1 cpu=1 peak=2")
    assert question.needs[uuid_of("x")] == {"vcpus": 2, "memory": 4096, "cpu": 2000}


def test_what_is_derived_once_is_kept() -> None:
    """The second asking makes nothing."""
    question = problem(TEXT)
    assert question.once("key", lambda: 1) == 1
    assert question.once("key", lambda: 2) == 1


@given(problems())
def test_holders_are_found_alike_with_and_without_an_index(question: Problem) -> None:
    """A ledger answers at once what reading everything would."""
    plain = at_rest(question.cluster.placement)
    assert question.holders(Ledger(plain)) == question.holders(plain)
    assert sum(map(len, question.holders(plain).values())) == len(question.everyone)
