"""A share of each host stays free of demand."""

from dataclasses import replace

from balancer.planner.constraints.headroom import Headroom
from balancer.planner.formulation import formulate
from balancer.planner.model.placement import at_rest
from tests.drawing import problem, select, uuid_of


def test_it_speaks_in_shares_of_the_host() -> None:
    """What demand takes, and what was to stay free."""
    rule = Headroom(cpu=0.3, memory=0.5, hosts=select("a"))
    question = problem("a 10c/10g : x 8v/4g cpu=8\nb 1c/1g : y 1v/1g cpu=1", rule)
    found = rule.violations(question, at_rest(question.cluster.placement))
    assert [v.sentence for v in found] == ["a: demand takes 80 % of cpu, but 30 % is to stay free"]
    assert [v.amount for v in found] == [1000]


def test_a_blind_host_may_bear_what_it_seems_to_bear_and_no_more() -> None:
    """What nobody has measured is no reason to take a guest away, nor to bring one."""
    rule = Headroom(cpu=0.5)
    seen = problem("a 10c/10g : x 8v/4g cpu=8\nb 10c/10g : y 1v/1g cpu=1", rule)
    blind = replace(seen, demand=replace(seen.demand, blind=frozenset({"a"})))
    here = seen.cluster.placement
    assert [v.amount for v in rule.violations(seen, at_rest(here))] == [3000]
    assert rule.violations(blind, at_rest(here)) == ()
    crowded = at_rest({**here, uuid_of("y"): "a"})
    assert [v.amount for v in rule.violations(blind, crowded)] == [1000]


def test_without_a_share_it_asks_nothing() -> None:
    """The defaults keep nothing free."""
    question = problem("a 1c/1g : x 1v/1g cpu=1", Headroom())
    assert formulate(question).primitives == []


def test_its_label_names_its_hosts() -> None:
    """Or is what the operator calls it."""
    assert Headroom(hosts=select("a")).label == "headroom on a"
    assert Headroom(name="spare").label == "spare"
    assert Headroom().concerns(problem("a 1c/1g :")) == ()
