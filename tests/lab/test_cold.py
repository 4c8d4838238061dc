"""Guests that are shut down, moved and started again, where no live move does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from balancer.adapters.libvirt.executor import LibvirtExecutor
from balancer.adapters.libvirt.restarting import Waits
from balancer.planner.model.plan import Outcome, Result
from balancer.ports import Begun

from .binding import libvirt
from .cluster import Laboratory
from .guest import Guest, GuestSpec, Load
from .operator import Operator
from .test_execute import PATIENCE, WallClock, config, ended, move, until

QUICK = Waits(shutting_down=20, lingering=5, settling=10, poll=0.1, arriving=0.5)


@pytest.fixture
def executor(lab: Laboratory) -> Iterator[LibvirtExecutor]:
    hosts = [config(h) for h in lab.hosts.values()]
    made = LibvirtExecutor(hosts, WallClock(), PATIENCE, waits=QUICK)
    yield made
    made.close()


def obeying(guest: Guest) -> threading.Thread:
    """Have the guest shut down once it is asked, as one with an ACPI daemon does.

    The laboratory's guests have none: what stands for it sees the request in their lost autostart.
    """
    domain = guest.domain()

    def obey() -> None:
        until(lambda: not domain.autostart(), 60)
        with suppress(OSError, LookupError):
            guest.tell("poweroff", patience=2)

    thread = threading.Thread(target=obey)
    thread.start()
    return thread


def carried(executor: LibvirtExecutor, guest: Guest) -> Outcome:
    thread = obeying(guest)
    outcome = ended(executor.start(move(guest, "h2", cold=True)))
    thread.join()
    return outcome


def runs_alone_on(guest: Guest, host: str) -> None:
    """It runs there, is defined there alone, and starts by itself."""
    assert guest.whereabouts() == {host: libvirt.VIR_DOMAIN_RUNNING}
    assert guest.domain().isPersistent()
    assert guest.domain().autostart()


@pytest.mark.soak
def test_cold_there_or_started_again_here(lab: Laboratory, executor: LibvirtExecutor) -> None:
    """Where it does not start, it runs again where it was; else there, as it was, and only there."""
    (guest,) = lab.boot(GuestSpec("cold", disk="shared"))
    guest.domain().setAutostart(1)
    action = move(guest, "h2", cold=True)
    assert executor.look_again(action) == ""

    lab["h2"].connection().networkLookupByName("guest").destroy()
    outcome = carried(executor, guest)
    assert outcome.result is Result.FAILED, outcome
    assert outcome.reason.endswith("started again on h1")
    runs_alone_on(guest, "h1")

    lab["h2"].connection().networkLookupByName("guest").create()
    guest.wait_ready()
    outcome = carried(executor, guest)
    assert outcome.result is Result.DONE, outcome
    assert outcome.downtime_ms is not None
    assert 0 < outcome.downtime_ms < 20_000
    runs_alone_on(guest, "h2")


@pytest.mark.soak
def test_one_that_does_not_shut_down_runs_on(lab: Laboratory, executor: LibvirtExecutor) -> None:
    """Its power is never cut; it starts by itself as before."""
    (guest,) = lab.boot(GuestSpec("deaf"))
    guest.domain().setAutostart(1)
    quick = LibvirtExecutor(
        [config(h) for h in lab.hosts.values()],
        WallClock(),
        PATIENCE,
        waits=Waits(shutting_down=1, lingering=1, poll=0.1),
    )
    outcome = ended(quick.start(move(guest, "h2", cold=True)))
    quick.close()
    assert (outcome.result, outcome.reason) == (
        Result.ABORTED,
        "it did not shut down within 1 s",
    )
    runs_alone_on(guest, "h1")
    begun = Begun(plan="P", action=move(guest, "h2", cold=True), at=0.0, autostart=True)
    assert ended(executor.follow(begun)).result is Result.ABORTED
    runs_alone_on(guest, "h1")


@pytest.mark.soak
@pytest.mark.parametrize("step", ["off", "defined", "started"])
def test_a_planner_that_died_halfway_is_mended(
    lab: Laboratory, executor: LibvirtExecutor, step: str
) -> None:
    """Off on its source, defined on both, or running there already: the next planner finishes it."""
    (guest,) = lab.boot(GuestSpec("half", disk="shared"))
    xml = guest.domain().XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    with suppress(OSError, LookupError):
        guest.tell("poweroff", patience=2)
    until(lambda: guest.whereabouts() == {"h1": libvirt.VIR_DOMAIN_SHUTOFF})
    if step != "off":
        there = lab["h2"].connection().defineXML(xml)
        if step == "started":
            there.create()
    action = move(guest, "h2", cold=True)
    begun = Begun(plan="P", action=action, at=time.time() - 60, autostart=True)
    outcome = ended(executor.follow(begun))
    assert outcome.result is Result.DONE, outcome
    runs_alone_on(guest, "h2")


@pytest.mark.soak
def test_what_no_link_can_carry_goes_cold_where_that_is_allowed(
    lab: Laboratory, tmp_path: Path
) -> None:
    """The whole command line: first it says that it will not converge; with consent it goes, cold."""
    (guest,) = lab.boot(GuestSpec("wild", disk="shared", load=Load(set=36, dirty=30)))
    guest.domain().setAutostart(1)
    slow = {"link": "40Mbit"}
    rule = "[[only_on]]\nguests = 'wild'\nhosts = 'h2'\n"
    operator = Operator(lab, tmp_path).configure(rule, h1=slow, h2=slow)
    stays = operator.run("apply", "--now", "--yes")
    assert stays.code != 0
    assert "allow it auto_converge or post_copy" in stays.out, stays
    operator.configure(rule + "[allow]\ncold_moves = 'wild'\n", h1=slow, h2=slow)
    thread = obeying(guest)
    answer = operator.run("apply", "--now", "--yes")
    thread.join()
    assert answer.code == 0, answer
    assert "cold: down about 45 s" in answer.out
    runs_alone_on(guest, "h2")
