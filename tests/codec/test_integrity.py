"""Documents whose form is right and whose content contradicts itself are refused."""

from dataclasses import replace

import pytest

from balancer.codec import dump_observation, dump_plan, load_observation, load_plan
from balancer.codec.integrity import observation_faults, plan_faults
from balancer.planner.model.cluster import NumaCell
from balancer.planner.model.observation import History, Observation, Sample
from balancer.planner.model.plan import Plan
from balancer.ports import UsageError
from tests.codec.documents import PLAN, SMALL
from tests.drawing import uuid_of

WEB, DB = uuid_of("web-1"), uuid_of("db-1")


def with_cluster(**changes: object) -> Observation:
    return replace(SMALL, cluster=replace(SMALL.cluster, **changes))  # type: ignore[arg-type]


def with_host(**changes: object) -> Observation:
    first, *others = SMALL.cluster.hosts
    return with_cluster(hosts=(replace(first, **changes), *others))  # type: ignore[arg-type]


def with_guest(**changes: object) -> Observation:
    first, *others = SMALL.cluster.guests
    return with_cluster(guests=(replace(first, **changes), *others))  # type: ignore[arg-type]


def with_action(**changes: object) -> Plan:
    first, *others = PLAN.actions
    return replace(PLAN, actions=(replace(first, **changes), *others))  # type: ignore[arg-type]


def with_samples(*samples: Sample) -> Observation:
    return replace(SMALL, history=History({WEB: samples}))


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (replace(SMALL, at=-1.0), "observation.at = -1.0: must be at least 0"),
        (with_cluster(hosts=SMALL.cluster.hosts * 2), "host name 'a' occurs 2 times"),
        (with_cluster(guests=SMALL.cluster.guests * 2), f"uuid '{WEB}' occurs 2 times"),
        (with_guest(name="db-1"), "2 guests named 'db-1' on host 'a'"),
        (with_guest(uuid=""), "an empty uuid"),
        (with_cluster(placement={WEB: "a"}), f"guest 'db-1' ({DB}) is missing"),
        (with_cluster(placement={WEB: "a", DB: "c"}), f"placement[{DB}] = 'c': no such host"),
        (with_cluster(in_flight={"x": "a"}), "in_flight: 'x' is the uuid of no guest here"),
        (with_cluster(in_flight={DB: "a"}), "in flight to where it is already"),
        (with_host(capacity={"cpu": -1}), "hosts[0].capacity.cpu = -1: must be"),
        (with_host(capacity={"cpus": 1}), "capacity.cpus: unknown resource; did you mean"),
        (with_host(reserve={"zzz": 1}), "reserve.zzz: unknown resource; known are cpu,"),
        (with_host(link_kib_s=2**53), "link_kib_s"),
        (with_host(numa=(NumaCell(id=3, cpus=-1, memory_mib=1),)), "numa[3].cpus = -1"),
        (with_guest(allocation={"memory": -5}), "guests[0].allocation.memory = -5"),
        (with_samples(Sample(1.0, 1.0, {"memory.res": 1})), "did you mean 'memory.rss'?"),
        (with_samples(Sample(2.0, 1.0, {}), Sample(1.0, 1.0, {})), "put the newest last"),
        (with_samples(Sample(2.0, -1.0, {})), "window = -1.0"),
    ],
)
def test_an_observation_that_contradicts_itself(seen: Observation, said: str) -> None:
    """Each contradiction is named with its place."""
    with pytest.raises(UsageError) as caught:
        load_observation(dump_observation(seen), "case.json")
    assert said in str(caught.value)
    assert str(caught.value).startswith("case.json: observation.")


def test_two_guests_of_one_name_on_two_hosts_are_sound() -> None:
    """libvirt keeps names unique on one host only."""
    twin = with_guest(name="db-1")
    apart = replace(
        twin, cluster=replace(twin.cluster, placement={WEB: "b", DB: "a"}, in_flight={})
    )
    assert observation_faults(apart) == ()


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (with_action(id="2"), "id '2' occurs 2 times"),
        (with_action(waits_for=("9",)), "actions[0].waits_for: '9' is the id of no action"),
        (with_action(waits_for=("2",)), "none of them could ever start"),
        (with_action(target="a"), "the guest is there already"),
        (with_action(rate_kib_s=-1), "actions[0].rate_kib_s = -1"),
        (replace(PLAN, made_at=-1.0), "plan.made_at = -1.0"),
    ],
)
def test_a_plan_that_contradicts_itself(plan: Plan, said: str) -> None:
    """Each contradiction is named with its place."""
    with pytest.raises(UsageError) as caught:
        load_plan(dump_plan(plan), "p.json")
    assert said in str(caught.value)


def test_more_contradictions_are_counted() -> None:
    """One sentence, and how many more there are."""
    bad = replace(SMALL, at=-1.0, history=History({WEB: (Sample(-1.0, -1.0, {}),)}))
    with pytest.raises(UsageError, match=r"\(and 2 more\)"):
        load_observation(dump_observation(bad))
    assert plan_faults(PLAN) == ()
