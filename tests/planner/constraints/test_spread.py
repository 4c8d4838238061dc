"""At most so many of a group in one failure domain."""

import pytest

from balancer.planner.constraints.spread import Spread
from balancer.planner.formulation import formulate
from balancer.planner.model.placement import at_rest
from balancer.planner.model.selector import Selector
from balancer.planner.model.violation import Violation
from tests.drawing import problem, select

TEXT = """
    a 4c/8g rack=r1 : zk-1 1v/1g | kf-1 1v/1g
    b 4c/8g rack=r1 : zk-2 1v/1g | kf-2 1v/1g
    c 4c/8g rack=r2 : kf-3 1v/1g
    d 4c/8g         : kf-4 1v/1g
    e 4c/8g         : kf-5 1v/1g
    """


def found(rule: Spread, text: str = TEXT) -> tuple[Violation, ...]:
    question = problem(text, rule)
    return rule.violations(question, at_rest(question.cluster.placement))


def test_a_crowded_rack_is_named_with_its_guests() -> None:
    """Rack, count, names and the limit."""
    rule = Spread(guests=select("zk-*"), across="rack")
    assert [v.sentence for v in found(rule)] == [
        "rack r1 holds 2 of zk-* (zk-1, zk-2), at most 1 allowed"
    ]


def test_a_crowded_host_is_named_by_its_own_name() -> None:
    """No `host` in front of it."""
    rule = Spread(guests=select("*-1"), name="apart")
    assert [(v.rule, v.sentence) for v in found(rule)] == [
        ("apart", "a holds 2 of *-1 (kf-1, zk-1), at most 1 allowed")
    ]


def test_hosts_without_the_label_are_one_domain() -> None:
    """Nothing is known to separate them."""
    rule = Spread(guests=select("kf-4", "kf-5"), across="rack")
    assert [v.subject for v in found(rule)] == ["(unlabelled)"]


def test_each_group_alone_is_counted_for_itself() -> None:
    """Two groups may share a host, members of one may not."""
    guests = select("zk-*", "kf-*", "!kf-5")
    rule = Spread(guests=guests, across="rack", each_group_alone=True)
    assert [v.subject for v in found(rule)] == ["r1: zk-*, !kf-5", "r1: kf-*, !kf-5"]


def test_evenly_allows_the_even_share_rounded_up() -> None:
    """Five over three domains: two each at most; where no host takes guests is no domain."""
    rule = Spread(guests=select("kf-*"), across="rack", evenly=True)
    assert found(rule) == ()
    crowded = TEXT.replace("c 4c/8g rack=r2", "c 4c/8g rack=r1")
    assert [v.subject for v in found(rule, crowded + "f 4c/8g rack=r3 :")] == ["r1"]
    for state in ("down", "draining"):
        assert found(rule, crowded + f"f 4c/8g rack=r3 state={state} :") == ()


def test_a_quorum_outlives_the_loss_of_any_one_place() -> None:
    """Of five members any one rack may hold two, of three one; a lone member is nobody's fault."""
    five = Spread(guests=select("kf-*"), across="rack", quorum=True)
    assert found(five) == ()
    three = Spread(guests=select("kf-1", "kf-2", "kf-3"), across="rack", quorum=True)
    assert [v.amount for v in found(three)] == [1]
    four = Spread(guests=select("kf-1", "kf-2", "kf-3", "kf-4"), across="rack", quorum=True)
    assert [v.amount for v in found(four)] == [1]  # half of them is no majority
    assert found(Spread(guests=select("kf-1"), quorum=True)) == ()


def test_evenly_and_quorum_are_one_or_the_other() -> None:
    """Two measures for one thing would leave open which holds."""
    with pytest.raises(ValueError, match="two measures"):
        Spread(guests=select("kf-*"), evenly=True, quorum=True)


def test_a_label_that_nobody_has_asks_nothing_where_that_is_meant() -> None:
    """With may_be_empty a rule across rooms waits for rooms to be told apart."""
    crowd = Selector(("zk-*",), may_be_empty=True)
    assert found(Spread(guests=crowd, across="room")) == ()
    assert formulate(problem(TEXT, Spread(guests=crowd, across="room"))).primitives == []
    assert len(found(Spread(guests=Selector(("zk-*",)), across="room"))) == 1
    assert len(found(Spread(guests=crowd, across="rack"))) == 1
