"""Translated guests use more CPU on hosts of another architecture, and every stage reckons with it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.calibrate import slower
from balancer.planner.capacity.shrink import _least_cpu, _watts
from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.headroom import Headroom
from balancer.planner.constraints.returning import Returning
from balancer.planner.formulation import Row, formulate
from balancer.planner.model.calibration import UNCALIBRATED, Calibration
from balancer.planner.model.placement import at_rest
from balancer.planner.model.plan import Plan
from balancer.planner.model.policy import Allow, Constraint, Forecast, Hot
from balancer.planner.model.problem import Problem
from balancer.planner.model.selector import EVERYTHING
from balancer.planner.model.slowness import all_there, there
from balancer.planner.objectives.balance import Balance
from balancer.planner.objectives.even import Even
from balancer.planner.objectives.overload import Overload
from balancer.planner.pipeline import plan
from balancer.planner.place.evaluate import excesses
from balancer.planner.prove import Heat, prove
from balancer.planner.resize import Sharing, wanted
from balancer.planner.worth import Currency
from tests.drawing import observation, placed, policy, problem, uuid_of
from tests.planner.puzzles import move

X86 = "16c/64g emulates=aarch64 accelerators=kvm,qemu"
ARM = "16c/64g arch=aarch64 accelerators=kvm,qemu machines=virt models=cortex-a57"
GUEST = "arch=aarch64 accelerator=qemu machine=virt mode=custom model=cortex-a57"
MIXED = f"""
    arm {ARM} : x 4v/1g cpu=1 {GUEST} | y 4v/1g cpu=3 {GUEST} | z 4v/1g cpu=2 arch=aarch64
    one {X86} : w 4v/1g cpu=1 {GUEST} | v 4v/1g cpu=2
    two {X86} :
"""
TWICE = slower(UNCALIBRATED, "aarch64", "x86_64", 2.0)


def posed(*rules: Constraint, known: Calibration = TWICE, **fields: Any) -> Problem:
    return replace(problem(MIXED, *rules, **fields), calibration=known)


def test_a_guest_uses_more_where_it_is_foreign_and_less_back_home() -> None:
    """As learned, else as the policy says; at most all of its vCPUs; guests under KVM never."""
    question = posed()
    mean = question.demand.mean

    def cpu(name: str, host: str) -> int:
        return question.on(host, uuid_of(name), mean)["cpu"]

    assert [cpu("x", host) for host in ("arm", "one", "two")] == [1000, 2000, 2000]
    assert cpu("y", "two") == 4000
    assert cpu("w", "arm") == 500
    assert cpu("w", "two") == 1000
    assert {uuid_of("z"), uuid_of("v")}.isdisjoint(question.slower)
    usual = posed(known=UNCALIBRATED, rules=policy(forecast=Forecast(slowdown=1.5)))
    assert usual.on("one", uuid_of("x"), mean)["cpu"] == 1500
    assert usual.on("one", uuid_of("x"), {}) == {}


@given(st.integers(0, 10_000), st.integers(1, 100_000), st.integers(0, 64_000))
def test_one_and_many_are_reckoned_alike(amount: int, ratio: int, most: int) -> None:
    """And more is never less than what it is here."""
    one = there(amount, ratio, most)
    (many,) = all_there(np.array([amount]), np.array([ratio]), np.array([most]))
    assert one == many
    assert one >= amount if ratio >= 1000 else one <= amount


@pytest.mark.parametrize("where", ["arm", "one", "two"])
@pytest.mark.parametrize("goal", [Overload(), Balance(within=0.0), Even(cpu=1)])
def test_rows_sum_up_what_each_host_would_bear(goal: object, where: str) -> None:
    """The excesses of all kinds' rows are those of one row over the truth."""
    question = posed(objectives=(goal,))
    formulation = formulate(question)
    target = formulation.start.copy()
    target[formulation.guest_number[uuid_of("x")]] = formulation.site_number[where]
    reached = placed(question.cluster, x=where)
    borne = {
        host: sum(
            question.on(host, uuid, question.demand.mean)["cpu"]
            for uuid, there in reached.items()
            if there == host
        )
        for host in formulation.site_number
    }
    rows = [p for p in formulation.primitives if isinstance(p, Row) and "cpu" in p.label]
    ways = 2 if isinstance(goal, Even) else 1
    assert len(rows) == 2 * ways
    for way in range(ways):
        mine = rows[2 * way : 2 * way + 2]
        limit = np.minimum.reduce([row.limit for row in mine])
        total = np.array(list(borne.values())) * (1 if way == 0 else -1)
        wanted = np.maximum(0, total - limit)
        found = sum(excesses(formulation, replace(row, scale=None), target) for row in mine)
        assert (found == wanted).all()


def test_solver_and_judge_see_the_same_room() -> None:
    """A share that stays free is broken by what the guest takes there, not by what it takes here."""
    rule = Headroom(cpu=0.7, hard=True)
    question = posed(rule)
    formulation = formulate(question, [rule], [])
    for target in ("one", "two"):
        reached = placed(question.cluster, y=target)
        found = rule.violations(question, at_rest(reached))
        sites = np.array(
            [formulation.site_number[reached[g.uuid]] for g in question.cluster.guests]
        )
        over = np.sum([excesses(formulation, r, sites) for r in formulation.primitives], axis=0)
        assert {v.subject: v.amount for v in found} == {
            host: int(over[site]) for host, site in formulation.site_number.items() if over[site]
        }


def test_heat_and_waiting_are_those_of_the_host_it_comes_to() -> None:
    """What a move makes of its target is told by what the guest uses there."""
    question = posed(rules=policy(hot=Hot(cpu_used=0.1)))
    heat = Heat(question)
    before = heat.total
    heat.move(uuid_of("x"), "arm", "two")
    assert heat.total - before == pytest.approx(1000 * (2 / 16 - 0.1) - 1000 / 16, abs=2)
    one_core = replace(
        question,
        cluster=replace(
            question.cluster,
            hosts=tuple(
                replace(h, capacity={**h.capacity, "cpu": 1000}) for h in question.cluster.hosts
            ),
        ),
    )
    currency = Currency(one_core)
    reached = placed(question.cluster, y="two")
    (waits,) = currency.waits(reached, ["two"])
    assert waits > 2.9
    sums = currency.sums(reached)
    plain = Currency(replace(one_core, calibration=slower(UNCALIBRATED, "aarch64", "x86_64", 1.0)))
    assert currency.saved(sums, uuid_of("y"), "arm", "two") < plain.saved(
        plain.sums(reached), uuid_of("y"), "arm", "two"
    )


@pytest.mark.parametrize(("known", "basis"), [(UNCALIBRATED, "by forecast"), (TWICE, "as others")])
def test_the_reason_tells_what_becomes_of_its_use(known: Calibration, basis: str) -> None:
    """And by what that is known; an idle guest uses nothing anywhere."""
    text = f"arm {ARM} : x 8v/1g cpu=3 {GUEST} | i 16v/1g arch=aarch64 cpu=10 | j 1v/1g {GUEST}\none {X86} :"
    asked = policy(
        Capacity(),
        objectives=(Overload(),),
        hot=Hot(cpu_used=0.8, lasting=0.0),
        allow=Allow(emulation=EVERYTHING),
    )
    made = plan(replace(observation(text), calibration=known), asked)
    assert isinstance(made, Plan)
    (action,) = made.actions
    assert action.name == "x"
    assert "times the CPU there" in action.reason
    assert basis in action.reason
    after = {line.host: line.after["cpu"] for line in made.loads}
    assert after["one"] == (6000 if known is TWICE else 3300)


def test_what_cannot_be_believed_teaches_nothing() -> None:
    """A thousandfold is a fault of measuring; the rest is a mean that fades."""
    assert slower(TWICE, "aarch64", "x86_64", 1000.0) is TWICE
    known = slower(TWICE, "aarch64", "x86_64", 3.0).slowdowns["aarch64"]["x86_64"]
    assert (known.value, known.jobs) == (2.5, 2)


def test_proofs_and_divisions_are_of_the_host_it_comes_to() -> None:
    """The room that is left there, and what it wants there of what is divided."""
    question = posed()
    (proof,) = prove(question, [move("x", "arm", "two")])
    assert proof.target.cpu_millicores == 16_000 - 2000
    guest = question.cluster.guest[uuid_of("x")]
    assert wanted(question, guest, "two") == 2000
    assert Sharing(question, {}, "two", [guest]).wanted.tolist() == [2000.0]


@pytest.mark.parametrize(("known", "barred"), [(UNCALIBRATED, False), (TWICE, True)])
def test_going_back_pays_by_what_it_uses_there(known: Calibration, *, barred: bool) -> None:
    """It would bring the host that it left near its limit again, which at home's use it would not."""
    text = f"arm {ARM} : x 16v/1g cpu=7 {GUEST} | z 8v/1g cpu=8 arch=aarch64\none {X86} :"
    question = replace(
        problem(text, Returning(), rules=policy(hot=Hot(cpu_used=0.8))),
        calibration=known,
        left={uuid_of("x"): frozenset({"one"})},
    )
    found = Returning().violations(question, at_rest(placed(question.cluster, x="one")))
    assert bool(found) == barred


def test_what_hosts_draw_and_how_few_would_do_are_reckoned_with_it() -> None:
    """A host that takes a foreign guest draws more; a bound counts what it uses where that is least."""
    question = posed()
    assert _watts(question, placed(question.cluster, x="two")) > _watts(
        replace(question, calibration=slower(UNCALIBRATED, "aarch64", "x86_64", 1.0)),
        placed(question.cluster, x="two"),
    )
    assert _least_cpu(question, uuid_of("w")) == 500
    assert _least_cpu(question, uuid_of("x")) == _least_cpu(question, uuid_of("v")) // 2 == 1000


def test_work_for_which_a_guest_has_no_vcpu_waits_within_it() -> None:
    """Three busy vCPUs of four are six where it is twice as slow: four run, two wait, on an empty host."""
    question = posed()
    currency = Currency(question)
    (waits,) = currency.waits(placed(question.cluster, y="two"), ["two"])
    assert waits == pytest.approx(2.0, abs=0.01)
    saved = currency.saved(
        currency.sums(placed(question.cluster, y="two")), uuid_of("y"), "arm", "two"
    )
    assert saved == pytest.approx(-2.0 * currency.horizon, rel=0.01)
