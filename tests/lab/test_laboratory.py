"""The laboratory proves itself: what other tests rely on is real, and nothing of it stays behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from .binding import libvirt
from .cluster import Laboratory
from .guest import Guest, GuestSpec, Load


def until(true: Callable[[], Any], patience: float = 15) -> Any:
    """Wait for something to become true, and return it."""
    deadline = time.monotonic() + patience
    while not (found := true()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


class Move(threading.Thread):
    """A migration in the background, its error kept for the test to look at."""

    def __init__(self, guest: Guest, to: str, **how: Any) -> None:
        super().__init__(daemon=True)
        self.guest, self.to, self.how = guest, to, how
        self.error: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.guest.migrate(self.to, **self.how)
        except libvirt.libvirtError as error:
            self.error = error


def copied(domain: Any) -> int:
    """Bytes of memory sent so far by the domain's migration."""
    return int(domain.jobStats().get("memory_processed", 0))


def test_hosts_are_three_and_unlike(lab: Laboratory) -> None:
    assert [h.connection().getHostname() for h in lab.hosts.values()] == ["h1", "h2", "h3"]
    assert all(h.uuid in h.connection().getCapabilities() for h in lab.hosts.values())
    for host in lab.hosts.values():
        pools = {pool.name() for pool in host.connection().listAllStoragePools()}
        assert pools == {"lab-shared", "lab-local"}
        assert [net.name() for net in host.connection().listAllNetworks()] == ["guest"]


def test_move_leaves_exactly_one_copy(lab: Laboratory) -> None:
    (guest,) = lab.boot(GuestSpec("mover", host="h1", disk="shared", load=Load(set=16)))
    assert guest.migrate("h2") < 15
    assert guest.whereabouts() == {"h2": libvirt.VIR_DOMAIN_RUNNING}
    assert guest.domain().isPersistent()
    assert guest.load()["set"] == 16  # the load program still answers, through the new host


@pytest.mark.soak
def test_shaped_link_limits_the_rate(lab: Laboratory) -> None:
    (guest,) = lab.boot(GuestSpec("slow", host="h1", load=Load(set=32)))
    lab["h2"].shape(100)
    seconds = guest.migrate("h2")
    domain = guest.domain()
    stats = domain.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)
    mbit = stats["memory_processed"] * 8 / 1e6 / seconds
    assert 40 < mbit < 110


@pytest.mark.soak
def test_load_changes_while_running(lab: Laboratory) -> None:
    (guest,) = lab.boot(GuestSpec("worker", host="h1", disk="local"))
    domain = guest.domain()

    def cpu_share() -> Any:
        before, begin = domain.info()[4], time.monotonic()
        time.sleep(1.5)
        return (domain.info()[4] - before) / 1e9 / (time.monotonic() - begin)

    idle = cpu_share()
    guest.set_load(cpu=60, set=32, dirty=20, io=400)
    assert cpu_share() > idle + 0.25

    def statistics() -> dict[str, Any]:
        groups = libvirt.VIR_DOMAIN_STATS_DIRTYRATE | libvirt.VIR_DOMAIN_STATS_BLOCK
        ((_, stats),) = lab["h1"].connection().domainListGetStats([domain], groups)
        return dict(stats)

    def dirty_rate() -> int:
        # QEMU samples 64 of this guest's pages: now and then it sees none of the dirty ones.
        domain.startDirtyRateCalc(1, 0)
        until(lambda: statistics().get("dirtyrate.calc_status") == 2)
        return int(statistics()["dirtyrate.megabytes_per_second"])

    assert until(dirty_rate) <= 60
    assert statistics()["block.0.wr.bytes"] > 0
    assert guest.load()["swept"] > 0


@pytest.mark.soak
def test_cut_link_stalls_and_abort_recovers(lab: Laboratory) -> None:
    (guest,) = lab.boot(GuestSpec("stuck", host="h1", load=Load(set=32)))
    lab["h2"].shape(40)
    domain = guest.domain()
    move = Move(guest, "h2")
    until(lambda: copied(domain) > 4 << 20)
    lab["h2"].cut("mig")
    time.sleep(1)
    before = copied(domain)
    time.sleep(2)
    assert copied(domain) == before  # nobody was told, nothing moves
    assert move.is_alive()
    domain.abortJob()
    move.join(10)
    assert move.error is not None
    assert until(lambda: guest.whereabouts() == {"h1": libvirt.VIR_DOMAIN_RUNNING})


def test_power_cut_kills_guests_but_not_definitions(lab: Laboratory) -> None:
    victim, bystander = lab.boot(GuestSpec("victim", host="h3"), GuestSpec("bystander", host="h1"))
    lab["h3"].power_off()
    assert lab["h3"].group.processes() == []
    assert victim.whereabouts() == {}
    assert bystander.running_on() == ["h1"]
    lab["h3"].power_on()
    assert victim.whereabouts() == {"h3": libvirt.VIR_DOMAIN_SHUTOFF}


def test_libvirtd_dies_and_its_guests_live(lab: Laboratory) -> None:
    (guest,) = lab.boot(GuestSpec("survivor", host="h2"))
    lab["h2"].kill_libvirtd()
    with pytest.raises(libvirt.libvirtError):
        lab["h2"].connection()
    assert len(lab["h2"].qemu_pids()) == 1
    lab["h2"].restart_libvirtd()
    assert guest.running_on() == ["h2"]


def test_frozen_libvirtd_accepts_and_never_answers(lab: Laboratory) -> None:
    lab["h2"].freeze_libvirtd()
    answers: list[Any] = []
    asking = threading.Thread(
        target=lambda: answers.append(libvirt.open(lab["h2"].uri)), daemon=True
    )
    asking.start()
    asking.join(1)
    assert asking.is_alive()
    lab["h2"].thaw_libvirtd()
    asking.join(10)
    assert answers


def test_what_cannot_move_is_refused(lab: Laboratory) -> None:
    held, local, passed = lab.boot(
        GuestSpec("held", host="h1", shmem=True),
        GuestSpec("local", host="h1", disk="local"),
        GuestSpec("passed", host="h1", passthrough=True),
    )
    with pytest.raises(libvirt.libvirtError) as refused:
        held.migrate("h2")
    assert refused.value.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID
    with pytest.raises(libvirt.libvirtError) as refused:
        local.migrate("h2")
    assert refused.value.get_error_code() == libvirt.VIR_ERR_MIGRATE_UNSAFE
    local.migrate("h2", also=libvirt.VIR_MIGRATE_NON_SHARED_DISK)
    assert local.running_on() == ["h2"]
    assert "<hostdev " in passed.domain().XMLDesc()


def test_nothing_stays_behind(laboratory: Laboratory) -> None:
    other = Laboratory(2, [GuestSpec("brief", host="h2")], name=f"{laboratory.name}-brief")

    def fail_inside() -> None:
        with other:
            assert other.placement() == {"brief": ["h2"]}
            assert other.leftovers()
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail_inside()
    assert other.leftovers() == []
    assert laboratory["h1"].is_on()


def test_remains_of_a_killed_run_are_swept(laboratory: Laboratory) -> None:
    name = f"{laboratory.name}-brief"
    killed = Laboratory(1, name=name).up()
    killed["h1"].disconnect()
    killed._release()  # as when its process dies: the hosts live on, the lock is free
    with Laboratory(1, name=name) as again:
        killed["h1"].reap()
        assert again["h1"].connection().getHostname() == "h1"
    assert again.leftovers() == []
