"""A policy that speaks of nobody is told so once the cluster is seen."""

import pytest

from balancer.config import check_selectors
from balancer.planner.constraints.only_on import OnlyOn
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.stay import Stay
from balancer.planner.model.policy import Constraint
from balancer.planner.model.selector import Selector
from balancer.planner.objectives.traffic import Traffic
from tests.drawing import draw, policy, select

CLUSTER = draw("""
    kvm1 16c/64g rack=r1 : kafka-1 4v/8g role=broker | kafka-2 4v/8g owner=pacemaker
    kvm2 16c/64g rack=r2 : db-1 8v/16g
""")


def told(*rules: Constraint, **groups: Selector) -> tuple[str, ...]:
    return check_selectors(policy(*rules, groups=groups), CLUSTER)


def must(*patterns: str) -> Selector:
    return select(*patterns, may_be_empty=False)


def test_what_matches_is_fine() -> None:
    """By name, label, owner, host, group; hosts by label."""
    rules = (
        Stay(guests=must("label:role=broker", "owner:pacemaker")),
        Spread(guests=must("group:kafka"), across="rack"),
        OnlyOn(guests=must("host:kvm2"), hosts=must("label:rack=r2")),
    )
    assert told(*rules, kafka=must("kafka-*")) == ()


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Stay(guests=must("kafak-1")), '"kafak-1" matches no guest (nearest: "kafka-1")'),
        (Stay(guests=must("label:role=brokers")), '(nearest: "label:role=broker")'),
        (Stay(guests=must("owner:pacemakr")), '(nearest: "owner:pacemaker")'),
        (Stay(guests=must("host:kwm1")), '(nearest: "host:kvm1")'),
        (Stay(guests=must("meta:nova/x")), '"meta:nova/x" matches no guest; correct it'),
        (Stay(guests=must("uuid:0")), '"uuid:0" matches no guest; correct it'),
        (Stay(guests=must("zzz", "kafak-2")), '"zzz", "kafak-2" matches no guest (nearest'),
        (OnlyOn(guests=must("*"), hosts=must("kwm*")), 'hosts: "kwm*" matches no host (nearest: "kvm'),
        (OnlyOn(guests=must("*"), hosts=must("label:rack=r9")), '(nearest: "label:rack=r'),
        (Spread(guests=must("*"), across="rak"), 'across = "rak": no host has this label; known are host, rack'),
    ],
)  # fmt: skip
def test_what_matches_nothing_is_told_with_the_nearest(rule: Constraint, said: str) -> None:
    """The rule, the patterns, what is near, and how to say that it is meant."""
    (sentence,) = told(rule)
    assert said in sentence
    assert sentence.startswith(rule.label)


def test_goals_are_checked_like_rules() -> None:
    """Traffic of nobody is a slip, too."""
    goal = Traffic(guests=must("kafak-1"), rate=1)
    (sentence,) = check_selectors(policy(objectives=(goal,)), CLUSTER)
    assert 'guests: "kafak-1" matches no guest (nearest: "kafka-1")' in sentence


def test_a_label_that_no_host_has_may_be_meant() -> None:
    """Rules that may be empty wait for racks to be told apart."""
    assert told(Spread(guests=select("*"), across="room")) == ()


def test_may_be_empty_is_believed() -> None:
    """An operator who says so is not asked again."""
    assert told(Stay(guests=select("zzz")), none=select("yyy")) == ()


def test_an_empty_group_is_told_once() -> None:
    """Not again for each rule that speaks of it, unless the rule names more than that."""
    alone = Stay(guests=must("group:kafka", "!x"))
    more = Stay(guests=must("group:kafka", "zzz"))
    first, second = told(alone, more, kafka=must("kafak-*"))
    assert first.startswith('group kafka: "kafak-*" matches no guest (nearest: "kafka-')
    assert second.startswith("stay group:kafka, zzz")


def test_a_group_that_may_be_empty_excuses_its_rules() -> None:
    """The consent is given once, at the group."""
    assert told(Stay(guests=must("group:kafka")), kafka=select("kafak-*")) == ()


def test_a_group_name_that_is_near_is_offered() -> None:
    """A group empty by its patterns can name another group."""
    (sentence,) = told(both=must("group:bot", "zzz"), bot=select("yyy"))
    assert '(nearest: "group:bot")' in sentence
