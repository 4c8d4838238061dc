"""Guests moved by the executor between real hypervisors; faults in mid-move are in test_faults.py."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from balancer.adapters.libvirt.execution import LibvirtExecution, Patience
from balancer.adapters.libvirt.executor import LibvirtExecutor
from balancer.config.host import HostConfig
from balancer.planner.model.plan import Migration, Outcome, Prediction, Result, Rung, RungKind

from .binding import libvirt
from .cluster import Laboratory
from .guest import Guest, GuestSpec, Load
from .host import Host

PATIENCE = Patience(stalled_after=4, least=40, settling=20, poll=0.1)


class WallClock:
    """Time as it is."""

    now = staticmethod(time.time)
    sleep = staticmethod(time.sleep)


def config(host: Host, **more: Any) -> HostConfig:
    """What a hosts.toml would say of a laboratory host."""
    known = {
        "name": host.name,
        "uri": host.uri,
        "peer_uri": host.peer_uri,
        "migration_address": host.migration_address,
        "labels": host.labels,
        "networks": ("guest",),
        "storage": ("lab-shared",),
        "capacity": {"cpu": 2000, "memory": 1024},
        "answer_within": 3.0,
    }
    return HostConfig(**(known | more))


def move(guest: Guest, target: str, rate_kib_s: int = 0, **more: Any) -> Migration:
    """An action that takes a guest of h1 away."""
    predicted = Prediction(seconds=5, seconds_p90=10, mib=64, downtime_ms=100)
    return Migration(
        id="1",
        guest=guest.uuid,
        name=guest.name,
        source="h1",
        target=target,
        rate_kib_s=rate_kib_s,
        downtime_ms=more.pop("downtime_ms", 77),
        predicted=more.pop("predicted", predicted),
        **more,
    )


@pytest.fixture
def executor(lab: Laboratory) -> Iterator[LibvirtExecutor]:
    made = LibvirtExecutor([config(h) for h in lab.hosts.values()], WallClock(), PATIENCE)
    yield made
    made.close()


def until(true: Callable[[], Any], patience: float = 40) -> Any:
    deadline = time.monotonic() + patience
    while not (found := true()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


def ended(execution: LibvirtExecution) -> Outcome:
    return until(execution.outcome)


def under_way(execution: LibvirtExecution, mib: int = 4) -> None:
    until(lambda: execution.progress().mib_sent >= mib)


def test_moves_a_guest_and_keeps_what_it_was(lab: Laboratory, executor: LibvirtExecutor) -> None:
    """It runs on the target alone, defined and started by itself as before, and is measured."""
    (guest,) = lab.boot(GuestSpec("mover", disk="shared", load=Load(set=16)))
    guest.domain().setAutostart(1)
    action = move(guest, "h2")
    assert executor.look_again(action) == ""
    outcome = ended(executor.start(action))
    assert outcome.result is Result.DONE, outcome
    assert guest.whereabouts() == {"h2": libvirt.VIR_DOMAIN_RUNNING}
    assert guest.domain().isPersistent()
    assert guest.domain().autostart()
    assert outcome.mib > 16
    assert outcome.downtime_ms is not None
    assert 0 < outcome.downtime_ms < 2000
    assert "not on h1 any more" in executor.look_again(action)


def test_a_transient_guest_stays_transient(lab: Laboratory, executor: LibvirtExecutor) -> None:
    """A guest that was never defined is defined nowhere after its move."""
    (guest,) = lab.boot(GuestSpec("passing"))
    guest.domain().undefine()
    outcome = ended(executor.start(move(guest, "h3")))
    assert outcome.result is Result.DONE, outcome
    assert guest.whereabouts() == {"h3": libvirt.VIR_DOMAIN_RUNNING}
    assert not guest.domain().isPersistent()


def test_bandwidth_and_downtime_are_in_force(lab: Laboratory, executor: LibvirtExecutor) -> None:
    """libvirt is told how fast and how long a pause; progress grows meanwhile."""
    (guest,) = lab.boot(GuestSpec("slow", load=Load(set=32)))
    domain = guest.domain()
    execution = executor.start(move(guest, "h2", rate_kib_s=16 * 1024, downtime_ms=123))
    under_way(execution)
    assert domain.migrateGetMaxDowntime() == 123
    assert domain.migrateGetMaxSpeed() == 16
    assert "is being migrated" in executor.look_again(move(guest, "h2"))
    assert 0 < execution.progress().fraction < 1
    outcome = ended(execution)
    assert outcome.result is Result.DONE, outcome
    assert outcome.ended - outcome.started > 2


@pytest.mark.soak
def test_what_does_not_converge_is_ended(lab: Laboratory) -> None:
    """A guest that dirties memory faster than the link carries it is left where it is."""
    executor = LibvirtExecutor(
        [config(h) for h in lab.hosts.values()], WallClock(), Patience(least=6, factor=1, poll=0.1)
    )
    (guest,) = lab.boot(GuestSpec("busy", load=Load(set=32, dirty=20)))
    lab["h2"].shape(40)
    predicted = Prediction(seconds=2, seconds_p90=4, mib=64, downtime_ms=10)
    outcome = ended(executor.start(move(guest, "h2", predicted=predicted, downtime_ms=10)))
    assert outcome.result is Result.ABORTED, outcome
    assert outcome.reason == "not done in 6 s (4 s predicted at worst): aborted"
    assert guest.running_on() == ["h1"]
    executor.close()


@pytest.mark.soak
def test_source_libvirtd_dies(lab: Laboratory, executor: LibvirtExecutor) -> None:
    """While the source cannot be asked nothing is claimed; once it is back, the guest is found."""
    (guest,) = lab.boot(GuestSpec("orphan", load=Load(set=32)))
    lab["h2"].shape(40)
    execution = executor.start(move(guest, "h2"))
    under_way(execution)
    lab["h1"].kill_libvirtd()
    time.sleep(1)
    assert execution.outcome() is None
    lab["h1"].restart_libvirtd()
    outcome = ended(execution)
    assert outcome.result is Result.FAILED, outcome
    assert guest.running_on() == ["h1"]


def test_a_guest_that_libvirt_refuses_stays(lab: Laboratory, executor: LibvirtExecutor) -> None:
    """Refusals are outcomes with libvirt's words in them."""
    local, shmem = lab.boot(GuestSpec("local", disk="local"), GuestSpec("shm", shmem=True))
    outcome = ended(executor.start(move(local, "h2")))
    assert (outcome.result, "unsafe" in outcome.reason) == (Result.FAILED, True), outcome
    outcome = ended(executor.start(move(shmem, "h2")))
    assert (outcome.result, "refuses" in outcome.reason) == (Result.FAILED, True), outcome
    assert local.running_on() == shmem.running_on() == ["h1"]


def test_two_at_once_from_one_host(lab: Laboratory, executor: LibvirtExecutor) -> None:
    """Executions do not disturb each other."""
    a, b = lab.boot(GuestSpec("a", load=Load(set=16)), GuestSpec("b", load=Load(set=16)))
    both = [executor.start(move(a, "h2")), executor.start(move(b, "h3"))]
    assert [ended(execution).result for execution in both] == [Result.DONE, Result.DONE]
    assert (a.running_on(), b.running_on()) == (["h2"], ["h3"])


def test_the_look_before_the_start(lab: Laboratory, executor: LibvirtExecutor) -> None:
    """Paused guests, namesakes at the target and hosts that do not answer are objections."""
    (guest,) = lab.boot(GuestSpec("careful"))
    guest.domain().suspend()
    assert "does not run" in executor.look_again(move(guest, "h2"))
    lab["h1"].connection().lookupByUUIDString(guest.uuid).resume()
    other = f"<domain type='qemu'><name>{guest.name}</name><memory>1024</memory><os><type>hvm</type></os></domain>"
    stranger = lab["h2"].connection().defineXML(other)
    assert "another guest named careful" in executor.look_again(move(guest, "h2"))
    stranger.undefine()
    assert executor.look_again(move(guest, "h2")) == ""
    lab["h2"].freeze_libvirtd()
    begin = time.monotonic()
    assert executor.look_again(move(guest, "h2")) == "h2: no answer in 3 s"
    assert time.monotonic() - begin < 5


def with_post_copy(lab: Laboratory, **patience: float) -> LibvirtExecutor:
    hosts = [config(h) for h in lab.hosts.values()]
    given = Patience(**({"least": 8, "factor": 1, "poll": 0.1} | patience))  # type: ignore[arg-type]
    return LibvirtExecutor(hosts, WallClock(), given)


FOLLOW = (Rung(kind=RungKind.POST_COPY, risk="it may be lost"),)
SWIFT = Prediction(seconds=2, seconds_p90=4, mib=64, downtime_ms=10)


def test_what_does_not_converge_arrives_by_post_copy(lab: Laboratory) -> None:
    """Where the policy allows it: pre-copy until it is seen not to catch up, then it switches."""
    executor = with_post_copy(lab, least=60)
    (guest,) = lab.boot(GuestSpec("busy", load=Load(set=32, dirty=20)))
    lab["h2"].shape(100)
    outcome = ended(
        executor.start(move(guest, "h2", predicted=SWIFT, downtime_ms=10, rungs=FOLLOW))
    )
    assert outcome.result is Result.DONE, outcome
    assert outcome.steps == ("switched to post-copy",)
    assert until(lambda: guest.whereabouts() == {"h2": libvirt.VIR_DOMAIN_RUNNING})
    assert guest.domain().isPersistent()
    executor.close()


@pytest.mark.soak
def test_more_bandwidth_lets_it_arrive(lab: Laboratory) -> None:
    """At 3 MiB/s it would take half a minute and never catch up; given room it goes at 60."""
    hosts = [config(h) for h in lab.hosts.values()]
    executor = LibvirtExecutor(hosts, WallClock(), Patience(least=16, factor=1, poll=0.1))
    (guest,) = lab.boot(GuestSpec("hasty", load=Load(set=32, dirty=10)))
    more = Rung(kind=RungKind.BANDWIDTH, rate_kib_s=60 * 1024)
    plan = move(guest, "h2", 3 * 1024, predicted=SWIFT, downtime_ms=30, rungs=(more,))
    execution = executor.start(plan)
    until(lambda: execution.progress().wants_kib_s)
    execution.room(60 * 1024)
    outcome = ended(execution)
    assert outcome.result is Result.DONE, outcome
    assert outcome.steps == ("bandwidth up to 60 MiB/s",)
    executor.close()


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_auto_converge_begins_anew_with_the_flag(lab: Laboratory) -> None:
    """The first attempt is aborted, the second slows the guest; it runs exactly once throughout."""
    hosts = [config(h) for h in lab.hosts.values()]
    executor = LibvirtExecutor(hosts, WallClock(), Patience(least=90, poll=0.1))
    (guest,) = lab.boot(GuestSpec("slowed", load=Load(set=32, dirty=20)))
    lab["h2"].shape(80)
    slow = Rung(kind=RungKind.AUTO_CONVERGE, risk="slower")
    longer = Rung(kind=RungKind.DOWNTIME, downtime_ms=1000)
    execution = executor.start(
        move(guest, "h2", predicted=SWIFT, downtime_ms=30, rungs=(longer, slow))
    )
    outcome = until(execution.outcome, 200)
    assert outcome.steps[:2] == ("pause up to 1000 ms", "begun anew with auto-converge")
    assert outcome.result in (Result.DONE, Result.ABORTED), outcome
    assert guest.running_on() == ["h2" if outcome.result is Result.DONE else "h1"]
    executor.close()


@pytest.mark.soak
def test_post_copy_with_the_link_cut_is_left_untouched(lab: Laboratory) -> None:
    """Both copies are kept, an abort does nothing, the way to mend it is said; healed it goes on."""
    executor = with_post_copy(lab, least=90, stalled_after=6)
    (guest,) = lab.boot(GuestSpec("torn", load=Load(set=32, dirty=20)))
    lab["h2"].shape(40)
    execution = executor.start(move(guest, "h2", predicted=SWIFT, downtime_ms=10, rungs=FOLLOW))
    until(lambda: execution._climb.switched, 90)
    lab["h2"].cut("mig")
    execution.abort("the operator stopped it")
    outcome = ended(execution)
    assert outcome.result is Result.LOST, outcome
    assert "touch neither copy" in outcome.reason
    assert f"migrate --live --p2p --postcopy --postcopy-resume {guest.uuid}" in outcome.reason
    assert set(guest.whereabouts()) == {"h1", "h2"}
    lab["h2"].mend("mig")
    lab["h2"].shape(None)
    assert until(lambda: guest.whereabouts() == {"h2": libvirt.VIR_DOMAIN_RUNNING}, 90)
    executor.close()
