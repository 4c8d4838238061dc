"""The service on real hypervisors: relieves, stands back, stops. What counts is libvirt's word."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from balancer.adapters.stand_in import SilentTelemetry
from balancer.config import load
from balancer.wiring import ports_for

from .binding import libvirt
from .cluster import Laboratory
from .guest import GuestSpec, Load
from .operator import Operator, Service
from .test_main_job import SMALL, hosts_of

BUSY = '[hot]\ncpu_used = "50%"\nlasting = "3s"\n'
"""Three modest guests on one core are hot by far, two are hot, one is not."""
APART = '[limits]\nat_once_total = 1\n[[spread]]\nguests = "pair-*"\n[[avoid]]\nguests = "pair-*"\nhosts = "h1"\n'
"""Two guests must leave h1, one after the other."""
AT_ONCE = 'interval = "1s"\nsample_gap = "500ms"\n[guards]\nauto_after = "0s"\n'


@pytest.fixture
def operator(lab: Laboratory, tmp_path: Path) -> Operator:
    return Operator(lab, tmp_path)


@pytest.fixture
def leaving(lab: Laboratory, operator: Operator) -> Operator:
    """Two guests that have to leave h1 one by one, over a link that makes that take seconds."""
    for host in lab.hosts.values():
        host.shape(200)
    slow = {"link": "200Mbit"}
    operator.configure(
        '[limits]\nmigration_link_share = "100%"\n' + APART.removeprefix("[limits]\n"),
        mode="auto",
        more=AT_ONCE,
        h1=slow,
        h2=slow,
        h3=slow,
    )
    lab.boot(*(GuestSpec(f"pair-{n}", load=Load(set=32)) for n in (1, 2)))
    return operator


def reload_badly(service: Service, config: Path) -> None:
    """A broken file changes nothing and is shown, until it is mended."""
    good = config.read_text()
    config.write_text(good.replace("mode", "mod"))
    service.signal(signal.SIGHUP)
    status = service.until(lambda s: s["troubles"], "the fault shown")
    assert "did you mean mode?" in status["troubles"][0]
    assert status["mode"] == "auto"
    config.write_text(good)
    service.signal(signal.SIGHUP)
    service.until(lambda s: not s["troubles"], "the good file taken")


def test_it_relieves_once_survives_a_bad_file_and_stands_back_from_a_human(
    lab: Laboratory, operator: Operator
) -> None:
    """In auto: heat that lasted is relieved, and nothing moves in the next two cycles. A broken
    configuration changes nothing. A guest moved by hand stays where the human put it."""
    operator.configure(BUSY, mode="auto", more=AT_ONCE, h1=SMALL, h2=SMALL, h3=SMALL)
    lab.boot(*(GuestSpec(f"busy-{n}", load=Load(cpu=30, set=8)) for n in range(3)))
    with Service(operator) as service:
        service.until(lambda _: len(service.events("ended")) == 2, "relief")
        assert sorted(hosts_of(lab).values()) == ["h1", "h2", "h3"]
        moved = len(service.events("started"))
        assert moved == 2
        service.cycles(2)
        assert len(service.events("started")) == moved

        reload_badly(service, operator.folder / "config.toml")
        before = hosts_of(lab)
        uuid = lab.guest("busy-1").uuid
        moves = [e for e in service.events("started") if e.guest == uuid]
        lab.guest("busy-1").migrate(before["busy-2"])
        service.until(lambda _: service.events("foreign"), "the human noticed")
        service.cycles(1)
        assert hosts_of(lab)["busy-1"] == before["busy-2"], "the service moved it back"
        assert [e for e in service.events("started") if e.guest == uuid] == moves
        assert "busy-1 was moved from" in service.events("foreign")[0].text
        service.signal(signal.SIGTERM)
        assert service.wait() == 0
    told = operator.run("why", "busy-1")
    assert "somebody else" in told.out, told


def test_observing_cannot_change_anything(lab: Laboratory, operator: Operator) -> None:
    """It says what it would do; its connections refuse every change that is tried."""
    operator.configure(
        BUSY.replace("2s", "0s"), mode="observe", more=AT_ONCE, h1=SMALL, h2=SMALL, h3=SMALL
    )
    lab.boot(*(GuestSpec(f"busy-{n}", load=Load(cpu=30, set=8)) for n in range(2)))
    with Service(operator) as service:
        service.until(lambda s: "mode observe: " in s["sentence"], "a plan that is only said")
        service.signal(signal.SIGTERM)
        assert service.wait() == 0
    assert set(hosts_of(lab).values()) == {"h1"}
    assert not service.events("started", "decided")
    ports = ports_for(load(operator.folder / "config.toml"), SilentTelemetry(), read_only=True)
    assert ports.executor is None
    connection = ports.inventory._connections.to("h1")  # type: ignore[attr-defined]
    guest = connection.lookupByName("busy-0")
    for attempt in (
        guest.suspend,
        guest.destroy,
        guest.abortJob,
        guest.undefine,
        lambda: guest.migrateToURI3("qemu+tcp://h2/system", {}, libvirt.VIR_MIGRATE_LIVE),
        lambda: connection.createXML("<domain/>"),
    ):
        with pytest.raises(libvirt.libvirtError) as refused:
            attempt()
        assert refused.value.get_error_code() == libvirt.VIR_ERR_OPERATION_DENIED


def test_a_freeze_stops_it_between_two_moves_and_a_signal_after_the_second(
    lab: Laboratory, leaving: Operator
) -> None:
    """The move in flight is finished, the second is not begun, nor in any cycle after; released,
    and told to stop in the middle of the second, the service finishes that and ends."""
    with Service(leaving) as service:
        service.until(lambda s: s["in_flight"], "a move in flight")
        (leaving.folder / "FREEZE").write_text("enough\n")
        service.until(lambda _: service.events("stopped"), "the plan stopped")
        service.cycles(1)
        assert sorted(hosts_of(lab).values()).count("h1") == 1
        assert len(service.events("started")) == 1
        assert "enough" in service.status()["frozen"]
        assert leaving.run("unfreeze").code == 0
        service.until(lambda s: s["in_flight"], "the second move, once released")
        service.signal(signal.SIGTERM)
        assert service.wait() == 0, "told to stop in mid-move, it finishes what is in flight"
    assert len(service.events("ended")) == 2
    assert "h1" not in hosts_of(lab).values()


def test_told_to_stop_it_aborts_what_is_in_flight_where_so_configured(
    lab: Laboratory, leaving: Operator
) -> None:
    """The guest stays where it was; nothing more begins."""
    config = leaving.folder / "config.toml"
    config.write_text(f'on_stop = "abort"\n{config.read_text()}')
    with Service(leaving) as service:
        service.until(lambda s: s["in_flight"], "a move in flight")
        service.signal(signal.SIGTERM)
        assert service.wait() == 0
    (ended,) = service.events("ended")
    assert "aborted" in ended.text
    assert len(service.events("started")) == 1
    assert set(hosts_of(lab).values()) == {"h1"}
