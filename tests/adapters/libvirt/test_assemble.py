"""Many sightings make one cluster."""

from dataclasses import replace

import libvirt
import pytest

from balancer.adapters.libvirt.assemble import assemble
from balancer.adapters.libvirt.host_xml import NetworkFacts, PoolFacts
from balancer.config.host import HostConfig
from balancer.planner.model.cluster import GuestState
from tests.adapters.libvirt.reading import domain, sighting

OUT = libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT
IN = libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN
PAUSED = libvirt.VIR_DOMAIN_PAUSED
SHELL = {"state": PAUSED, "state_reason": libvirt.VIR_DOMAIN_PAUSED_MIGRATION}
LAN = NetworkFacts("lan", "bridge", "br0")
IMAGES = PoolFacts("images", "dir", "/var/lib/libvirt/images", "dir:")


def host(name, *domains, **known):
    config = HostConfig(name=name, uri=f"qemu+ssh://{name}/system", storage=("images",))
    given = {"config": config, "networks": (LAN,), "pools": (IMAGES,)}
    return sighting(name, *domains, **(given | known))


def ties(assembly):
    (guest,) = assembly.cluster.guests
    return [(tie.kind, tie.detail) for tie in guest.ties]


def test_a_movable_guest():
    """Its needs are names that its host offers, and nothing ties it."""
    assembly = assemble([host("a", domain(autostart=True)), host("b")])
    (guest,) = assembly.cluster.guests
    assert (guest.networks, guest.storage, guest.ties) == (("lan",), ("images",), ())
    assert (guest.persistent, guest.autostart, guest.state) == (True, True, GuestState.RUNNING)
    assert assembly.cluster.placement == {guest.uuid: "a"}
    assert assembly.doubts == ()
    a, _ = assembly.cluster.hosts
    assert a.capacity == {"cpu": 8000, "memory": 16384, "hugepages-2048": 512}


def test_declared_capacity_overrides():
    """What the operator declares counts, dimension by dimension."""
    config = HostConfig(name="a", uri="x", capacity={"memory": 1000}, labels={"rack": "r1"})
    (seen,) = assemble([sighting("a", config=config)]).cluster.hosts
    assert (seen.capacity["memory"], seen.capacity["cpu"]) == (1000, 8000)
    assert seen.labels == {"rack": "r1"}


@pytest.mark.parametrize(
    ("leaving", "arriving"),
    [
        (domain(job=OUT), domain(job=IN, **SHELL)),
        (domain(job=OUT), domain(**SHELL)),
        (domain(), domain(state=PAUSED, state_reason=libvirt.VIR_DOMAIN_PAUSED_STARTING_UP)),
        (domain(job=OUT, **SHELL), domain(job=IN)),
        (
            domain(job=OUT, state=PAUSED, state_reason=libvirt.VIR_DOMAIN_PAUSED_POSTCOPY),
            domain(job=IN),
        ),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_a_guest_in_flight_is_one_guest(leaving, arriving, swapped):
    """At every stage of a migration it is on its source, whichever host is asked first."""
    hosts = [host("a", leaving), host("b", arriving)]
    assembly = assemble(hosts[::-1] if swapped else hosts)
    (guest,) = assembly.cluster.guests
    assert assembly.cluster.placement == {guest.uuid: "a"}
    assert assembly.cluster.in_flight == {guest.uuid: "b"}
    assert ("job", "it is being migrated") in ties(assembly)
    assert assembly.doubts == ()


def test_a_guest_that_arrives_from_nowhere():
    """Its source was not seen: it weighs where it arrives, and stays."""
    assembly = assemble([host("b", domain(**SHELL))])
    assert ties(assembly) == [("job", "it is arriving from a host that is not seen")]
    assert assembly.cluster.in_flight == {}


def test_a_guest_that_runs_twice():
    """It is tied, and the operator is warned; the running copy is shown."""
    stopped = domain(state=PAUSED, state_reason=libvirt.VIR_DOMAIN_PAUSED_USER)
    assembly = assemble([host("a", stopped), host("b", domain())])
    assert set(assembly.cluster.placement.values()) == {"b"}
    (doubt,) = assembly.doubts
    assert "is active on a and b at once" in doubt
    assert [kind for kind, _ in ties(assembly)] == ["duplicate"]
    both = assemble([host("a", domain(**SHELL)), host("b", domain(**SHELL))])
    assert "at once" in both.doubts[0]


def test_what_ties_for_the_moment():
    """Jobs, snapshots, a pause and a silent QEMU are each named."""
    busy = domain(
        job=libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP,
        block_jobs=("vdb",),
        snapshots=2,
        answers=False,
        state=PAUSED,
        state_reason=libvirt.VIR_DOMAIN_PAUSED_IOERROR,
    )
    assert ties(assemble([host("a", busy)])) == [
        ("job", "block job on vdb"),
        ("job", "a backup runs"),
        ("job", "its QEMU is busy or does not answer"),
        ("snapshot", "2 snapshots; libvirt moves no such guest"),
        ("state", "it is paused by a disk error"),
    ]
    dying = domain(state=libvirt.VIR_DOMAIN_SHUTDOWN, job=99)
    assert ties(assemble([host("a", dying)])) == [
        ("job", "a job runs on it"),
        ("state", "it is shutting down"),
    ]


def test_an_unreadable_guest_stays_and_weighs():
    """One bad guest is set aside with a reason; its size is taken from its statistics."""
    stats = {"vcpu.current": 3, "balloon.maximum": 2097152}
    bad = domain(xml="<domain", uuid="u", name="bad", stats=stats)
    assembly = assemble([host("a", bad, domain()), host("b")])
    guest = assembly.cluster.guest["u"]
    assert guest.allocation == {"vcpus": 3, "memory": 2048}
    (tied,) = guest.ties
    assert (tied.kind, "malformed" in tied.detail) == ("unreadable", True)
    assert len(assembly.cluster.guests) == 2
    unknown = assemble([host("a", replace(bad, stats={}))]).cluster.guest["u"]
    assert unknown.allocation == {"vcpus": 1, "memory": 1}


def test_namesakes_and_second_definitions():
    """What libvirt would trip over, or start twice, is said once each."""
    guest = domain()
    assembly = assemble(
        [
            host("a", guest, defined={"u1": "old", "u2": "web-1"}),
            host("b", defined={guest.uuid: "web-1", "u1": "old"}),
        ]
    )
    assert assembly.doubts == (
        (
            "2 guests are named web-1 (on a, a): "
            "none can move to a host that knows another of that name"
        ),
        "guest old, shut off, is defined on a and b: undefine it on all but one",
        (
            "guest web-1 runs on a and is also defined on b: undefine it there, "
            "or it may be started twice"
        ),
    )
