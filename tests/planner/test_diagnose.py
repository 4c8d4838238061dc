"""Rules that cannot hold together: the least set, in the operator's words, and what helps."""

import tomllib
from dataclasses import replace
from itertools import product
from random import Random

import numpy as np
import pytest

from balancer.config import default_policy
from balancer.planner.constraints import all_rules
from balancer.planner.constraints.apart import Apart
from balancer.planner.constraints.avoid import Avoid
from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.headroom import Headroom
from balancer.planner.constraints.licence import Licence
from balancer.planner.constraints.never_move import NeverMove
from balancer.planner.constraints.numa import Numa
from balancer.planner.constraints.only_on import OnlyOn
from balancer.planner.constraints.places import Places
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.stay import Stay
from balancer.planner.constraints.survive import Survive
from balancer.planner.constraints.together import Together
from balancer.planner.diagnose import conflicts
from balancer.planner.ease import Eased, eased
from balancer.planner.formulation import Flow, formulate
from balancer.planner.model.placement import at_rest
from balancer.planner.model.plan import Plan
from balancer.planner.model.policy import Constraint, Limits
from balancer.planner.model.problem import Problem
from balancer.planner.model.relaxation import Conflict, advice
from balancer.planner.model.request import Effort
from balancer.planner.pipeline import plan
from balancer.planner.place.feasible import feasible, least
from balancer.planner.place.solve import solve
from tests.drawing import observation, problem, select, uuid_of


def on() -> bool:
    return True


def holds(question: Problem, rules: tuple[Constraint, ...]) -> bool:
    """Try every placement; ask the judge."""
    hosts = sorted(question.cluster.host)
    guests = sorted(question.cluster.guest)
    for ways in product(hosts, repeat=len(guests)):
        held = at_rest(dict(zip(guests, ways, strict=True)))
        if not any(v.hard for rule in rules for v in rule.violations(question, held)):
            return True
    return False


PLANTS = (
    lambda a, b, h, _o: (OnlyOn(guests=select(a, b), hosts=select(h)), Spread(guests=select(a, b))),
    lambda a, b, _h, _o: (Together(guests=select(a, b)), Spread(guests=select(a, b))),
    lambda a, b, _h, _o: (Together(guests=select(a, b)), Apart(guests=select(a), others=select(b))),
    lambda a, _b, h, _o: (OnlyOn(guests=select(a), hosts=select(h)), Avoid(guests=select(a), hosts=select(h))),
    lambda a, _b, h, o: (OnlyOn(guests=select(a), hosts=select(h)), OnlyOn(guests=select(a), hosts=select(o))),
    lambda a, b, _h, _o: (Licence(guests=select(a, b), at_most=1), Places(guests=select(a, b), at_least=2)),
    lambda a, b, h, _o: (OnlyOn(guests=select(a, b), hosts=select(h)), Places(guests=select(a, b), at_least=2)),
    lambda a, b, h, o: (
        Together(guests=select(a, b)),
        OnlyOn(guests=select(a), hosts=select(h)),
        OnlyOn(guests=select(b), hosts=select(o)),
    ),
    lambda a, _b, _h, o: (NeverMove(guests=select(a)), OnlyOn(guests=select(a), hosts=select(o))),
    lambda a, _b, h, _o: (Stay(guests=select(a)), Avoid(guests=select(a), hosts=select(h))),
    lambda a, _b, h, _o: (OnlyOn(guests=select(a), hosts=select(h)), Headroom(memory=0.95, hosts=select(h), hard=True)),
    lambda a, _b, h, _o: (OnlyOn(guests=select(a), hosts=select(h)), Capacity(hosts=select(h), keep_for_hypervisor=62 * 1024)),
)  # fmt: skip
"""Rules that conflict; the guest `a` is on the host `h` now, `o` is another."""


def planted(seed: int) -> tuple[Problem, tuple[Constraint, ...]]:
    """Return a small cluster with room in plenty, harmless rules, and one conflict."""
    chance = Random(seed)
    hosts, count = chance.randint(2, 4), chance.randint(3, 5)
    homes = [chance.randrange(hosts) for _ in range(count)]
    lines = []
    for number in range(hosts):
        here = [
            f"g{i} 1v/{chance.randint(4, 8)}g" for i, home in enumerate(homes) if home == number
        ]
        lines.append(f"h{number} 32c/64g rack=r{number % 2} : {' | '.join(here)}")
    a, b = chance.sample(range(count), 2)
    home = f"h{homes[a]}"
    other = chance.choice([f"h{n}" for n in range(hosts) if n != homes[a]])
    conflict = chance.choice(PLANTS)(f"g{a}", f"g{b}", home, other)
    filler = (
        Capacity(),
        Spread(guests=select("*"), at_most=count, name="harmless"),
        Avoid(guests=select("nobody"), hosts=select("h0"), name="empty"),
    )
    rules = [*filler, *conflict]
    chance.shuffle(rules)
    return problem("\n".join(lines), *rules), conflict


def check(seed: int) -> None:
    """The named set is minimal, and what is advised helps."""
    question, conflict = planted(seed)
    every = question.cluster.guest
    found = conflicts(question, every, on)
    assert len(found) == 1
    known = {rule.label: rule for rule in all_rules(question)}
    named = tuple(known[label] for label in found[0].rules)
    assert set(named) <= {
        *conflict,
        *(r for r in known.values() if r not in question.policy.constraints),
    }
    assert not holds(question, named)
    for rule in named:
        assert holds(question, tuple(other for other in named if other is not rule))
    helps = found[0].helps
    assert helps
    assert [h.guests for h in helps] == sorted(h.guests for h in helps)
    for way in helps:
        works(question, way.rule, way.setting)


def works(question: Problem, label: str, setting: str, effort: Effort = Effort.NORMAL) -> None:
    """Carry out one piece of advice and solve again: no hard rule is broken then."""
    after = advised(question, label, setting)
    given = formulate(after, all_rules(after), ())
    placed = solve(given, effort, 1, on).placement.tolist()
    hosts = [host.name for host in after.cluster.hosts]
    held = at_rest({g.uuid: hosts[s] for g, s in zip(after.cluster.guests, placed, strict=True)})
    assert not [v for rule in all_rules(after) for v in rule.violations(after, held) if v.hard]


def advised(question: Problem, label: str, setting: str) -> Problem:
    """Return the problem with one rule as an operator would rewrite it, read from the words alone."""
    (rule,) = [r for r in question.policy.constraints if r.label == label]
    said = tomllib.loads("\n".join(_lines(setting)))
    if "guests" in said:
        said["guests"] = select(*said["guests"])
    relaxed = replace(rule, **said, name=label)
    rules = tuple(relaxed if r is rule else r for r in question.policy.constraints)
    return replace(question, policy=replace(question.policy, constraints=rules))


def _lines(setting: str) -> list[str]:
    if "[" in setting:
        return [setting]
    return setting.split(", ")


def test_planted_conflicts_are_found_least_and_helped() -> None:
    """A few; the soak plants five hundred."""
    for seed in range(12):
        check(seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_five_hundred_planted_conflicts() -> None:
    """The same, at length."""
    for seed in range(1000, 1500):
        check(seed)


PAIR = "a 8c/16g : x 1v/4g | y 1v/4g\nb 8c/16g :"


def told(text: str, *rules: Constraint, **fields: object) -> tuple[Conflict, ...]:
    question = problem(text, *rules, **fields)
    return conflicts(question, question.cluster.guest, on)


def test_rules_that_all_can_hold_do_not_conflict() -> None:
    """Nothing is said of them."""
    assert told(PAIR, Spread(guests=select("*"))) == ()


def test_two_conflicts_are_told_one_after_the_other() -> None:
    """Each with its own way out."""
    found = told(
        PAIR,
        Together(guests=select("*")),
        Spread(guests=select("*")),
        NeverMove(guests=select("x")),
        OnlyOn(guests=select("x"), hosts=select("b")),
    )
    assert len(found) == 2
    assert all(conflict.helps for conflict in found)
    assert "; and " in advice(found)


def test_a_conflict_that_nothing_eases_is_told_without_advice() -> None:
    """A passed-through device on a host that is to be emptied."""
    text = "a 8c/16g state=draining : x 1v/4g tie=passthrough\nb 8c/16g :"
    assert told(text) == (Conflict(rules=("tied", "drain"), helps=()),)
    assert advice(told(text)) == ""


def test_limits_are_widened_where_an_hour_is_too_short() -> None:
    """By number, and by data in whole GiB."""
    text = "a 8c/16g state=draining : x 1v/4g | y 1v/4g\nb 8c/16g :"
    few = told(text, limits=Limits(moves_per_hour=1))
    assert few[0].rules == ("drain", "limits")
    assert advice(few) == "limits: [limits] moves_per_hour = 2"
    little = told(text, limits=Limits(data_per_hour=5000))
    assert advice(little) == 'limits: [limits] data_per_hour = "8GiB"'


def test_a_rest_is_cut_short_where_that_helps() -> None:
    """A guest that moved lately stands in the way of nothing it takes part in; of others it does."""
    question = problem(PAIR, Avoid(guests=select("x"), hosts=select("a")), cooling=["x"])
    rule = next(r for r in all_rules(question) if type(r).__name__ == "Cooling")
    way = eased(question, rule, ())
    assert way is not None
    assert way.setting == '[limits] same_guest_again_after = "0min"'
    assert not way.problem.cooling


def test_overcommit_is_raised_by_what_is_missing() -> None:
    """Two decimals, and enough."""
    rule = Capacity(vcpus_per_core=0.1)
    found = told(
        "a 8c/4g : x 1v/4g\nb 8c/4g : y 1v/3g", rule, OnlyOn(guests=select("*"), hosts=select("a"))
    )
    ways = {way.rule: way.setting for conflict in found for way in conflict.helps}
    assert ways["capacity"] == "memory_overcommit = 1.76, vcpus_per_core = 0.38"


def violated(rule: Constraint, text: str, *, others: tuple[Constraint, ...] = ()) -> Eased | None:
    """Ease a rule by what it finds broken as guests are placed."""
    question = problem(text, rule, *others)
    return eased(question, rule, rule.violations(question, at_rest(question.cluster.placement)))


def setting(rule: Constraint, text: str) -> str:
    way = violated(rule, text)
    assert way is not None
    (again,) = way.problem.policy.constraints
    now = at_rest(way.problem.cluster.placement)
    assert not [v for v in again.violations(way.problem, now) if v.hard]
    return way.setting


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Spread(guests=select("*")), "at_most = 2"),
        (Spread(guests=select("x", "y"), evenly=True), "evenly = false, at_most = 2"),
        (Licence(guests=select("x", "z"), at_most=1), "at_most = 2"),
        (Places(guests=select("*"), at_most=1), "at_most = 2"),
        (Places(guests=select("*"), at_least=3, at_most=3), "at_least = 2"),
        (Places(guests=select("x", "y"), at_least=2), "at_least = 1"),
        (Places(guests=select("*"), at_least=1, at_most=1), "at_most = 2"),
        (Avoid(guests=select("*"), hosts=select("b")), 'guests = ["*", "!z"]'),
        (Apart(guests=select("x"), others=select("y")), "hard = false"),
        (Numa(guests=select("x", "y"), vcpus_per_core=0.1), "hard = false"),
        (Survive(hosts_lost=2), "hard = false"),
        (Capacity(memory_overcommit=0.1), "memory_overcommit = 0.51"),
        (Capacity(keep_for_hypervisor=16 * 1024), "hard = false"),
        (Headroom(memory=0.9, hard=True), "memory = 0.49"),
    ],
)
def test_each_rule_gives_way_in_its_own_words(rule: Constraint, said: str) -> None:
    """By just as much as a placement breaks of it, and then it does not break it."""
    assert setting(rule, "a 8c/16g : x 1v/4g | y 1v/4g\nb 8c/16g : z 1v/2g") == said


def test_demand_beyond_a_host_makes_headroom_a_wish() -> None:
    """There is no share to be left free."""
    assert setting(Headroom(cpu=0.1, hard=True), "a 1c/16g : x 4v/4g cpu=2") == "hard = false"


def test_what_is_so_does_not_give_way() -> None:
    """Hardware, and hosts that are down."""
    question = problem("a 1c/1g : x 1v/1g\nb 1c/1g qemu=1 :")
    moved = at_rest(dict.fromkeys(question.cluster.guest, "b"))
    for rule in all_rules(question):
        if broken := rule.violations(question, moved):
            assert type(rule).__name__ == "Compatible"
            assert eased(question, rule, broken) is None


def test_a_guest_without_a_name_of_its_own_is_left_out_by_uuid() -> None:
    """So that no other is."""
    question = problem("a 1c/1g : x 1v/1g\nb 1c/1g :")
    (guest,) = question.cluster.guests
    odd = replace(guest, name="x*")
    cluster = replace(question.cluster, guests=(odd,))
    rule = Avoid(guests=select("*"), hosts=select("a"))
    question = replace(
        question, cluster=cluster, policy=replace(question.policy, constraints=(rule,))
    )
    way = eased(question, rule, rule.violations(question, at_rest(cluster.placement)))
    assert way is not None
    assert way.setting == f'guests = ["*", "!uuid:{guest.uuid}"]'


def test_tied_guests_are_not_untied() -> None:
    """No setting would do."""
    for words in ("tie=local-disk", "tie=local-disk owner=nova", "tie=local-disk,job"):
        text = f"a 8c/16g state=draining : x 1v/4g {words}\nb 8c/16g :"
        assert told(text)[0].helps == ()


def test_large_problems_are_asked_of_the_guests_concerned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where these are too many they are counted by kind; nothing is claimed where nobody waits."""
    rules = (Together(guests=select("x", "y")), Spread(guests=select("x", "y")))
    text = "a 8c/16g : x 1v/4g | y 1v/4g | z 1v/1g | w 1v/1g\nb 8c/16g :"
    question = problem(text, *rules)
    concerned = [uuid_of("x"), uuid_of("y")]
    monkeypatch.setattr("balancer.planner.place.feasible.MOST", 4)
    assert [c.rules for c in conflicts(question, concerned, on)] == [tuple(r.label for r in rules)]
    counted = conflicts(question, question.cluster.guest, on)
    assert [set(c.rules) for c in counted] == [{rule.label for rule in rules}]
    assert conflicts(question, concerned, lambda: False) == ()
    answers = iter([True, True])
    assert conflicts(question, concerned, lambda: next(answers, False)) == ()


def test_a_question_that_stays_open_claims_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No work, no answer."""
    monkeypatch.setattr("balancer.planner.place.feasible.WORK", 0.0)
    question = problem(PAIR, Together(guests=select("*")), Spread(guests=select("*")))
    everything = formulate(question, all_rules(question), ())
    assert feasible(everything, lambda: True) in (None, False)


def test_who_talks_from_afar_gives_way_to_nothing() -> None:
    """A flow is never hard: where it alone is to give way, nobody moves for it."""
    question = problem(PAIR)
    rules, giving = formulate(question, all_rules(question), ()), formulate(question, (), ())
    both = np.arange(len(rules.start))
    giving.add(Flow("flow", both, both, rules.domains("host"), 50))
    assert least(rules, giving, lambda: True).tolist() == rules.start.tolist()


def test_the_rest_is_planned_where_one_guest_cannot_be_helped() -> None:
    """It is set aside, and the conflict said."""
    text = """
        a 16c/64g : x 8v/8g cpu=7.5 | y 8v/8g cpu=7 | gpu 1v/1g tie=passthrough
        b 16c/64g : z 8v/8g cpu=1
    """
    policy = replace(
        default_policy(), constraints=(Capacity(), OnlyOn(guests=select("gpu"), hosts=select("b")))
    )
    made = plan(observation(text), policy)
    assert isinstance(made, Plan)
    assert {action.name for action in made.actions} <= {"x", "y"}
    assert made.actions
    assert made.left[-1].subject == "tied and only_on b: gpu"
    assert made.left[-1].reason.startswith("cannot hold together; would help: only_on b: gpu")
