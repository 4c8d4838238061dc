"""Groups apart from groups, on so many places, under a licence, on the hosts they prefer."""

import pytest

from balancer.planner.constraints import all_rules
from balancer.planner.constraints.apart import Apart
from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.licence import Licence
from balancer.planner.constraints.numa import Numa
from balancer.planner.constraints.places import Places
from balancer.planner.constraints.prefer import Prefer
from balancer.planner.constraints.stay import Stay
from balancer.planner.model.packing import Packed
from balancer.planner.model.placement import at_rest
from balancer.planner.model.policy import Constraint, throughout
from balancer.planner.model.violation import Violation
from tests.drawing import placed, problem, select, uuid_of

TEXT = """
    a 4c/8g rack=r1 class=new : zk-1 1v/1g | kf-1 1v/1g
    b 4c/8g rack=r1 class=old : zk-2 1v/1g | kf-2 1v/1g
    c 4c/8g rack=r2 class=old : kf-3 1v/1g
    d 4c/8g rack=r3 class=odd :
    """


def found(rule: Constraint, *touched: str) -> tuple[Violation, ...]:
    question = problem(TEXT, rule)
    return rule.violations(question, at_rest(question.cluster.placement), touched or None)


def sentences(rule: Constraint) -> list[str]:
    return [v.sentence for v in found(rule)]


def test_two_groups_that_share_a_host_are_named() -> None:
    """Who is beside whom, and where."""
    rule = Apart(guests=select("zk-*"), others=select("kf-*"))
    assert sentences(rule) == [
        "a holds zk-1 beside kf-1, which are to be apart",
        "b holds zk-2 beside kf-2, which are to be apart",
    ]


def test_groups_apart_across_racks_count_the_fewest_that_must_leave() -> None:
    """Two against three in r1 and r2 together: two in r1, and nobody of the other in r2."""
    rule = Apart(guests=select("zk-*"), others=select("kf-*"), across="rack")
    (violation,) = found(rule)
    assert (violation.subject, violation.amount) == ("r1", 2)
    assert violation.sentence.startswith("rack r1 holds zk-1, zk-2 beside kf-1, kf-2")
    assert rule.label == "apart zk-* from kf-* across rack"


def test_a_guest_of_both_groups_is_not_apart_from_itself() -> None:
    """It counts to the first."""
    assert found(Apart(guests=select("zk-1"), others=select("zk-*"))) == ()


def test_too_few_and_too_many_places() -> None:
    """The group, what is asked, and where it is."""
    few = Places(guests=select("zk-*"), across="rack", at_least=2)
    many = Places(guests=select("kf-*"), at_least=1, at_most=2)
    assert sentences(few) == ["zk-* should use at least 2 values of rack, but use 1: r1"]
    assert sentences(many) == [
        "kf-* should use at least 1 and at most 2 hosts, but use 3: a, b, c"
    ]
    assert found(many, "d") == ()


def test_no_group_is_asked_for_more_places_than_it_has_guests() -> None:
    """One guest uses one host."""
    assert found(Places(guests=select("zk-1"), at_least=3)) == ()


@pytest.mark.parametrize(("least", "most"), [(0, 0), (3, 2)])
def test_places_that_ask_nothing_or_nonsense_are_refused(least: int, most: int) -> None:
    """With the keys named."""
    with pytest.raises(ValueError, match="at_least"):
        Places(guests=select("*"), at_least=least, at_most=most)


def test_a_licence_names_the_hosts_that_need_one() -> None:
    """And how many there are."""
    rule = Licence(guests=select("kf-*"), at_most=2)
    assert sentences(rule) == ["kf-* run on 3 hosts (a, b, c), but 2 are licensed"]
    assert found(Licence(guests=select("kf-*"), at_most=3)) == ()
    with pytest.raises(ValueError, match="at_most"):
        Licence(guests=select("*"), at_most=0)


def test_places_are_counted_where_a_plan_ends() -> None:
    """On the way guests are on two hosts."""
    assert not throughout(Licence(guests=select("*"), at_most=1))
    assert not throughout(Places(guests=select("*"), at_least=2))


def test_the_second_choice_is_soft_and_anything_else_is_not() -> None:
    """First choice nothing, second a wish, third a fault."""
    rule = Prefer(
        guests=select("*"), hosts=select("label:class=new"), fallback_hosts=select("b", "c")
    )
    question = problem(TEXT, rule)
    elsewhere = at_rest(placed(question.cluster, kf_1="d"))
    hard = [v.sentence for v in rule.violations(question, elsewhere) if v.hard]
    soft = [v.sentence for v in rule.violations(question, elsewhere) if not v.hard]
    assert hard == ["kf-1 is on d, but may run only on label:class=new or b, c"]
    assert "zk-2 is on b, but would rather run on label:class=new" in soft
    assert len(soft) == 3


def test_a_soft_stay_is_a_wish() -> None:
    """Said as one."""
    rule = Stay(guests=select("zk-*"), hard=False)
    question = problem(TEXT, rule)
    (violation,) = rule.violations(question, at_rest(placed(question.cluster, zk_1="d")))
    assert not violation.hard
    assert violation.sentence == "zk-1 should stay on a (stay zk-*), but is on d"


def test_a_class_of_hosts_has_its_own_overcommit() -> None:
    """The rule for all hosts no longer speaks of them."""
    text = "a 1c/8g class=new : x 4v/1g\nb 1c/8g : y 4v/1g"
    plain, special = (
        Capacity(vcpus_per_core=2.0),
        Capacity(vcpus_per_core=8.0, hosts=select("label:class=new")),
    )
    question = problem(text, plain, special)
    now = at_rest(question.cluster.placement)
    assert [v.subject for rule in (plain, special) for v in rule.violations(question, now)] == [
        "b"
    ]
    assert special.label == "capacity on label:class=new"
    assert special.rooms(question)["a"]["vcpus"] == 8
    assert uuid_of("x") in special.concerns(question)


def test_a_rule_for_a_class_alone_leaves_the_rest_to_the_one_always_there() -> None:
    """No host is without a capacity."""
    special = Capacity(vcpus_per_core=8.0, hosts=select("label:class=new"))
    question = problem("a 1c/8g class=new :\nb 1c/8g :", special)
    rules = [rule for rule in all_rules(question) if isinstance(rule, Capacity)]
    assert sorted(host for rule in rules for host in rule.rooms(question)) == ["a", "b"]


def test_guests_go_whole_into_cells() -> None:
    """Two cells of 4 cores and 8 GiB take two guests of 6 GiB, not three, nor a wide one."""
    text = "a 8c/16g cells=2 : x-1 2v/6g | x-2 2v/6g | x-3 2v/3g\nb 8c/16g : y 6v/12g | z 2v/4g"
    rule = Numa(guests=select("*"))
    question = problem(text, rule)
    now = at_rest(question.cluster.placement)
    (violation,) = rule.violations(question, now)
    assert violation.sentence == "a: no NUMA cell has room for x-3 beside the others there"
    wide = at_rest(placed(question.cluster, y="a", x_1="b"))
    assert "y" in rule.violations(question, wide)[0].sentence


def test_pages_are_counted_in_cells_and_memory_beside_them() -> None:
    """A guest on huge pages takes pages of one cell and none of its other memory."""
    text = "a 8c/16g cells=2 pages=4096 : x-1 1v/4g pages=2048 | x-2 1v/4g pages=2048"
    rule = Numa(guests=select("*"))
    question = problem(text, rule)
    assert rule.violations(question, at_rest(question.cluster.placement)) == ()
    less = problem(text.replace("pages=4096", "pages=4094"), rule)
    (violation,) = rule.violations(less, at_rest(less.cluster.placement))
    assert violation.amount == 2


def test_a_packing_that_does_not_check_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge believes no packing it has not added up itself."""
    monkeypatch.setattr("balancer.planner.constraints.numa.pack", lambda *_: Packed((0, 0)))
    rule = Numa(guests=select("*"))
    question = problem("a 1c/2g : x 1v/1g | y 1v/1g", rule)
    assert rule.violations(question, at_rest(question.cluster.placement))[0].amount == 2
