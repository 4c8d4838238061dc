"""The main job, typed by an operator, on real hypervisors. What counts is libvirt's word."""

from __future__ import annotations

import signal
import sqlite3
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from .cluster import Laboratory
from .guest import GuestSpec, Load
from .operator import SAMPLED, Answer, Operator

SMALL = {"capacity": {"memory": "1GiB", "cpu": 1}}
"""A host of one core."""
HOT = '[hot]\ncpu_used = "50%"\n'
"""Three modest guests on one core are hot by far, two are hot, one is not."""


@pytest.fixture
def operator(lab: Laboratory, tmp_path: Path) -> Operator:
    return Operator(lab, tmp_path)


def done(answer: Answer) -> Answer:
    assert answer.code == 0, answer.out + answer.err
    return answer


def outcomes(answer: Answer) -> list[dict[str, Any]]:
    return done(answer).document["outcomes"]


def hosts_of(lab: Laboratory) -> dict[str, str]:
    """Guest to host; every guest runs exactly once."""
    placement = lab.placement()
    assert all(len(hosts) == 1 for hosts in placement.values()), placement
    return {guest: hosts[0] for guest, hosts in placement.items()}


def test_a_hot_host_is_relieved(lab: Laboratory, operator: Operator) -> None:
    """Planned, applied, measured: no host is hot any more, and there is nothing left to do."""
    operator.configure(HOT, more=SAMPLED, h1=SMALL, h2=SMALL, h3=SMALL)
    lab.boot(*(GuestSpec(f"busy-{n}", load=Load(cpu=30, set=8)) for n in range(3)))
    planned = operator.run("plan", "--exit-code", "-o", "p.json")
    assert planned.code == 4, planned
    assert "h1" in planned.out
    assert "hot" in planned.out
    assert hosts_of(lab) == {f"busy-{n}": "h1" for n in range(3)}, "a dry run moved something"
    moved = outcomes(operator.ask("apply", "p.json", "--yes"))
    assert {o["result"] for o in moved} == {"done"}
    after = hosts_of(lab)
    assert {o["action"]["name"]: o["action"]["target"] for o in moved}.items() <= after.items()
    assert sorted(after.values()) == ["h1", "h2", "h3"]
    again = operator.run("plan", "--exit-code")
    assert again.code == 0, again
    assert operator.run("apply", "p.json", "--yes").code == 2, "a stale plan was not refused"


def test_a_broken_spread_rule_is_repaired(lab: Laboratory, operator: Operator) -> None:
    """Two of three that must be apart share a host; one moves, and only one."""
    operator.configure('[[spread]]\nguests = "zk-*"\n')
    lab.boot(GuestSpec("zk-1"), GuestSpec("zk-2"), GuestSpec("zk-3", host="h2"), GuestSpec("web"))
    assert "zk-1" in done(operator.run("rules")).out
    moved = outcomes(operator.ask("apply", "--now", "--yes"))
    assert [o["action"]["target"] for o in moved] == ["h3"]
    after = hosts_of(lab)
    assert {after[f"zk-{n}"] for n in (1, 2, 3)} == {"h1", "h2", "h3"}
    assert after["web"] == "h1"


def test_a_swap_between_full_hosts_goes_through_a_third(
    lab: Laboratory, operator: Operator
) -> None:
    """Neither guest fits beside the other; one waits on h3 while the other takes its place."""
    full = {"capacity": {"memory": "256MiB", "cpu": 2}}
    operator.configure(
        '[[together]]\nguests = ["east", "stone-2"]\n[[together]]\nguests = ["west", "stone-1"]\n'
        '[[stay]]\nguests = "stone-*"\n',
        h1=full,
        h2=full,
        h3={"capacity": {"memory": "128MiB", "cpu": 2}},
    )
    lab.boot(*(GuestSpec(name, host="h1") for name in ("east", "stone-1")))
    lab.boot(*(GuestSpec(name, host="h2") for name in ("west", "stone-2")))
    moved = outcomes(operator.ask("apply", "--now", "--yes"))
    assert len(moved) == 3
    assert [o["action"]["temporary"] for o in moved].count(True) == 1
    assert "h3" in {o["action"]["target"] for o in moved}
    for one, next_ in pairwise(moved):
        assert one["ended"] <= next_["started"]
    assert hosts_of(lab) == {"east": "h2", "west": "h1", "stone-1": "h1", "stone-2": "h2"}


def test_two_at_once_share_a_link_as_planned(lab: Laboratory, operator: Operator) -> None:
    """Both leave h1 over its 200 Mbit/s link, together, within the share that policy allows.

    Each target has half of that: one after the other would take twice as long.
    """
    for name, host in lab.hosts.items():
        host.shape(200 if name == "h1" else 100)
    slow = {"link": "100Mbit"}
    operator.configure(
        '[limits]\nat_once_per_host = 2\nmigration_link_share = "80%"\n'
        '[[avoid]]\nguests = "pair-*"\nhosts = "h1"\n[[spread]]\nguests = "pair-*"\n',
        h1={"link": "200Mbit"},
        h2=slow,
        h3=slow,
    )
    lab.boot(*(GuestSpec(f"pair-{n}", load=Load(set=24)) for n in (1, 2)))
    plan = operator.ask("plan", "-o", "p.json")
    first, second = done(plan).document["plan"]["actions"]
    allowed = 0.8 * 200e6 / 8 / 1024
    assert first["rate_kib_s"] + second["rate_kib_s"] <= allowed
    a, b = outcomes(operator.ask("apply", "p.json", "--yes"))
    assert a["result"] == b["result"] == "done", (a, b)
    begun, over = min(a["started"], b["started"]), max(a["ended"], b["ended"])
    together = min(a["ended"], b["ended"]) - max(a["started"], b["started"])
    shorter = min(o["ended"] - o["started"] for o in (a, b))  # one may need a second round
    assert together > 0.9 * shorter, "they did not run together"
    assert (a["mib"] + b["mib"]) * 1024 / (over - begun) <= allowed
    assert sorted(hosts_of(lab).values()) == ["h2", "h3"]


@pytest.mark.soak
def test_a_dead_and_a_hung_host_stop_nobody(lab: Laboratory, operator: Operator) -> None:
    """They are reported with a remedy, in time; the others are seen in full."""
    operator.configure(**{f"h{n}": {"answer_within": "3s"} for n in (1, 2, 3)})
    lab.boot(GuestSpec("here"), GuestSpec("there", host="h3"))
    lab["h2"].freeze_libvirtd()
    lab["h3"].power_off()
    begun = time.monotonic()
    seen = done(operator.ask("observe")).document
    assert time.monotonic() - begun < 20
    observation = seen["observation"]
    assert {unseen["host"] for unseen in observation["unseen"]} == {"h2", "h3"}
    assert all(unseen["remedy"] for unseen in observation["unseen"])
    assert [guest["name"] for guest in observation["cluster"]["guests"]] == ["here"]
    assert operator.run("plan").code == 0


def test_what_cannot_move_stays_and_is_named_and_the_rest_moves(
    lab: Laboratory, operator: Operator
) -> None:
    """A device passed through and a disk nobody else has hold two guests; the third moves."""
    operator.configure(HOT, more=SAMPLED, h1=SMALL, h2=SMALL, h3=SMALL)
    lab.boot(
        GuestSpec("device", passthrough=True, load=Load(cpu=30)),
        GuestSpec("local", disk="local", load=Load(cpu=30)),
        GuestSpec("free", disk="shared", load=Load(cpu=30)),
    )
    plan = done(operator.run("plan")).out
    assert "device" in plan
    assert "local" in plan
    moved = outcomes(operator.ask("apply", "--now", "--yes"))
    assert [o["action"]["name"] for o in moved] == ["free"]
    after = hosts_of(lab)
    assert (after["device"], after["local"]) == ("h1", "h1")
    assert after["free"] != "h1"


def test_ctrl_c_finishes_what_is_in_flight_and_starts_nothing_more(
    lab: Laboratory, operator: Operator
) -> None:
    """Interrupted in the middle of the first of two moves: one arrives, the other never leaves."""
    lab["h1"].shape(200)
    slow = {"link": "200Mbit"}
    operator.configure(
        '[limits]\nat_once_total = 1\n[[avoid]]\nguests = "tied-*"\nhosts = "h1"\n',
        h1=slow,
        h2=slow,
        h3=slow,
    )
    lab.boot(*(GuestSpec(f"tied-{n}", load=Load(set=16)) for n in (1, 2)))
    applied = operator.begin("apply", "--now", "--yes")
    assert applied.stdout is not None
    said = []
    for line in applied.stdout:
        said.append(line)
        if line.rstrip().endswith("started"):
            break
    applied.send_signal(signal.SIGINT)
    said.append(applied.communicate(timeout=60)[0])
    assert applied.returncode == 5, said
    assert sorted(hosts_of(lab).values()).count("h1") == 1
    journal = sqlite3.connect(operator.folder / "journal.sqlite")
    kinds = [kind for (kind,) in journal.execute("SELECT kind FROM events ORDER BY id")]
    assert kinds.count("started") == kinds.count("ended") == 1
    assert "stopped" in kinds
