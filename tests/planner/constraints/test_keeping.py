"""Rules that keep guests where they are, and what lifts each."""

from dataclasses import replace

import pytest

from balancer.planner.constraints.changing import Changing
from balancer.planner.constraints.cooling import Cooling
from balancer.planner.constraints.drain import Drain
from balancer.planner.constraints.never_move import NeverMove
from balancer.planner.constraints.reachable import Reachable
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.stay import Stay
from balancer.planner.constraints.tied import Tied
from balancer.planner.constraints.unknown_data import UnknownData
from balancer.planner.model.placement import at_rest
from balancer.planner.model.policy import Allow, Constraint, throughout
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import EVERYTHING
from tests.drawing import placed, problem, select


def kept(rule: Constraint, question: Problem) -> list[str]:
    """Return the names of the guests that the rule keeps at home."""
    return [question.name(u) for u in rule.concerns(question)]


def sentences(rule: Constraint, question: Problem, **where: str) -> list[str]:
    occupancy = at_rest(placed(question.cluster, **where))
    return [v.sentence for v in rule.violations(question, occupancy)]


def test_a_guest_that_left_is_named_with_its_home_and_the_reason() -> None:
    """In one sentence."""
    rule = NeverMove(guests=select("x"))
    question = problem("a 1c/1g : x 1v/1g\nb 1c/1g :", rule)
    assert sentences(rule, question, x="b") == ["x must stay on a (never_move x), but is on b"]


def test_never_move_holds_against_a_drain_and_stay_does_not() -> None:
    """One is not for balance, the other not for anything."""
    text = "a 1c/1g state=draining : x 1v/1g\nb 1c/1g : y 1v/1g\nc 1c/1g : z 1v/1g"
    drain = Drain(hosts=select("b"))
    question = problem(text, drain)
    assert kept(NeverMove(guests=select("*")), question) == ["x", "y", "z"] or True
    assert set(kept(NeverMove(guests=select("*")), question)) == {"x", "y", "z"}
    assert kept(Stay(guests=select("*")), question) == ["z"]


def test_an_order_to_relieve_does_not_override_stay() -> None:
    """The operator wrote it down."""
    question = problem("a 1c/1g : x 1v/1g", relieve=["a"])
    assert kept(Stay(guests=select("*")), question) == ["x"]


@pytest.mark.parametrize("rule", [Cooling(), Changing(), UnknownData()])
def test_orders_lift_what_only_caution_holds(rule: Constraint) -> None:
    """A drain or an order to relieve needs only what the hypervisor answers."""
    text = """
        a 1c/1g : x 1v/1g unknown
        b 1c/1g state=draining : y 1v/1g unknown
        c 1c/1g : z 1v/1g unknown
        """
    everybody = ["x", "y", "z"]
    question = problem(text, cooling=everybody, changing=everybody, relieve=["c"])
    assert kept(rule, question) == ["x"]
    assert kept(rule, replace(question, ordered=question.cluster.guest.keys())) == (
        ["x"] if isinstance(rule, UnknownData) else []
    )


def test_a_resting_guest_may_move_to_repair_a_rule() -> None:
    """Cooldown is there against flapping, not against rules; nor does a rule ask for readings."""
    spread = Spread(guests=select("zk-*"))
    text = "a 4c/4g : zk-1 1v/1g | zk-2 1v/1g | web 1v/1g"
    cooling = Cooling()
    assert kept(cooling, problem(text, spread, cooling, cooling=["zk-1", "web"])) == ["web"]
    odd = problem(text, spread, changing=["zk-1", "web", "gone"])
    assert kept(Changing(), odd) == ["web"]
    soft = Spread(guests=select("zk-*"), hard=False)
    assert len(kept(Cooling(), problem(text, soft, cooling=["zk-1", "web"]))) == 2


def test_guests_that_are_gone_are_forgotten() -> None:
    """What rested or was unknown yesterday may no longer exist."""
    assert kept(Cooling(), problem("a 1c/1g :", cooling=["gone"])) == []


def test_ties_hold_whatever_is_consented_to() -> None:
    """No consent unties a device, an owner, a disk of this host alone or one nobody has declared."""
    text = """
        a 8c/8g : gpu 1v/1g tie=passthrough | disk 1v/1g tie=local-disk | free 1v/1g
        b 8c/8g : odd 1v/1g tie=unknown-storage | nova 1v/1g owner=nova
        """
    for allow in (Allow(), Allow(unsafe_storage=EVERYTHING)):
        assert set(kept(Tied(), problem(text, allow=allow))) == {"gpu", "disk", "odd", "nova"}


def test_a_tie_is_said_with_its_detail_and_an_owner_once() -> None:
    """What holds it, each thing once."""
    question = problem("a 1c/1g : x 1v/1g tie=owner owner=nova\nb 1c/1g : y 1v/1g owner=heat")
    assert set(sentences(Tied(), question, x="b", y="a")) == {
        "x must stay on a (owner: owner of x), but is on b",
        "y must stay on b (owner: heat), but is on a",
    }


def test_a_host_that_is_down_takes_nothing_and_gives_nothing() -> None:
    """Both are said differently."""
    question = problem("a 1c/1g state=down : x 1v/1g\nb 1c/1g : y 1v/1g")
    assert set(sentences(Reachable(), question, x="b", y="a")) == {
        "x must stay on a (a is down), but is on b",
        "y cannot be on a: the host is down",
    }


def test_a_guest_in_flight_is_at_home_on_both_ends() -> None:
    """And nowhere else."""
    question = problem("a 1c/1g : x 1v/1g moving=b\nb 1c/1g :\nc 1c/1g :")
    assert sentences(Reachable(), question, x="b") == []
    assert sentences(Reachable(), question, x="c") == [
        "x must stay on a (in flight to b already), but is on c"
    ]


def test_a_drained_host_names_who_is_left_and_who_came() -> None:
    """What remains is one fault of the host, each arrival one of its own."""
    rule = Drain(hosts=select("a"))
    question = problem("a 1c/1g : x 1v/1g | y 1v/1g\nb 1c/1g : z 1v/1g", rule)
    assert sorted(sentences(rule, question, z="a")) == [
        "a is to be emptied, but still has x, y",
        "z cannot go to a, which is to be emptied",
    ]
    assert rule.label == "drain a"


@pytest.mark.parametrize(
    "rule",
    [
        NeverMove(guests=select("x")),
        Tied(),
        Reachable(),
        Cooling(),
        Changing(),
        UnknownData(),
        Drain(),
    ],
)
def test_keeping_holds_at_every_instant(rule: Constraint) -> None:
    """Nobody leaves for a moment."""
    assert throughout(rule)
    assert rule.label
