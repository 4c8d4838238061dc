"""The judge against plans spoilt on purpose: whatever does harm in plain terms is caught.

A mutation that a replay in plain terms finds harmless is set aside and counted. And no plan that
ordering makes is refused.
"""

import json
import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from balancer.planner.model.plan import Migration
from balancer.planner.order.schedule import order
from balancer.planner.verify import judge
from tests.planner.plain import World, harm, world

Plan = list[Migration]
MUTANTS = 14
"""Of each good plan."""


def _at(plan: Plan, rng: random.Random, change: Callable[[Migration], Migration]) -> Plan:
    i = rng.randrange(len(plan))
    return [*plan[:i], change(plan[i]), *plan[i + 1 :]]


def elsewhere(w: World, plan: Plan, rng: random.Random) -> Plan:
    return _at(plan, rng, lambda a: replace(a, target=rng.choice([*w.room, "nowhere"])))


def from_elsewhere(w: World, plan: Plan, rng: random.Random) -> Plan:
    return _at(plan, rng, lambda a: replace(a, source=rng.choice(list(w.room))))


def another_guest(w: World, plan: Plan, rng: random.Random) -> Plan:
    return _at(plan, rng, lambda a: replace(a, guest=rng.choice([*w.size, "nobody"])))


def without_a_wait(_w: World, plan: Plan, rng: random.Random) -> Plan:
    waiting = [i for i, a in enumerate(plan) if a.waits_for]
    if not waiting:
        return plan
    i = rng.choice(waiting)
    kept = list(plan[i].waits_for)
    kept.pop(rng.randrange(len(kept)))
    return [*plan[:i], replace(plan[i], waits_for=tuple(kept)), *plan[i + 1 :]]


def another_wait(_w: World, plan: Plan, rng: random.Random) -> Plan:
    other = rng.choice([a.id for a in plan] + ["m99"])
    return _at(plan, rng, lambda a: replace(a, waits_for=(*a.waits_for, other)))


def dropped(_w: World, plan: Plan, rng: random.Random) -> Plan:
    i = rng.randrange(len(plan))
    gone = plan[i].id
    rest = [a for k, a in enumerate(plan) if k != i]
    keep_waits = rng.random() < 0.3
    return [
        a if keep_waits else replace(a, waits_for=tuple(x for x in a.waits_for if x != gone))
        for a in rest
    ]


def swapped(_w: World, plan: Plan, rng: random.Random) -> Plan:
    i, k = rng.randrange(len(plan)), rng.randrange(len(plan))
    found = list(plan)
    found[i], found[k] = found[k], found[i]
    return found


def swapped_targets(_w: World, plan: Plan, rng: random.Random) -> Plan:
    i, k = rng.randrange(len(plan)), rng.randrange(len(plan))
    found = list(plan)
    found[i] = replace(plan[i], target=plan[k].target)
    found[k] = replace(plan[k], target=plan[i].target)
    return found


def earlier(_w: World, plan: Plan, rng: random.Random) -> Plan:
    back = rng.choice([0.01, 1.0, 10.0, 1000.0])
    return _at(plan, rng, lambda a: replace(a, start=max(rng.choice([0.0, -1.0]), a.start - back)))


def longer(_w: World, plan: Plan, rng: random.Random) -> Plan:
    times = rng.choice([1.1, 2.0, 10.0, float("nan"), float("inf"), -1.0, 0.0])
    return _at(
        plan, rng,
        lambda a: replace(a, predicted=replace(a.predicted, seconds=a.predicted.seconds * times)),
    )  # fmt: skip


def faster(_w: World, plan: Plan, rng: random.Random) -> Plan:
    times = rng.choice([0, -1, 2, 100, 1.5])
    return _at(plan, rng, lambda a: replace(a, rate_kib_s=int(a.rate_kib_s * times)))


def longer_pause(_w: World, plan: Plan, rng: random.Random) -> Plan:
    pause = rng.choice([0, -5, 301, 10_000, 200])
    return _at(plan, rng, lambda a: replace(a, downtime_ms=pause))


def twice(_w: World, plan: Plan, rng: random.Random) -> Plan:
    a = rng.choice(plan)
    i = rng.randrange(len(plan) + 1)
    new = a.id if rng.random() < 0.3 else "again"
    return [*plan[:i], replace(a, id=new), *plan[i:]]


def aside(_w: World, plan: Plan, rng: random.Random) -> Plan:
    return _at(plan, rng, lambda a: replace(a, temporary=not a.temporary))


def at_once(_w: World, plan: Plan, _rng: random.Random) -> Plan:
    return [replace(a, start=0.0) for a in plan]


def no_waits(_w: World, plan: Plan, _rng: random.Random) -> Plan:
    return [replace(a, waits_for=()) for a in plan]


KINDS: Sequence[Callable[[World, Plan, random.Random], Plan]] = (
    elsewhere, from_elsewhere, another_guest, without_a_wait, another_wait, dropped, swapped,
    swapped_targets, earlier, longer, faster, longer_pause, twice, aside, at_once, no_waits,
)  # fmt: skip


@dataclass
class Assize:
    """What was judged, and how."""

    good: int = 0
    harmless: int = 0
    alarms: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    caught: Counter[str] = field(default_factory=Counter)

    def hear(self, seed: int, most: int) -> None:
        """Judge the good plan of this seed, and its mutants as long as there are not `most`."""
        w = world(seed)
        plan = list(order(w.problem, w.target).actions)
        if not 0 < len(plan) <= w.moves:
            return  # nothing to judge, or more than an hour may have: the pipeline's to trim
        self.good += 1
        wrong = next(iter(judge(w.problem, plan).faults), "") or harm(w, plan)
        if wrong:
            self.alarms.append(f"seed {seed}: {wrong}")
        rng = random.Random(seed)
        for kind in rng.sample(KINDS, MUTANTS):
            if self.caught.total() + len(self.missed) < most:
                self.try_one(w, kind(w, plan, rng), f"seed {seed}, {kind.__name__}", kind.__name__)

    def try_one(self, w: World, mutant: Plan, said: str, kind: str) -> None:
        why = harm(w, mutant)
        if not why:
            self.harmless += 1
        elif judge(w.problem, mutant).valid:
            self.missed.append(f"{said}: {why}")
        else:
            self.caught[kind] += 1

    def told(self) -> dict[str, object]:
        """Return the counts."""
        return {**vars(self), "caught": self.caught.total(), "by_kind": dict(self.caught)}


def assize(seeds: range, most: int) -> dict[str, object]:
    """Judge good plans of these seeds, and up to `most` harmful mutants; return the counts."""
    court = Assize()
    for seed in seeds:
        court.hear(seed, most)
    return court.told()


def held(found: dict[str, object]) -> None:
    if folder := os.environ.get("BALANCER_FIGURES"):
        Path(folder, "judge.json").write_text(json.dumps(found, indent=1))
    assert found["alarms"] == []
    assert found["missed"] == []


@pytest.mark.slow
def test_harm_is_caught_and_nothing_else():
    """A hundredth of the soak: 100 good plans, about 1,000 harmful ones."""
    found = assize(range(140), 1_000)
    held(found)
    assert found["good"] > 90


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_harm_is_caught_and_nothing_else_in_depth():
    """10,000 good plans, 100,000 mutants that do harm."""
    found = assize(range(100_000, 114_500), 100_000)
    held(found)
    assert found["good"] >= 10_000
    assert found["caught"] == 100_000
