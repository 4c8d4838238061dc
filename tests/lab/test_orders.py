"""What an operator orders by name, on real hypervisors: drain, undrain, undo, abort."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .binding import libvirt
from .cluster import Laboratory
from .guest import GuestSpec, Load
from .operator import Operator, events_of
from .test_main_job import done, hosts_of, outcomes
from .test_recovery import AWAY, killed_in_flight, until_sent

LINK = {"link": "1Gbit"}


@pytest.fixture
def operator(lab: Laboratory, tmp_path: Path) -> Operator:
    return Operator(lab, tmp_path).configure("", h1=LINK, h2=LINK, h3=LINK)


def test_drained_to_the_end_and_brought_back(lab: Laboratory, operator: Operator) -> None:
    """The verdict first; then the host is empty and nobody comes; undrain brings back its own."""
    lab.boot(GuestSpec("web-1"), GuestSpec("web-2"), GuestSpec("db", host="h2"))
    check = done(operator.ask("drain", "h1", "--check")).document["verdict"]
    assert (check["possible"], check["guests"]) == (True, ["web-1", "web-2"])
    assert check["seconds"] > 0
    assert hosts_of(lab) == {"web-1": "h1", "web-2": "h1", "db": "h2"}, "a check moved something"

    answer = done(operator.run("drain", "h1", "--yes"))
    assert "h1 can be emptied: 2 guests" in answer.out
    assert "h1 is empty." in answer.out
    assert "h1" not in hosts_of(lab).values()
    seen = done(operator.ask("observe")).document["observation"]["cluster"]
    assert {h["name"]: h["state"] for h in seen["hosts"]}["h1"] == "draining"
    planned = done(operator.ask("plan")).document["plan"]["actions"]
    assert "h1" not in {action["target"] for action in planned}

    back = done(operator.run("undrain", "h1", "--bring-back", "--yes"))
    assert "h1 is open to placement again." in back.out
    assert hosts_of(lab) == {"web-1": "h1", "web-2": "h1", "db": "h2"}
    assert [e.kind for e in events_of(operator, "closed", "opened")] == ["closed", "opened"]
    assert operator.run("undrain", "h1").code == 2


@pytest.mark.soak
def test_what_cannot_leave_is_named_and_failures_go_elsewhere(
    lab: Laboratory, operator: Operator
) -> None:
    """A device holds one guest; another's first target breaks, and it goes to the other host."""
    lab.boot(
        GuestSpec("device", passthrough=True), GuestSpec("free"), GuestSpec("ballast", host="h3")
    )
    check = operator.ask("drain", "h1", "--check")
    assert check.code == 2
    (blocked,) = check.document["verdict"]["blocked"]
    assert blocked["guest"] == "device"
    assert "passthrough" in blocked["reason"]
    assert "detach the device" in blocked["remedy"]
    stranger = "<domain type='qemu'><name>free</name><memory>1024</memory><os><type>hvm</type></os></domain>"
    other = lab["h2"].connection().defineXML(stranger)
    answer = operator.ask("drain", "h1", "--yes")
    other.undefine()
    assert answer.code == 5, answer
    assert hosts_of(lab) == {"device": "h1", "free": "h3", "ballast": "h3"}
    tried = [(o["action"]["target"], o["result"]) for o in answer.document["outcomes"]]
    assert tried[-1] == ("h3", "done")


@pytest.mark.soak
def test_a_plan_is_undone_and_what_others_moved_is_left_alone(
    lab: Laboratory, operator: Operator
) -> None:
    """Guests come back though they have just moved, and to what was broken before; one that a human
    took elsewhere stays there."""
    operator.configure(AWAY, h1=LINK, h2=LINK, h3=LINK)
    lab.boot(*(GuestSpec(f"trio-{n}") for n in (1, 2)))
    assert {o["result"] for o in outcomes(operator.ask("apply", "--now", "--yes"))} == {"done"}
    taken = hosts_of(lab)["trio-2"]
    other = ({"h2", "h3"} - {taken}).pop()
    lab.guest("trio-2").migrate(other)
    answer = operator.run("undo", "--yes")
    assert answer.code == 0, answer
    assert f"trio-2 runs on {other} now" in answer.err
    assert hosts_of(lab) == {"trio-1": "h1", "trio-2": other}


@pytest.mark.soak
@pytest.mark.parametrize("alive", [True, False])
def test_abort_reaches_what_is_in_flight(
    lab: Laboratory, operator: Operator, *, alive: bool
) -> None:
    """Whether its planner lives or not: the guest stays, nothing more starts, the journal knows."""
    operator.configure(AWAY, h1=LINK, h2=LINK, h3=LINK)
    lab.boot(*(GuestSpec(f"trio-{n}", load=Load(set=32)) for n in (1, 2)))
    for host in lab.hosts.values():
        host.shape(20)
    planner = None
    if alive:
        planner = subprocess.Popen(
            [sys.executable, "-m", "balancer", "apply", "--now", "--yes"],
            cwd=operator.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until_sent(lab, operator)
    else:
        killed_in_flight(lab, operator)
    answer = operator.ask("abort")
    assert answer.code == 0, answer
    assert [o["result"] for o in answer.document["outcomes"]] == ["aborted"]
    if planner:
        assert planner.wait(30) == 5
    assert set(hosts_of(lab).values()) == {"h1"}
    for name in ("trio-1", "trio-2"):
        assert lab.guest(name).whereabouts() == {"h1": libvirt.VIR_DOMAIN_RUNNING}
    assert len(events_of(operator, "started")) == 1
    assert len(events_of(operator, "ended")) == 1
    assert operator.run("apply", "--now", "--yes").code == 2
    for host in lab.hosts.values():
        host.shape(None)
    assert operator.run("unfreeze").code == 0
    assert operator.run("apply", "--now", "--yes").code == 0
    assert "h1" not in hosts_of(lab).values()
