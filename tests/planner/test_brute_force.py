"""The judge against all that can happen: every order of starts and ends, added up from nothing.

Nothing here is shared with the judge, its rules or the replay that spoils plans: a cluster is a few numbers, a
run is a sequence of starts and ends, and all sequences that a plan's waits allow are listed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.planner.constraints import all_rules
from balancer.planner.constraints.spread import Spread
from balancer.planner.model.law import Law
from balancer.planner.model.ledger import Ledger
from balancer.planner.model.policy import Limits
from balancer.planner.verify import judge
from tests.drawing import problem, select
from tests.planner.puzzles import move, puzzles

HOSTS = ("a", "b", "c")
LONG = 10.0
"""Seconds that every move takes."""


@dataclass(frozen=True)
class Step:
    """One move of a guest; `after` are the numbers of the steps that it waits for."""

    guest: int
    source: int
    target: int
    after: frozenset[int]
    start: float


@dataclass(frozen=True)
class Case:
    """Sizes of hosts and guests in GiB, where guests are, whom to keep apart, and a plan."""

    rooms: tuple[int, ...]
    sizes: tuple[int, ...]
    homes: tuple[int, ...]
    apart: bool
    """Guests 0 and 1 are on different hosts."""
    at_once: int
    steps: tuple[Step, ...]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a tiny cluster that breaks nothing, and any plan of up to four steps that makes sense."""
    sizes = tuple(draw(st.lists(st.integers(1, 3), min_size=2, max_size=4)))
    homes = tuple(draw(st.integers(0, 2)) for _ in sizes)
    used = [sum(s for s, h in zip(sizes, homes, strict=True) if h == k) for k in range(3)]
    spare = draw(st.sampled_from([(0, 1, 2), (2, 3, 4), (9,)]))
    rooms = tuple(max(1, u + draw(st.sampled_from(spare))) for u in used)
    apart = homes[0] != homes[1] and draw(st.booleans())
    at, steps, ends = list(homes), [], []
    for number in range(draw(st.integers(1, 4))):
        guest = draw(st.integers(0, len(sizes) - 1))
        source = at[guest]
        target = draw(st.sampled_from([k for k in range(3) if k != source]))
        after = frozenset(k for k in range(number) if draw(st.booleans()))
        ready = max((ends[k] for k in after), default=0.0)
        last = max(ends, default=0.0)
        start = draw(st.sampled_from([ready, ready + 5.0, last, last]))
        steps.append(Step(guest, source, target, after, start))
        ends.append(steps[-1].start + LONG)
        at[guest] = target
    return Case(rooms, sizes, homes, apart, draw(st.integers(1, 3)), tuple(steps))


Held = Mapping[int, frozenset[int]]


def broken(case: Case, held: Held) -> bool:
    """True if a host holds more than it has, or the two who are kept apart hold the same one."""
    for host, room in enumerate(case.rooms):
        if sum(case.sizes[g] for g, hosts in held.items() if host in hosts) > room:
            return True
    return case.apart and bool(held[0] & held[1])


def runs(
    case: Case, done: tuple[tuple[int, bool], ...] = ()
) -> Iterator[tuple[tuple[int, bool], ...]]:
    """Yield every sequence of starts (True) and ends (False) of steps that the waits allow."""
    begun = {n for n, starts in done if starts}
    over = {n for n, starts in done if not starts}
    going = [(n, True) for n, s in enumerate(case.steps) if n not in begun and s.after <= over]
    going += [(n, False) for n in sorted(begun - over)]
    if not going:
        yield done
    for event in going:
        yield from runs(case, (*done, event))


def goes_wrong(case: Case, run: Sequence[tuple[int, bool]]) -> bool:
    """True if something breaks at some instant of this run, or a step starts where its guest is not."""
    held = {g: frozenset({h}) for g, h in enumerate(case.homes)}
    for number, starts in run:
        step = case.steps[number]
        if starts and held[step.guest] != {step.source}:
            return True
        both = {step.source, step.target}
        held[step.guest] = frozenset(both if starts else {step.target})
        if broken(case, held):
            return True
    return False


def too_many(case: Case) -> bool:
    """True if, by the clock, more moves are on their way at some instant than may be."""
    return any(
        sum(s.start <= now.start < s.start + LONG for s in case.steps) > case.at_once
        for now in case.steps
    )


def one_by_one(case: Case) -> list[tuple[int, bool]]:
    return [(n, starts) for n in range(len(case.steps)) for starts in (True, False)]


def judged(case: Case) -> bool:
    """Return whether the judge accepts the same plan."""
    names = [f"g{i}" for i in range(len(case.sizes))]
    text = "\n".join(
        f"{host} 99c/{case.rooms[k]}g link=1000 : "
        + " | ".join(f"{names[g]} 1v/{case.sizes[g]}g" for g, h in enumerate(case.homes) if h == k)
        for k, host in enumerate(HOSTS)
    )
    rules = [Spread(guests=select("g0", "g1"))] if case.apart else []
    limits = Limits(
        at_once_per_host=9, at_once_total=case.at_once, moves_per_hour=99, hotter_on_the_way=10.0
    )
    actions = [
        move(
            names[s.guest], HOSTS[s.source], HOSTS[s.target], id=f"m{n}", start=s.start,
            waits_for=tuple(f"m{k}" for k in sorted(s.after)),
        )
        for n, s in enumerate(case.steps)
    ]  # fmt: skip
    return judge(problem(text, *rules, limits=limits), actions).valid


def check(case: Case) -> bool:
    """The judge accepts nothing that can go wrong, and refuses nothing for no reason."""
    harmful = (
        too_many(case)
        or goes_wrong(case, one_by_one(case))
        or any(goes_wrong(case, run) for run in runs(case))
    )
    accepted = judged(case)
    assert not (accepted and harmful)
    if not (accepted or harmful):  # stricter than need be in one way, said in model/loose.py
        assert any(s.after for s in case.steps[:-1])
    return harmful


@settings(max_examples=400, deadline=None)
@given(cases())
def test_the_judge_agrees_with_all_that_can_happen(case: Case) -> None:
    """Every order of starts and ends of up to four steps, replayed in plain arithmetic."""
    check(case)


@pytest.mark.soak
@settings(max_examples=20_000, deadline=None)
@given(cases())
def test_the_judge_agrees_with_all_that_can_happen_soak(case: Case) -> None:
    """The same, often."""
    check(case)


@settings(max_examples=50, deadline=None)
@given(
    puzzles(), st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4), st.booleans()), max_size=9)
)
def test_incremental_equals_full(puzzle, steps: list[tuple[int, int, bool]]) -> None:
    """After any step, what is looked at where it changed is what looking at everything anew finds.

    With a ledger kept up to date against a plain mapping, and one guest's rules against all rules.
    """
    law = Law(puzzle.problem, all_rules(puzzle.problem))
    hosts = [host.name for host in puzzle.problem.cluster.hosts]
    guests = sorted(puzzle.problem.cluster.guest)
    ledger = law.start.twin()
    known = {v.key: v.amount for v in law.worse(ledger, None)}
    for guest, host, lands in steps:
        who, where = guests[guest % len(guests)], hosts[host % len(hosts)]
        before = ledger[who]
        ledger.put(who, *(() if lands else before), where)
        touched = frozenset((*before, where))
        afresh = Law(puzzle.problem, all_rules(puzzle.problem))
        plain = dict(ledger)
        assert law.worse(ledger, None) == afresh.worse(plain, None)
        assert law.worse(ledger, touched) == afresh.worse(plain, touched)
        full = {v.key: v.amount for v in afresh.worse(plain, None)}
        mine = {v.key: v.amount for v in law.worse(ledger, touched, who)}
        assert mine.items() <= full.items()
        assert {k: n for k, n in full.items() if n > known.get(k, 0)}.items() <= mine.items()
        assert Ledger(plain) == ledger
        known = full
