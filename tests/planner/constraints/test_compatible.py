"""Whether a guest can run on another host."""

import pytest
from hypothesis import given

from balancer.planner.constraints.compatible import Compatible, why_not
from balancer.planner.formulation import formulate
from balancer.planner.model.fitting import against
from balancer.planner.model.placement import at_rest
from balancer.planner.model.problem import Problem
from tests.drawing import draw, placed, problem, problems

HOST = "8c/8g models=Haswell machines=q35 networks=lan storage=ceph devices=mdev cpu-model=Epyc"
GUEST = "1v/1g model=Haswell machine=q35 networks=lan storage=ceph devices=mdev"


def reason(target: str, guest: str = GUEST, source: str = HOST) -> str:
    """Return why the guest cannot go from host a to host b."""
    cluster = draw(f"a {source} : x {guest}\nb {target} :")
    return why_not(cluster.guests[0], *cluster.hosts)


def test_alike_hosts_are_compatible() -> None:
    """Everything the guest needs is there."""
    assert reason(HOST) == ""


@pytest.mark.parametrize(
    ("there", "because"),
    [
        ("arch=aarch64", "it is aarch64, the guest x86_64 under kvm"),
        ("accelerators=tcg", "it has no kvm"),
        ("models=Skylake", "CPU model Haswell is not usable there"),
        ("machines=pc", "machine type q35 is unknown there"),
        ("networks=dmz", "it lacks network lan"),
        ("storage=nfs", "it lacks storage ceph"),
        ("devices=gpu", "it lacks device mdev"),
        ("qemu=7001000", "its QEMU 7.1.0 is older than 7.2.0 on a"),
        ("qemu=0", "the QEMU version of b is unknown"),
    ],
)
def test_what_does_not_fit_is_named(there: str, because: str) -> None:
    """One phrase that names the thing."""
    assert reason(f"{HOST} {there}") == because


def test_a_guest_is_not_squeezed_into_fewer_cores_than_it_has() -> None:
    """However much vCPUs may be overcommitted."""
    assert reason("2c/8g", "4v/1g", "8c/8g") == "the guest has 4 vCPUs, the host 2 cores"


def test_unknown_means_no() -> None:
    """A version nobody knows cannot be shown not to go backwards."""
    assert reason(HOST, source=f"{HOST} qemu=0") == "the QEMU version of a is unknown"


def test_newer_qemu_is_fine() -> None:
    """Only backwards is forbidden."""
    assert reason(f"{HOST} qemu=9000000") == ""


@pytest.mark.parametrize("mode", ["host-passthrough", "host-model", "maximum"])
def test_a_guest_that_sees_its_host_s_processor_needs_the_same(mode: str) -> None:
    """Same model, and every feature of the source."""
    guest = f"1v/1g mode={mode}"
    assert reason(HOST, guest) == ""
    assert reason(f"{HOST} cpu-model=Xeon", guest) == (
        f"CPU mode {mode} needs the processor of a (Epyc), it has Xeon"
    )
    assert reason("8c/8g", guest, "8c/8g") == (
        f"CPU mode {mode} needs the processor of a (unknown), it has an unknown one"
    )
    assert reason(HOST, guest, f"{HOST} features=avx,sse") == "it lacks CPU feature avx, sse"


def test_features_beyond_the_model_are_needed_too() -> None:
    """A named model says nothing of what was added to it."""
    assert reason(HOST, f"{GUEST} features=avx") == "it lacks CPU feature avx"
    assert reason(f"{HOST} features=avx", f"{GUEST} features=avx") == ""


def test_staying_is_always_allowed() -> None:
    """Even where nothing fits any more."""
    cluster = draw("a 1c/1g arch=aarch64 : x 4v/1g")
    assert why_not(cluster.guests[0], cluster.hosts[0], cluster.hosts[0]) == ""


def test_the_judge_names_guest_host_and_reason() -> None:
    """In one sentence."""
    rule = Compatible()
    question = problem("a 8c/8g : x 1v/1g networks=lan\nb 8c/8g :")
    found = rule.violations(question, at_rest(placed(question.cluster, x="b")))
    assert [v.sentence for v in found] == ["x cannot run on b: it lacks network lan"]


@given(problems())
def test_what_is_forbidden_is_what_does_not_fit(question: Problem) -> None:
    """Looking once at all that are alike gives what looking at each would."""
    formulation = formulate(question, [Compatible()], [])
    for guest, allowed in zip(question.cluster.guests, formulation.allowed, strict=True):
        fits = [not against(question, guest, host.name) for host in question.cluster.hosts]
        assert allowed.tolist() == fits
