"""The planner killed at any moment: what it began is found, followed, journalled, never repeated."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from balancer.planner.model.plan import Result
from balancer.ports import ABANDONED, Event

from .cluster import Laboratory
from .guest import GuestSpec, Load
from .operator import Operator, Service, events_of
from .planner import Planner
from .planner import in_order as judged
from .test_main_job import hosts_of

AWAY = '[limits]\nat_once_total = 1\nmigration_link_share = "100%"\n[[avoid]]\nguests = "trio-*"\nhosts = "h1"\n'
"""Three guests must leave h1, one after the other."""
LINK = {"link": "1Gbit"}
ALL_OVER = 3
KILL_POINTS = [
    *((1, "after"), (2, "after"), (3, "before"), (3, "after"), (5, "before")),
    *(
        pytest.param(number, when, marks=pytest.mark.soak)
        for number, when in [
            *((1, "before"), (2, "before"), (4, "before"), (4, "after"), (5, "after")),
            *((6, "before"), (6, "after"), (7, "before"), (7, "after")),
        ]
    ),
]
"""decided, started and ended of the first, of the second, of the third."""


@pytest.fixture
def operator(lab: Laboratory, tmp_path: Path) -> Operator:
    """Three guests that have to leave h1 one by one; one of them is started with its host."""
    lab.boot(*(GuestSpec(f"trio-{n}", load=Load(set=8)) for n in (1, 2, 3)))
    lab.guest("trio-2").domain().setAutostart(1)
    return Operator(lab, tmp_path).configure(AWAY, h1=LINK, h2=LINK, h3=LINK)


def in_order(lab: Laboratory, operator: Operator) -> list[Event]:
    """Assert what must hold after every fault, and that nothing is left to do; return what the
    journal says was begun."""
    planner = Planner(operator)
    judged(planner)
    assert judged(planner).outcomes == ()
    planner.close()
    for name in lab.guests:
        assert bool(lab.guest(name).domain().autostart()) == (name == "trio-2"), name
    return events_of(operator, "started")


def results(operator: Operator) -> Counter[str]:
    told = events_of(operator, "ended")
    return Counter(event.data["outcome"]["result"] for event in told)  # type: ignore[index]


@pytest.mark.parametrize(("number", "when"), KILL_POINTS)
def test_killed_at_an_event(lab: Laboratory, operator: Operator, number: int, when: str) -> None:
    """Whatever event it dies at, each guest is moved once and the rest is done by the next run."""
    words = [str(number), when, "apply", "--now", "--yes"]
    died = subprocess.run(
        [sys.executable, "-m", "tests.lab.dying", *words],
        cwd=operator.folder,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert died.returncode == -signal.SIGKILL, died
    begun = in_order(lab, operator)
    done = results(operator)
    assert done["done"] == ALL_OVER
    never_left = [e for e in events_of(operator, "ended") if ABANDONED in e.text]
    assert len(begun) == ALL_OVER + len(never_left)
    killed_after_announcing = when == "after" and number in (2, 4, 6)
    assert len(never_left) == killed_after_announcing
    assert "h1" not in hosts_of(lab).values()


@pytest.mark.parametrize("by", ["apply", pytest.param("serve", marks=pytest.mark.soak)])
def test_killed_in_mid_transfer(lab: Laboratory, operator: Operator, by: str) -> None:
    """The migration goes on without its planner; the next one follows it and begins nothing twice."""
    for host in lab.hosts.values():
        host.shape(40)
    running = killed_in_flight(lab, operator)
    for host in lab.hosts.values():
        host.shape(None)
    if by == "apply":
        begun = in_order(lab, operator)
    else:
        config = operator.folder / "config.toml"
        text = config.read_text().replace("confirm", "auto")
        config.write_text(f'interval = "2s"\n{text}[guards]\nauto_after = "0s"\n')
        with Service(operator) as service:
            service.until(lambda _: len(service.events("ended")) == ALL_OVER, "all of it", 90)
            known = service.status()["cycles"]
            service.until(lambda s: s["cycles"] > known + 1, "the next cycle")
            service.signal(signal.SIGTERM)
            assert service.wait() == 0
        begun = in_order(lab, operator)
    assert Counter(event.guest for event in begun) == dict.fromkeys(
        (lab.guest(f"trio-{n}").uuid for n in (1, 2, 3)), 1
    )
    assert results(operator) == {"done": ALL_OVER}
    first = events_of(operator, "ended")[0]
    assert first.guest == running


def killed_in_flight(lab: Laboratory, operator: Operator) -> str:
    """Kill -9 a planner while its first migration is under way; return that guest."""
    planner = subprocess.Popen(
        [sys.executable, "-m", "balancer", "apply", "--now", "--yes"],
        cwd=operator.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    uuid = until_sent(lab, operator)
    planner.kill()
    planner.wait()
    assert not events_of(operator, "ended")
    assert sent(lab, uuid), "it did not go on without its planner"
    return uuid


def until_sent(lab: Laboratory, operator: Operator) -> str:
    """Wait until the first move of a plan is under way; return its guest."""
    deadline = time.monotonic() + 40
    while not (started := events_of(operator, "started")) or not sent(lab, started[0].guest):
        assert time.monotonic() < deadline, "no move began"
        time.sleep(0.1)
    return started[0].guest


def sent(lab: Laboratory, uuid: str) -> int:
    """Return the bytes that a migration away from h1 has sent so far."""
    stats = lab["h1"].connection().lookupByUUIDString(uuid).jobStats()
    return int(stats.get("data_processed", 0))


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_stalled_without_a_planner(lab: Laboratory, operator: Operator) -> None:
    """A migration that hangs while nobody watches is found, given up, and its guest stays."""
    for host in lab.hosts.values():
        host.shape(40)
    running = killed_in_flight(lab, operator)
    for host in ("h2", "h3"):
        lab[host].cut("mig")
    begun = time.monotonic()
    answer = operator.run("apply", "--now", "--yes")
    assert time.monotonic() - begun < 110
    first = events_of(operator, "ended")[0]
    assert (first.guest, first.data["outcome"]["result"]) == (running, Result.STALLED)  # type: ignore[index]
    assert answer.code != 0
    for host in lab.hosts.values():
        host.mend("mig")
        host.shape(None)
    in_order(lab, operator)
