"""What guests may have is changed where they are, and shows in what they get."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from balancer.adapters.libvirt.executor import LibvirtExecutor
from balancer.adapters.libvirt.inventory import LibvirtInventory
from balancer.adapters.libvirt.vcpus import NEXT_BOOT
from balancer.planner.model.knobs import Knobs
from balancer.planner.model.plan import Plan
from balancer.planner.model.resize import Resize, What
from balancer.planner.model.result import Result
from balancer.ports import Ports
from balancer.service import turn
from balancer.service.resizing import keep_watch
from balancer.service.returning import way_back

from .cluster import Laboratory
from .guest import Guest, GuestSpec, Load
from .operator import Operator
from .planner import AT_ONCE, Planner, until
from .settings import LOCAL
from .test_execute import PATIENCE, WallClock, config

BUSY = Load(cpu=100)
NO_SHAPING = "qdisc kind is unknown"
"""What tc says where the kernel has none of what libvirt shapes traffic with."""


@pytest.fixture
def executor(lab: Laboratory) -> Iterator[LibvirtExecutor]:
    """The product's executor."""
    made = LibvirtExecutor([config(h) for h in lab.hosts.values()], WallClock(), PATIENCE)
    yield made
    made.close()


def resize(guest: Guest, what: What, before: int, after: int) -> Resize:
    """A change of a guest on h1."""
    return Resize(
        id="r1",
        guest=guest.uuid,
        name=guest.name,
        host="h1",
        what=what,
        before=before,
        after=after,
    )


def used(guests: list[Guest], seconds: float = 0.7) -> list[float]:
    """Return the cores that the guests' vCPUs get."""

    def read() -> list[int]:
        return [
            sum(cpu["vcpu_time"] for cpu in guest.domain().getCPUStats(False)) for guest in guests
        ]

    before, began = read(), time.monotonic()
    time.sleep(seconds)
    after, span = read(), time.monotonic() - began
    return [(b - a) / 1e9 / span for a, b in zip(before, after, strict=True)]


def knobs(lab: Laboratory) -> dict[str, Knobs | None]:
    """Return what the product sees of the guests' settings, by name."""
    inventory = LibvirtInventory([config(h) for h in lab.hosts.values()], WallClock())
    try:
        return {g.name: g.knobs for g in inventory.observe().cluster.guests}
    finally:
        inventory.close()


def test_shares_and_quota_take_effect_in_the_guests(
    lab: Laboratory, executor: LibvirtExecutor
) -> None:
    """Of two busy guests on one processor one gives way; a quota holds it to so much, and is lifted."""
    one, two = lab.boot(
        GuestSpec("one", load=BUSY, nic=False), GuestSpec("two", load=BUSY, nic=False)
    )
    for guest in (one, two):
        guest.domain().pinVcpu(0, (True, False))
    even = used([one, two])
    assert 0.5 < even[0] / even[1] < 2
    assert executor.resize(resize(two, What.SHARES, 1000, 50)) == ""
    given = used([one, two])
    assert given[0] > 5 * given[1], given
    assert executor.resize(resize(one, What.QUOTA, 0, 200)) == ""
    held = used([one, two])
    assert held[0] < 0.3, held
    assert held[1] > given[1]
    seen = knobs(lab)
    assert (seen["one"].quota, seen["two"].shares) == (200, 50)  # type: ignore[union-attr]
    assert executor.resize(resize(one, What.QUOTA, 200, 0)) == ""
    assert executor.resize(resize(two, What.SHARES, 50, 1000)) == ""
    seen = knobs(lab)
    assert (seen["one"].quota, seen["two"].shares) == (0, 1000)  # type: ignore[union-attr]
    two.destroy()
    assert "Domain not found" in executor.resize(resize(two, What.SHARES, 1000, 50))


POLICY = """
[capacity]
memory_overcommit = 2
keep_for_hypervisor = "0MiB"

[[resize]]
guests = "hot"
memory = true
idle = "0min"
margin = 0.5

[[resize]]
guests = "idle"
memory = true
idle = "0min"
margin = 2
step = "64MiB"
"""


def mib(guest: Guest) -> int:
    """Return the memory that its balloon leaves a guest."""
    return int(guest.domain().memoryStats()["actual"]) // 1024


def resized(ports: Ports, planner: Planner, until_who: str) -> list[tuple[str, bool]]:
    """Look again while the guest's own statistics are late; return who was resized, shrunk or not."""
    done: list[tuple[str, bool]] = []

    def seen() -> bool:
        report = turn.cycle(ports, planner.policy, AT_ONCE)
        assert isinstance(report.decision, Plan)
        assert report.decision.actions == ()
        done.extend((one.name, one.shrinks) for one in report.decision.resizes)
        return until_who in [name for name, _ in done]

    until(seen, patience=20, what=f"for {until_who} to be resized: {done}")
    return done


def test_a_hot_guest_is_given_what_an_idle_one_does_not_use(
    lab: Laboratory, tmp_path: Path
) -> None:
    """Nothing moves, relief comes within seconds; once the idle one wakes it has all of it back."""
    hot, idle = lab.boot(
        GuestSpec("hot", memory_mib=256, autodeflate=True, nic=False),
        GuestSpec("idle", memory_mib=256, autodeflate=True, nic=False),
    )
    hot.domain().setMemoryFlags(128 << 10, 0)
    until(lambda: hot.domain().info()[2] >> 10 == 128)  # what libvirt tells follows by up to 1 s
    hot.set_load(set=60)
    small = {"capacity": {"cpu": 2, "memory": "392MiB"}}
    planner = Planner(Operator(lab, tmp_path).configure(POLICY, h1=small))
    try:
        ports = replace(planner.ports, stays=True)
        usable = lambda: hot.domain().memoryStats().get("usable", 1 << 30) // 1024  # noqa: E731
        until(lambda: usable() < 22, what=f"for pressure: {hot.domain().memoryStats()}")
        began = time.monotonic()
        done = resized(ports, planner, until_who="hot")
        took = time.monotonic() - began
        assert done == [("idle", True), ("hot", False)]
        given, left = mib(hot), mib(idle)
        assert given > 140, (given, left)
        assert left < 240
        assert took < 5, took
        idle.set_load(set=200)  # as much of it as there is
        until(lambda: mib(idle) == 256, what="for what was taken to be given back")
        (back,) = until(lambda: keep_watch(ports, turn.observe(ports, planner.policy)))
        assert (back.result, back.resize.after) == (Result.DONE, 256)
        assert lab.placement() == {"hot": ["h1"], "idle": ["h1"]}
    finally:
        planner.close()


VCPUS = """
[hot]
lasting = "0min"

[[resize]]
guests = "busy"
vcpus = true
limit = 1.5
"""


def test_a_vcpu_is_plugged_into_a_guest_that_uses_all_it_has(
    lab: Laboratory, tmp_path: Path
) -> None:
    """The guest sees it and works with it, within its limit; no more is done the next time."""
    (busy,) = lab.boot(GuestSpec("busy", vcpus=1, max_vcpus=2, load=BUSY, nic=False))
    planner = Planner(
        Operator(lab, tmp_path).configure(VCPUS, h1={"capacity": {"cpu": 4, "memory": "4GiB"}})
    )
    try:
        until(lambda: used([busy], 0.3)[0] > 0.9)
        resized(planner.ports, planner, until_who="busy")
        assert busy.load()["cpus"] == 2
        assert [e.data["resized"]["result"] for e in planner.events("resized")] == ["done"] * 2  # type: ignore[index]
        assert (seen := knobs(lab)["busy"]) is not None
        assert (seen.quota, seen.most_vcpus, seen.plugged_vcpus) == (1500, 2, 1)
        second = lambda: busy.domain().vcpus()[0][1][2]  # noqa: E731 - its nanoseconds
        before = second()
        assert used([busy], 1.0)[0] < 1.7
        assert second() - before > 2e8
    finally:
        planner.close()


@pytest.mark.soak
def test_a_vcpu_that_a_kernel_keeps_goes_at_the_next_boot(
    lab: Laboratory, executor: LibvirtExecutor
) -> None:
    """The guests here cannot let one go: that is said, and it counts until then."""
    (busy,) = lab.boot(GuestSpec("busy", vcpus=1, max_vcpus=2, nic=False))
    assert executor.resize(resize(busy, What.VCPUS, 1, 2)) == ""
    assert busy.load()["cpus"] == 2
    assert executor.resize(resize(busy, What.VCPUS, 2, 1)) == NEXT_BOOT
    assert (seen := knobs(lab)["busy"]) is not None
    assert (seen.most_vcpus, seen.plugged_vcpus) == (2, 1)
    assert busy.domain().vcpusFlags(1) == 2
    busy.domain().destroy()
    busy.start()
    assert busy.wait_ready().domain().vcpusFlags(1) == 1


PLUGGED = """
[capacity]
keep_for_hypervisor = "0MiB"

[[resize]]
guests = "hot"
memory = true
idle = "0min"
margin = 3

[[resize]]
guests = "idle"
memory = true
idle = "0min"
margin = 1
"""


def plugged(lab: Laboratory) -> dict[str, int]:
    """Return the memory that is plugged into each guest, MiB."""
    return {name: seen.plugged for name, seen in knobs(lab).items() if seen is not None}


@pytest.mark.soak
def test_memory_is_plugged_where_a_neighbour_gives_some_back(
    lab: Laboratory, tmp_path: Path, executor: LibvirtExecutor
) -> None:
    """By virtio-mem: the idle one gives what was plugged, the hot one has it within seconds."""
    hot, idle = lab.boot(
        GuestSpec("hot", memory_mib=128, most_mib=384, nic=False),
        GuestSpec("idle", memory_mib=128, most_mib=384, nic=False),
    )
    assert executor.resize(resize(idle, What.PLUGGED, 0, 128)) == ""
    until(lambda: idle.domain().memoryStats()["available"] > 120 << 10, patience=10)
    hot.set_load(set=30)
    small = {"capacity": {"cpu": 2, "memory": "392MiB"}}
    planner = Planner(Operator(lab, tmp_path).configure(PLUGGED, h1=small))
    try:
        ports = replace(planner.ports, stays=True)
        usable = lambda: hot.domain().memoryStats().get("usable", 1 << 30) // 1024  # noqa: E731
        until(lambda: usable() < 25, what=f"for pressure: {hot.domain().memoryStats()}")
        began = time.monotonic()
        done = resized(ports, planner, until_who="hot")
        took = time.monotonic() - began
        assert done == [("idle", True), ("hot", False)]
        assert plugged(lab)["hot"] > 0
        assert plugged(lab)["idle"] < 128
        assert took < 8, took
        assert hot.domain().memoryStats()["available"] > 62 << 10
        idle.set_load(set=120)
        until(
            lambda: plugged(lab)["idle"] == 128, patience=15, what="for what was taken to be back"
        )
        (back,) = until(lambda: keep_watch(ports, turn.observe(ports, planner.policy)))
        assert (back.result, back.resize.what) == (Result.DONE, What.PLUGGED)
        idle.migrate("h2")
        assert plugged(lab)["idle"] == 128
    finally:
        planner.close()


class _Killed(BaseException):
    """Ends a planner as a signal does."""


def test_what_a_killed_planner_left_is_mended(lab: Laboratory, tmp_path: Path) -> None:
    """It died with the setting made and the journal not told: the next cycle tells it, and goes on."""
    one, two = lab.boot(GuestSpec("one", nic=False), GuestSpec("two", nic=False))
    operator = Operator(lab, tmp_path).configure('[[resize]]\nguests = "*"\nlimit = 0.5\n')
    planner = Planner(operator)
    make = planner.executor.resize

    def killed(wanted: Resize) -> str:
        make(wanted)
        raise _Killed

    planner.executor.resize = killed
    try:
        with pytest.raises(_Killed):
            turn.cycle(planner.ports, planner.policy, AT_ONCE)
        assert [e.kind for e in planner.events("resizing", "resized")] == ["resizing"]
    finally:
        planner.close()
    planner = Planner(operator)
    try:
        turn.cycle(planner.ports, planner.policy, AT_ONCE)
        ends = [(e.data["resized"]["resize"]["name"], e.data["resized"]["result"])  # type: ignore[index]
                for e in planner.events("resized")]  # fmt: skip
        assert ends == [("one", "done"), ("two", "done")]
        for guest in (one, two):
            assert guest.domain().schedulerParametersFlags(1)["vcpu_quota"] == 50_000
    finally:
        planner.close()


def test_a_balloon_that_does_not_answer_is_put_back(
    lab: Laboratory, executor: LibvirtExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guest that stands still follows no balloon: it keeps what it had, and that is said."""
    monkeypatch.setattr("balancer.adapters.libvirt.balloon.ANSWERING", 1.0)
    (deaf,) = lab.boot(GuestSpec("deaf", memory_mib=256, autodeflate=True, nic=False))
    domain = deaf.domain()
    domain.suspend()
    taken = replace(resize(deaf, What.BALLOON, 256, 160), step=64, keep=32)
    assert executor.resize(taken) == "its balloon does not answer: put back to 256 MiB"
    domain.resume()
    time.sleep(1.5)
    assert mib(deaf) == 256
    assert executor.given_back() == ()


def test_where_no_balloon_helps_a_guest_moves(lab: Laboratory, tmp_path: Path) -> None:
    """Both work with what they have, and their host is too full: one of them goes to another."""
    both = lab.boot(
        *(GuestSpec(name, memory_mib=256, autodeflate=True, nic=False) for name in ("hot", "idle"))
    )
    for guest in both:
        guest.set_load(set=150)
    small = {"capacity": {"cpu": 2, "memory": "520MiB"}}
    planner = Planner(Operator(lab, tmp_path).configure(POLICY, h1=small))
    try:
        until(lambda: all(g.domain().memoryStats().get("rss", 0) > 240 << 10 for g in both))
        report = turn.cycle(replace(planner.ports, stays=True), planner.policy, AT_ONCE)
        assert isinstance(report.decision, Plan)
        assert report.decision.resizes == ()
        assert [o.result for o in report.outcomes] == [Result.DONE]
        homes = [hosts[0] for hosts in lab.placement().values()]
        assert min(homes) == "h1"
        assert len(set(homes)) == 2
    finally:
        planner.close()


def written(guest: Guest, seconds: float = 2.0) -> float:
    """Return the KiB/s that a guest writes to its disks."""

    def read() -> int:
        return sum(int(guest.domain().blockStats(disk)[3]) for disk in ("vda", "vdb"))

    before, began = read(), time.monotonic()
    time.sleep(seconds)
    return (read() - before) / 1024 / (time.monotonic() - began)


@pytest.mark.soak
def test_limits_of_traffic_hold_and_are_lifted(lab: Laboratory, executor: LibvirtExecutor) -> None:
    """A guest that writes is held to its limit, all disks together; its network likewise, as read back."""
    (lab["h1"].local / "second.raw").write_bytes(bytes(1 << 20))
    second = (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
        f"<source file='{LOCAL}/second.raw'/><target dev='vdb' bus='virtio'/></disk>"
    )
    (guest,) = lab.boot(GuestSpec("noisy", load=Load(io=8000), disk="local", devices=second))
    until(lambda: written(guest, 1.0) > 2000, what="for it to write")
    assert executor.resize(resize(guest, What.BLOCK, 0, 500)) == ""
    time.sleep(1)
    assert written(guest) < 700
    fault = executor.resize(resize(guest, What.NETWORK, 0, 2000))
    assert fault == "" or NO_SHAPING in fault, fault
    seen = knobs(lab)["noisy"]
    assert seen is not None
    assert (seen.block, seen.network, seen.disks) == (500, 0 if fault else 2000, ("vda", "vdb"))
    assert executor.resize(resize(guest, What.BLOCK, 500, 0)) == ""
    if not fault:
        assert executor.resize(resize(guest, What.NETWORK, 2000, 0)) == ""
    seen = knobs(lab)["noisy"]
    assert seen is not None
    assert (seen.block, seen.network) == (0, 0)
    until(lambda: written(guest, 1.0) > 2000, what="for it to write as before")


@pytest.mark.soak
def test_a_policy_holds_a_noisy_guest(lab: Laboratory, tmp_path: Path) -> None:
    """Its disk_limit is set in a cycle; what is set already is left; undoing gives it back."""
    (guest,) = lab.boot(GuestSpec("noisy", disk="local", nic=False))
    text = '[[resize]]\nguests = "noisy"\ndisk_limit = "4MiB/s"\n'
    planner = Planner(Operator(lab, tmp_path).configure(text))
    try:
        for resizes in (1, 0):
            report = turn.cycle(planner.ports, planner.policy, AT_ONCE)
            assert isinstance(report.decision, Plan)
            assert len(report.decision.resizes) == resizes
        assert guest.domain().blockIoTune("vda", 1)["total_bytes_sec"] == 4 << 20
        seen = turn.observe(planner.ports, planner.policy)
        back = way_back(planner.ports.journal.read(), "", seen)
        assert [(one.before, one.after) for one in back.resizes] == [(4096, 0)]
        assert planner.executor.resize(back.resizes[0]) == ""
        assert guest.domain().blockIoTune("vda", 1)["total_bytes_sec"] == 0
    finally:
        planner.close()
