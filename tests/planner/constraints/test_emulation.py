"""Guests of one architecture on hosts of another, which translate their code."""

from dataclasses import replace

import pytest

from balancer.planner.capacity.compat import matrix
from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.compatible import Compatible, why_not
from balancer.planner.formulation import formulate
from balancer.planner.model.placement import at_rest
from balancer.planner.model.policy import Allow
from balancer.planner.model.survival import losses
from tests.drawing import draw, placed, problem, select

PLAIN = "1v/1g arch=aarch64 accelerator=qemu machine=virt"
ARM = f"{PLAIN} mode=custom model=cortex-a57"
AS_IS = f"{PLAIN} mode=maximum"
BOTH = "8c/8g emulates=aarch64"


def reason(target: str, guest: str = ARM) -> str:
    """Return why the guest cannot go from a host that emulates it to this one."""
    cluster = draw(f"a {BOTH} : x {guest}\nb {target} :")
    return why_not(cluster.guests[0], *cluster.hosts)


def test_a_translated_guest_runs_wherever_its_architecture_is_translated() -> None:
    """Whatever the processors are; and where they are its own."""
    assert reason(BOTH) == ""
    assert reason(BOTH, AS_IS) == ""
    native = "8c/8g arch=aarch64 accelerators=kvm,qemu machines=virt models=cortex-a57"
    assert reason(native) == ""


@pytest.mark.parametrize(
    ("there", "guest", "because"),
    [
        ("8c/8g", ARM, "it is x86_64 and cannot emulate aarch64"),
        (BOTH, ARM.replace("=qemu", "=kvm"), "it is x86_64, the guest aarch64 under kvm"),
        (BOTH, ARM.replace("=virt", "=raspi3b"), "machine type raspi3b is unknown there"),
        (f"{BOTH} qemu=7001000", ARM, "its QEMU 7.1.0 is older than 7.2.0 on a"),
        (f"{BOTH} qemu=8000000", AS_IS, "CPU mode maximum is what QEMU 7.2.0 makes it, not 8.0.0"),
        (BOTH, f"{ARM} storage=ceph", "it lacks storage ceph"),
        (BOTH, ARM.replace("1v", "9v"), "the guest has 9 vCPUs, the host 8 cores"),
    ],
)
def test_what_keeps_a_translated_guest_away(there: str, guest: str, because: str) -> None:
    """One phrase that names the thing."""
    assert reason(there, guest) == because


@pytest.mark.parametrize(
    ("allow", "fits"), [(Allow(), False), (Allow(emulation=select("x")), True)]
)
def test_emulation_is_a_consent(allow: Allow, *, fits: bool) -> None:
    """Off until given: for the solver, the judge, and the table of who could run where."""
    rule = Compatible()
    question = problem(f"a {BOTH} : x {ARM}\nb {BOTH} :", rule)
    question = replace(question, policy=replace(question.policy, allow=allow))
    assert formulate(question, [rule], []).allowed[0].tolist() == [True, fits]
    moved = at_rest(placed(question.cluster, x="b"))
    assert (rule.violations(question, moved) == ()) == fits
    (row,) = matrix(question)
    assert (row.fits == ("b",)) == fits
    assert fits or "[allow] emulation" in row.against["b"]


def test_translated_vcpus_are_never_mixed_into_the_ratio_of_the_others() -> None:
    """On hosts with KVM they are counted apart, a core each; without, they are all there is."""
    rule = Capacity(vcpus_per_core=4.0)
    mixed = problem(f"a {BOTH} : x {ARM.replace('1v', '9v')} | y 32v/1g", rule)
    now = at_rest(mixed.cluster.placement)
    (found,) = rule.violations(mixed, now)
    assert found.sentence == "a gives out 9 emulated vCPUs, but has only 8 emulated vCPUs to give"
    assert Capacity(emulated_per_core=2).violations(mixed, now) == ()
    alone = problem("a 8c/8g accelerators=qemu : x 32v/1g accelerator=qemu", rule)
    assert rule.violations(alone, at_rest(alone.cluster.placement)) == ()


def test_they_count_where_hosts_are_lost() -> None:
    """A refuge needs cores for them, too."""
    rule = Capacity()
    question = problem(f"a {BOTH} : x {ARM}\nb {BOTH} : y 1v/1g", rule)
    lost = losses(question, 1, "host")
    assert "emulated-vcpus" in lost.sizes
