"""Conflicts of wide rules, told by counting guests and sites by kind."""

from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings

from balancer.planner.constraints import all_rules
from balancer.planner.constraints.apart import Apart
from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.licence import Licence
from balancer.planner.constraints.numa import Numa
from balancer.planner.constraints.only_on import OnlyOn
from balancer.planner.constraints.places import Places
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.survive import Survive
from balancer.planner.constraints.together import Together
from balancer.planner.diagnose import conflicts
from balancer.planner.formulation import HARD, Budget, Formulation, Near, Row, formulate
from balancer.planner.model.policy import Constraint, Limits
from balancer.planner.model.problem import Problem
from balancer.planner.model.relaxation import Conflict
from balancer.planner.model.request import Effort
from balancer.planner.model.selector import Selector
from balancer.planner.place import pooled
from balancer.planner.place.feasible import feasible, ruled_out
from balancer.planner.place.pooled import impossible
from tests.drawing import problem, select
from tests.planner.place.formulations import formulations
from tests.planner.test_diagnose import works

AMPLE = Limits(moves_per_hour=100_000, data_per_hour=10**9)
FLAVOURS = ((1, 2), (2, 4), (2, 8), (4, 8), (4, 16))


def on() -> bool:
    return True


def cluster(hosts: int, each: int, racks: int, *rules: Constraint) -> Problem:
    """Draw hosts of 32 cores and 192 GiB that are half full, in racks."""
    chance, lines = Random(7), []
    for host in range(hosts):
        here = []
        for number in range(each):
            vcpus, memory = chance.choice(FLAVOURS)
            here.append(f"g{host * each + number} {vcpus}v/{memory}g")
        lines.append(f"h{host} 32c/192g rack=r{host % racks} : {' | '.join(here)}")
    own = () if any(isinstance(rule, Capacity) for rule in rules) else (Capacity(),)
    harmless = Spread(guests=select("*"), at_most=60, name="harmless")
    return problem("\n".join(lines), *own, *rules, harmless, limits=AMPLE)


def some(count: int) -> Selector:
    return select(*(f"g{number}" for number in range(count)))


Plant = Callable[[int, int], tuple[Constraint, ...]]
PLANTS: dict[str, Plant] = {
    "spread over racks, only on some of them": lambda n, racks: (
        Spread(guests=some(n), across="rack", at_most=-(-n // racks), name="spread"),
        OnlyOn(guests=some(n), hosts=select("h*[05]"), name="only"),
    ),
    "licence for few hosts, few on each": lambda n, _racks: (
        Licence(guests=some(n), at_most=n // 12, name="licence"),
        Spread(guests=some(n), at_most=10, name="spread"),
    ),
    "licence for few hosts, more than they hold": lambda n, _racks: (
        Licence(guests=some(n), at_most=n // 50, name="licence"),
    ),
    "many racks asked for, few allowed": lambda n, racks: (
        Places(guests=some(n), across="rack", at_least=racks, name="places"),
        OnlyOn(guests=some(n), hosts=select("h*[05]"), name="only"),
    ),
}  # fmt: skip
NAMED = {
    "spread over racks, only on some of them": {"spread", "only"},
    "licence for few hosts, few on each": {"licence", "spread"},
    "licence for few hosts, more than they hold": {"licence", "capacity"},
    "many racks asked for, few allowed": {"places", "only"},
}


def check(kind: str, hosts: int, each: int, racks: int, count: int) -> Conflict:
    """The set named is the one that was planted; without any of its rules no count rules it out."""
    question = cluster(hosts, each, racks, *PLANTS[kind](count, racks))
    rules = {rule.label: rule for rule in all_rules(question)}
    (found,) = conflicts(question, question.cluster.guest, on)[:1]
    assert set(found.rules) == NAMED[kind]
    named = tuple(rules[label] for label in found.rules)
    assert ruled_out(formulate(question, named, ()), on)
    for rule in named:
        rest = tuple(other for other in named if other is not rule)
        assert not ruled_out(formulate(question, rest, ()), on)
    assert found.helps
    for way in found.helps:
        works(question, way.rule, way.setting, Effort.INSTANT)
    return found


@pytest.mark.parametrize("kind", [*NAMED][2:3])
def test_wide_rules_that_conflict_are_named_and_helped(kind: str) -> None:
    """45 hosts and 225 guests: more decisions than one model is asked of."""
    check(kind, 45, 5, 15, 100)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", [*NAMED])
def test_wide_rules_that_conflict_among_five_thousand_guests(kind: str) -> None:
    """500 hosts; the same."""
    check(kind, 500, 10, 20, 400)


@given(formulations())
@settings(max_examples=40, deadline=None)
def test_what_is_ruled_out_by_counting_cannot_be(given_: Formulation) -> None:
    """Whatever the primitives: no complete model finds a placement then."""
    if ruled_out(given_, on):
        assert feasible(given_, on) is not True


TWO = "a 8c/16g rack=r : x 1v/4g | y 1v/4g\nb 8c/16g rack=s : z 1v/4g"


@pytest.mark.parametrize(
    "rules",
    [
        (Together(guests=select("*")), Spread(guests=select("*"), at_most=2)),
        (Together(guests=select("*")), Capacity(memory_overcommit=0.7)),
        (
            Together(guests=select("x", "z"), across="rack"),
            OnlyOn(guests=select("x"), hosts=select("a")),
            OnlyOn(guests=select("z"), hosts=select("b")),
        ),
        (Together(guests=select("*")), Apart(guests=select("x"), others=select("z"))),
        (Apart(guests=select("x", "y"), others=select("z")), OnlyOn(guests=select("*"), hosts=select("a"))),
        (Together(guests=select("*")), OnlyOn(guests=select("x"), hosts=select("c"))),
        (Apart(guests=select("x"), others=select("z"), across="rack"), Places(guests=select("*"), across="rack", at_most=1)),
        (Spread(guests=select("*"), across="rack"),),
        (Places(guests=select("*"), at_least=2), OnlyOn(guests=select("*"), hosts=select("a"))),
        (Survive(), Capacity(memory_overcommit=0.7)),
        (Numa(guests=select("*"), vcpus_per_core=0.01),),
    ],
)  # fmt: skip
def test_counting_shows_what_cannot_be(rules: tuple[Constraint, ...]) -> None:
    """A rule of each kind, alone or against another."""
    assert ruled_out(formulate(problem(TWO, *rules), rules, ()), on)


def test_near_across_wider_domains_is_counted_by_domain() -> None:
    """One may only be in the one rack, the other only in the other."""
    text = "a 8c/16g rack=r : x 1v/4g | y 1v/4g\nb 8c/16g rack=s : z 1v/4g\nc 8c/16g rack=s :"
    given_ = formulate(problem(text), (), ())
    given_.forbid([0], [1, 2])
    given_.forbid([2], [0])
    given_.add(Near("near", 0, 2, np.array([0, 1, 1]), HARD, hard=True))
    assert ruled_out(given_, on)
    given_.primitives[:] = [Near("near", 0, 1, np.array([0, 1, 1]), HARD, hard=True)]
    assert not ruled_out(given_, on)
    pairs = ((0, 1), (0, 2))
    given_.primitives[:] = [Near("near", a, b, np.arange(3), HARD, hard=True) for a, b in pairs]
    assert ruled_out(given_, on)


def test_a_loss_is_counted_only_where_sites_cannot_be_overfull() -> None:
    """Without the row that holds them to their room, what is on an overfull site finds room."""
    rules = (Survive(), Capacity(memory_overcommit=0.7))
    assert not ruled_out(formulate(problem(TWO, *rules), rules[:1], ()), on)
    ample = (Survive(), Capacity())
    assert not ruled_out(formulate(problem(TWO, *ample), ample, ()), on)


def test_nobody_waits_for_counts() -> None:
    """Then nothing is claimed."""
    question = cluster(45, 5, 15, *PLANTS["licence for few hosts, more than they hold"](100, 15))
    answers = iter([True, True])
    assert conflicts(question, question.cluster.guest, lambda: next(answers, False)) == ()


def test_a_budget_that_is_too_small_is_counted() -> None:
    """Two have to leave, and one may."""
    given_ = formulate(problem(TWO), (), ())
    given_.forbid([0, 1], [0])
    given_.add(Budget("one move", np.ones(3, dtype=np.int64), 1))
    assert ruled_out(given_, on)
    given_.primitives[:] = [Budget("two moves", np.ones(3, dtype=np.int64), 2)]
    assert not ruled_out(given_, on)


def test_guests_larger_than_half_a_site_fit_one_on_each() -> None:
    """Their sum would fit."""
    given_ = formulate(problem("a 8c/16g : x 1v/4g | y 1v/4g | z 1v/4g\nb 8c/16g :"), (), ())
    use, limit = np.array([6, 6, 6]), np.array([10, 10])
    given_.add(Row("large", use, limit, HARD, hard=True))
    assert ruled_out(given_, on)


def test_amounts_are_rounded_down_where_there_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that "no" stays true, and too many kinds are not asked about."""
    given_ = formulate(problem("a 8c/16g : x 1v/4g | y 1v/4g | z 1v/4g\nb 8c/16g :"), (), ())
    given_.add(Row("sum", np.array([50, 71, 93]), np.array([100, 100]), HARD, hard=True))
    assert ruled_out(given_, on)
    monkeypatch.setattr(pooled, "SHADES", 2)
    assert not impossible(given_, 1.0, on)
    monkeypatch.setattr(pooled, "SHADES", 64)
    monkeypatch.setattr(pooled, "MOST", 1)
    assert not impossible(given_, 1.0, on)
