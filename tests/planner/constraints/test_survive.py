"""Room for the guests of hosts that are lost."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.config import default_policy
from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.survive import Survive
from balancer.planner.formulation import formulate
from balancer.planner.model.ledger import Ledger
from balancer.planner.model.packing import Packed
from balancer.planner.model.placement import at_rest
from balancer.planner.model.plan import Plan
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Effort
from balancer.planner.model.survival import losses
from balancer.planner.pipeline import plan
from balancer.planner.place.evaluate import excesses, permitted
from balancer.planner.place.shelter import refuges
from balancer.planner.place.solve import solve
from tests.drawing import observation, placed, placements, problem, uuid_of
from tests.drawing import problems as drawn

TIGHT = """
    a 8c/16g rack=r1 : x 1v/8g | y 1v/4g
    b 8c/16g rack=r1 : z 1v/10g
    c 8c/16g rack=r2 : v 1v/6g
    """


def sentences(question: Problem, rule: Survive) -> list[str]:
    now = at_rest(question.cluster.placement)
    return [v.sentence for v in rule.violations(question, now)]


def test_a_loss_that_strands_guests_names_them() -> None:
    """Which host, and who would find no room; the others are survived."""
    rule = Survive()
    question = problem(TIGHT, rule)
    assert sentences(question, rule) == []
    fuller = problem(TIGHT.replace("v 1v/6g", "v 1v/9g"), rule)
    assert sentences(fuller, rule) == [
        "if a were lost, x would find no room elsewhere",
        "if b were lost, z would find no room elsewhere",
        "if c were lost, v would find no room elsewhere",
    ]


def test_a_rack_is_lost_as_a_whole() -> None:
    """All its hosts at once; room is counted as capacity gives it out."""
    rule = Survive(across="rack")
    question = problem(TIGHT, rule, Capacity(memory_overcommit=2.0))
    assert sentences(question, rule) == []
    (sentence,) = sentences(problem(TIGHT, rule), rule)
    assert sentence.startswith("if rack r1 were lost, ")
    assert Survive(hosts_lost=2).label == "survive 2 hosts lost"
    with pytest.raises(ValueError, match="hosts_lost"):
        Survive(hosts_lost=0)


def test_two_hosts_at_a_time() -> None:
    """Every pair is looked at, and named."""
    rule = Survive(hosts_lost=2)
    found = sentences(problem(TIGHT, rule), rule)
    assert len(found) == 3
    assert found[0].startswith("if a and b were lost")


def test_guests_that_nothing_restarts_elsewhere_are_not_counted() -> None:
    """Their host's disks are lost with it, or no other host fits them."""
    rule = Survive()
    text = "a 8c/16g : x 1v/12g tie=local-disk | w 1v/1g networks=n1\nb 8c/16g : z 1v/2g"
    question = problem(text, rule)
    assert sentences(question, rule) == []
    assert losses(question, 1, "host").counted == {uuid_of("z")}


def test_more_losses_than_can_be_looked_at_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the fullest hosts are; nothing is claimed of the others."""
    assert Survive().caveat(problem(TIGHT)) == ""
    monkeypatch.setattr("balancer.planner.model.survival.MOST_LOSSES", 2)
    assert Survive().caveat(problem(TIGHT)) == "unproven: the 2 fullest losses looked at"
    known = losses(problem(TIGHT), 1, "host")
    assert [sorted(hosts) for hosts in known.sets] == [["a"], ["b"]]


def test_a_witness_that_does_not_add_up_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge believes no re-placement it has not checked."""
    lie = Packed((0,) * 2)
    monkeypatch.setattr("balancer.planner.model.survival.pack", lambda *_: lie)
    rule = Survive()
    question = problem("a 1c/4g : x 1v/3g | y 1v/3g\nb 1c/4g : u 1v/1g | w 1v/1g", rule)
    (violation, *_) = rule.violations(question, at_rest(question.cluster.placement))
    assert violation.amount == 2


@given(st.data())
@settings(max_examples=40)
def test_witnesses_that_are_kept_answer_like_fresh_ones(data: st.DataObject) -> None:
    """Whatever was looked at before, in whatever order."""
    question = data.draw(drawn(st.just(Survive()), most_rules=1))
    kept, fresh = Survive(), Survive(name="fresh")
    for _ in range(4):
        where = data.draw(placements(question.cluster))
        occupancy = {
            u: (h, data.draw(st.sampled_from(sorted(question.cluster.host))))
            for u, h in where.items()
        }
        ledger = Ledger(occupancy)
        found = [(v.subject, v.amount) for v in kept.violations(question, ledger)]
        alone = replace(question)
        assert found == [(v.subject, v.amount) for v in fresh.violations(alone, ledger)]


@given(st.data())
@settings(max_examples=25)
def test_answers_strand_nobody_more_than_now(data: st.DataObject) -> None:
    """The law holds for losses, too, and what is proven is."""
    question = data.draw(drawn(st.just(Survive()), most_rules=1))
    given_ = formulate(question, [Capacity(), Survive()], None)
    answer = solve(given_, Effort.QUICK, 1, lambda: True)
    assert permitted(given_, answer.placement)


MENDABLE = """
    a 16c/32g : a1 1v/12g
    b 16c/32g : b1 1v/12g
    c 16c/32g : c1 1v/12g
    d 16c/40g : d1 1v/24g | d2 1v/12g
    """


@pytest.mark.parametrize("most", [60_000, 0])
def test_a_cluster_that_would_strand_guests_is_mended(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the complete model, and by keeping holes where that would be too large."""
    monkeypatch.setattr("balancer.planner.place.shelter.EXACT", most)
    question = problem(MENDABLE)
    given_ = formulate(question, [Capacity(), Survive()], ())
    (rule,) = refuges(given_)
    assert excesses(given_, rule, given_.start).any()
    answer = solve(given_, Effort.QUICK, 1, lambda: True)
    assert not excesses(given_, rule, answer.placement).any()
    assert answer.proven is (most > 0)


def test_a_plan_is_kept_as_far_as_it_strands_nobody() -> None:
    """Nothing that spoils what is survived now; nothing at all where nobody waits."""
    question = problem(TIGHT)
    given_ = formulate(question, [Capacity(), Survive()], ())
    given_.soft_pairs[given_.guest_number[uuid_of("v")], 0:1] = -5
    given_.soft_pairs[given_.guest_number[uuid_of("z")], 2] = -5
    for effort, going in ((Effort.QUICK, True), (Effort.INSTANT, True), (Effort.QUICK, False)):
        answer = solve(given_, effort, 1, lambda going=going: going)
        assert permitted(given_, answer.placement)


def test_in_flight_room_is_taken_on_both_ends() -> None:
    """While x is on its way to c, c has no room for z of b."""
    rule = Survive()
    question = problem(TIGHT, rule)
    held = {**at_rest(placed(question.cluster)), uuid_of("x"): ("a", "c")}
    assert {v.subject for v in rule.violations(question, held)} >= {"b"}


def test_a_plan_brings_back_the_room_for_a_lost_host() -> None:
    """From observation to a plan that the judge accepts at every step; then nothing more."""
    policy = replace(default_policy(), constraints=(Capacity(), Survive()))
    seen = observation(MENDABLE)
    made = plan(seen, policy)
    assert isinstance(made, Plan)
    assert made.actions
    assert made.actions[0].reason.startswith("repairs survive 1 host lost")
    assert not made.broken_after
    where = {**seen.cluster.placement, **{a.guest: a.target for a in made.actions}}
    after = replace(seen, cluster=replace(seen.cluster, placement=where))
    again = plan(after, policy)
    assert isinstance(again, Plan)
    assert not again.actions


def test_a_plan_says_what_is_not_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the rule's name, where it is listed as checked."""
    monkeypatch.setattr("balancer.planner.model.survival.MOST_LOSSES", 2)
    policy = replace(default_policy(), constraints=(Capacity(), Survive()))
    made = plan(observation(TIGHT), policy)
    assert isinstance(made, Plan)
    assert "survive 1 host lost (unproven: the 2 fullest losses looked at)" in made.rules_checked
    assert not made.quality.proven
