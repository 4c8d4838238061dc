"""Two planners with state of their own: hypervisors themselves keep them apart."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from balancer.adapters.libvirt.execution import LibvirtExecution
from balancer.adapters.libvirt.ownership import Owner, read
from balancer.adapters.stand_in import UncontestedLease
from balancer.planner.model.plan import Action, Result
from balancer.ports import Refused

from .cluster import Laboratory
from .guest import GuestSpec, Load
from .operator import Operator, events_of
from .planner import Planner, in_order, until
from .test_execute import WallClock, config
from .test_main_job import hosts_of
from .test_recovery import AWAY, until_sent

LINK = {"link": "1Gbit"}


def owner(lab: Laboratory, node: str, valid: float = 300.0) -> Owner:
    hosts = [config(h) for h in lab.hosts.values()]
    return Owner(UncontestedLease(), hosts, WallClock(), node, f"{node}'s planner", valid)  # type: ignore[arg-type]


@pytest.mark.parametrize("expired", [False, True])
def test_of_many_that_claim_at_once_one_has_it(lab: Laboratory, *, expired: bool) -> None:
    """Twenty rounds of six planners at the same moment, the last one's claim run out or gone."""
    for _ in range(20):
        if expired:
            assert owner(lab, "before", valid=-1.0).objection("h1") == ""
        (winner,) = race([owner(lab, f"node-{n}") for n in range(6)])
        held = read(lab["h1"].connection())
        assert held is not None
        assert held.node == winner.node
        lab["h1"].connection().secretLookupByUUIDString(held.uuid).undefine()


def race(planners: list[Owner]) -> list[Owner]:
    """Have all claim h1 at the same moment; return those that got it."""
    gate, has = threading.Barrier(len(planners)), list[Owner]()

    def claim(planner: Owner) -> None:
        gate.wait()
        if planner.objection("h1") == "":
            has.append(planner)

    threads = [threading.Thread(target=claim, args=(p,)) for p in planners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return has


@pytest.mark.soak
def test_a_claim_runs_out_unless_it_is_renewed(lab: Laboratory) -> None:
    """Held it is renewed; of a planner that is gone it runs out, at once on its own node."""
    first, second = owner(lab, "one", valid=2.0), owner(lab, "two")
    first.acquire()
    time.sleep(3)
    with pytest.raises(Refused, match=r"another planner \(one's planner\) acts on h1"):
        second.acquire()
    first._over.set()  # it dies
    time.sleep(3)
    second.acquire()
    assert "two's planner" in first.objection("h2")
    again = owner(lab, "two")
    assert again.objection("h1") == ""
    again._give_back()
    second.release()
    assert read(lab["h2"].connection()) is None


def claims_run_out(lab: Laboratory) -> None:
    """Do to every host's claim what a successor does once its time is over."""
    for host in lab.hosts.values():
        held = read(host.connection())
        assert held is not None
        host.connection().secretLookupByUUIDString(held.uuid).undefine()


@pytest.mark.soak
def test_two_planners_never_both_act(lab: Laboratory, tmp_path: Path) -> None:
    """The second is refused while the first moves; one that slept too long starts nothing more."""
    lab.boot(*(GuestSpec(f"trio-{n}", load=Load(set=32)) for n in (1, 2)))
    for host in lab.hosts.values():
        host.shape(60)
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    one, two = (Operator(lab, f).configure(AWAY, h1=LINK, h2=LINK, h3=LINK) for f in folders)
    planner = subprocess.Popen(
        [sys.executable, "-m", "balancer", "apply", "--now", "--yes"],
        cwd=one.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    uuid = until_sent(lab, one)
    refused = two.run("apply", "--now", "--yes")
    assert refused.code == 2, refused
    assert not events_of(two, "started")
    planner.send_signal(signal.SIGSTOP)
    for host in lab.hosts.values():
        host.shape(None)
    claims_run_out(lab)
    first = next(name for name in lab.guests if lab.guest(name).uuid == uuid)
    until(lambda: "h1" not in lab.placement()[first], 40, "for the first to arrive")
    other = owner(lab, "elsewhere")
    other.acquire()
    planner.send_signal(signal.SIGCONT)
    assert planner.wait(60) == 5
    other.release()
    assert len(events_of(one, "started")) == 1, "it acted though another planner does"
    assert [e.text for e in events_of(one, "refused") if "elsewhere's planner" in e.text]
    assert sorted(hosts_of(lab).values()).count("h1") == 1
    second = next(name for name in lab.guests if lab.guest(name).uuid != uuid)
    for operator, moved_by_the_other in ((two, ()), (one, (second,))):
        judge = Planner(operator)
        in_order(judge, by_others=moved_by_the_other)
        judge.close()
    assert "h1" not in hosts_of(lab).values()


@pytest.mark.soak
def test_a_planner_that_slept_before_its_call_makes_that_one_and_no_other(
    lab: Laboratory, tmp_path: Path
) -> None:
    """Paused between its last look and the call, while its claim runs out and another planner takes
    over: the limit that docs/operations.md states. The journal has the call, and why no second."""
    lab.boot(*(GuestSpec(f"trio-{n}") for n in (1, 2)))
    planner = Planner(Operator(lab, tmp_path).configure(AWAY, h1=LINK, h2=LINK, h3=LINK))
    other, start = owner(lab, "elsewhere"), planner.executor.start

    def slept(action: Action) -> LibvirtExecution:
        planner.executor.start = start
        claims_run_out(lab)
        other.acquire()
        begun: LibvirtExecution = start(action)
        return begun

    planner.executor.start = slept
    done, refused = sorted(planner.begin().over(), key=lambda o: o.result is Result.REFUSED)
    other.release()
    assert (done.result, refused.result) == (Result.DONE, Result.REFUSED), (done, refused)
    assert len(planner.events("started")) == 1
    assert [e.text for e in planner.events("refused") if "elsewhere's planner" in e.text]
    in_order(planner)
    assert "h1" not in hosts_of(lab).values()
    planner.close()
