"""What every rule must do, searched over small clusters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner.constraints import ALWAYS, CONSTRAINTS, all_rules
from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.drain import Drain
from balancer.planner.constraints.headroom import Headroom
from balancer.planner.formulation import Formulation, Ints, Level, formulate
from balancer.planner.model.ledger import Ledger
from balancer.planner.model.placement import Placement, at_rest
from balancer.planner.model.policy import Constraint
from balancer.planner.model.problem import Problem
from balancer.planner.model.violation import Violation
from balancer.planner.place.evaluate import score
from tests.drawing import RULES, placements, problem, problems, select


def numbered(formulation: Formulation, placement: Placement) -> Ints:
    """Return the placement as the engines see it."""
    hosts = [formulation.site_number[placement[u]] for u in formulation.guest_number]
    return np.array(hosts, dtype=np.int64)


def feasible(formulation: Formulation, placement: Ints) -> bool:
    """True if no hard primitive is exceeded and nobody is where it must not be."""
    moved_though_held = (placement != formulation.start) & formulation.held
    return score(formulation, placement).repair == 0 and not moved_though_held.any()


def hard(found: tuple[Violation, ...]) -> tuple[Violation, ...]:
    return tuple(v for v in found if v.hard)


@st.composite
def cases(draw: st.DrawFn, kind: type) -> tuple[Problem, Constraint, Placement]:
    """Draw a problem in which one rule of `kind` is alone, and any placement."""
    rule = draw(RULES[kind])
    question = draw(problems(st.just(rule), most_rules=1))
    return question, rule, draw(placements(question.cluster))


def test_every_rule_can_be_drawn() -> None:
    """A rule that is registered but not drawn would escape all that follows."""
    assert set(CONSTRAINTS.values()) | {type(rule) for rule in ALWAYS} == RULES.keys()


@pytest.mark.parametrize("kind", RULES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=25)
def test_solver_and_judge_agree(kind: type, data: st.DataObject) -> None:
    """A placement is feasible for the solver exactly when the judge finds nothing hard."""
    question, rule, placement = data.draw(cases(kind))
    formulation = formulate(question, [rule], [])
    judged = hard(rule.violations(question, at_rest(placement)))
    assert feasible(formulation, numbered(formulation, placement)) == (not judged)


@pytest.mark.parametrize("kind", RULES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=25)
def test_soft_rules_cost_exactly_when_the_judge_finds_something_soft(
    kind: type, data: st.DataObject
) -> None:
    """A soft rule is priced only where it is broken, and always unless by less than a mille."""
    question, rule, placement = data.draw(cases(kind))
    formulation = formulate(question, [rule], [])
    cost = score(formulation, numbered(formulation, placement)).cost
    soft = [v for v in rule.violations(question, at_rest(placement)) if not v.hard]
    assert bool(soft) or cost == 0
    assert cost > 0 or not soft or kind in {Capacity, Headroom}


@pytest.mark.parametrize("kind", RULES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=25)
def test_looking_where_something_changed_finds_what_involves_it(
    kind: type, data: st.DataObject
) -> None:
    """Faults asked for some hosts are faults of all, and what one change breaks is found there."""
    question, rule, placement = data.draw(cases(kind))
    before = at_rest(placement)
    everywhere = rule.violations(question, before)
    names = [host.name for host in question.cluster.hosts]
    uuid = data.draw(st.sampled_from(sorted(placement)))
    target = data.draw(st.sampled_from(names))
    after = {**before, uuid: tuple(dict.fromkeys((*before[uuid], target)))}
    touched = {placement[uuid], target}
    found = rule.violations(question, after, touched)
    assert set(found) <= set(rule.violations(question, after))
    assert set(rule.violations(question, after, names)) == {
        v for v in rule.violations(question, after) if v.rule != "limits"
    }
    fresh = {v for v in rule.violations(question, after) if v.rule != "limits"} - set(everywhere)
    assert fresh <= set(found)


@pytest.mark.parametrize("kind", RULES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=25)
def test_a_ledger_reads_like_any_occupancy(kind: type, data: st.DataObject) -> None:
    """The judge's index changes how fast rules read, never what they find."""
    question, rule, placement = data.draw(cases(kind))
    plain = rule.violations(question, at_rest(placement))
    assert rule.violations(question, Ledger(at_rest(placement))) == plain


@pytest.mark.parametrize("kind", RULES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=25)
def test_a_rule_speaks_only_of_the_guests_it_names(kind: type, data: st.DataObject) -> None:
    """Moving a guest that a rule is not concerned with neither breaks nor mends it."""
    question, rule, placement = data.draw(cases(kind))
    others = sorted(placement.keys() - set(rule.concerns(question)))
    if not others:
        return
    names = [host.name for host in question.cluster.hosts]
    moved = {**placement, data.draw(st.sampled_from(others)): data.draw(st.sampled_from(names))}
    before = rule.violations(question, at_rest(placement))
    assert rule.violations(question, at_rest(moved)) == before


@given(problems(st.one_of(list(RULES.values()))))
@settings(max_examples=100)
def test_violations_of_one_moment_have_keys_of_their_own(question: Problem) -> None:
    """No two faults share rule and subject, so that each can be followed over time."""
    now = at_rest(question.cluster.placement)
    keys = [v.key for rule in all_rules(question) for v in rule.violations(question, now)]
    assert len(keys) == len(set(keys))


@given(problems())
def test_staying_is_never_a_fault_of_rules_that_keep_guests(question: Problem) -> None:
    """Where guests are now, the rules that hold them and their compatibility find nothing."""
    now = at_rest(question.cluster.placement)
    keeping = [rule for rule in ALWAYS if not isinstance(rule, Capacity | Drain)]
    assert all(rule.violations(question, now) == () for rule in keeping)


def test_a_policy_s_own_rule_takes_the_place_of_the_one_always_there() -> None:
    """Capacity is in force once, as the policy writes it."""
    own = Capacity(vcpus_per_core=2.0)
    rules = all_rules(problem("a 1c/1g :", own))
    assert [rule for rule in rules if isinstance(rule, Capacity)] == [own]


def test_draining_hosts_are_emptied_beside_those_that_a_policy_names() -> None:
    """A drain in the policy does not switch off the host's own state."""
    own = Drain(hosts=select("b"))
    rules = all_rules(problem("a 1c/1g state=draining :\nb 1c/1g :", own))
    assert [rule for rule in rules if isinstance(rule, Drain)] == [Drain(), own]


def test_levels_are_compared_in_order() -> None:
    """Repair comes before overload, overload before cost."""
    assert sorted(Level) == [Level.REPAIR, Level.OVERLOAD, Level.COST]


@pytest.mark.parametrize("kind", [k for k in RULES if getattr(k, "singly", False)], ids=str)
@given(data=st.data())
@settings(max_examples=15)
def test_who_speaks_of_each_guest_by_itself_needs_no_others(
    kind: type, data: st.DataObject
) -> None:
    """What is found of all guests is what is found of each, asked about alone."""
    question, rule, placement = data.draw(cases(kind))
    held = {g: (home, placement[g]) for g, home in question.cluster.placement.items()}
    one_by_one = [v for g, hosts in held.items() for v in rule.violations(question, {g: hosts})]
    found = rule.violations(question, held)
    assert sorted(found, key=lambda v: v.sentence) == sorted(one_by_one, key=lambda v: v.sentence)
