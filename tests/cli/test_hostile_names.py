"""Names, labels and metadata come from others: no terminal, log or file may be harmed by them."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from balancer.adapters.closed import ClosedHosts, Closure
from balancer.adapters.freeze import freeze
from balancer.adapters.stand_in import SilentTelemetry
from balancer.adapters.systemd import notify
from balancer.cli.logs import Logged, configure
from balancer.codec import as_data, dump_event, dump_observation, load_observation
from balancer.planner.model.cluster import Tie
from balancer.planner.model.observation import Observation, Unseen
from balancer.planner.model.plan import Outcome, Result
from balancer.ports import Event
from balancer.render.words import HIDDEN
from tests.cli.conftest import HOT, Terminal
from tests.codec.documents import PLAN
from tests.drawing import observation

NASTY = "\x1b[31m\x1b]0;owned\x07\x9b2J\u202egnp\u2066\u200b\n../../x/\r[bold]{0}%s\u2028\x7f"


def hostile() -> Observation:
    """A hot host; every word of it and of its guests is nasty."""
    seen = observation(HOT)
    cluster = seen.cluster
    hosts = {host.name: host.name + NASTY for host in cluster.hosts}
    return replace(
        seen,
        cluster=replace(
            cluster,
            hosts=tuple(
                replace(h, name=hosts[h.name], labels={NASTY: NASTY}, networks=(NASTY,))
                for h in cluster.hosts
            ),
            guests=tuple(
                replace(
                    g,
                    name=g.name + NASTY,
                    labels={NASTY: NASTY},
                    metadata={NASTY: NASTY},
                    owner=NASTY if g.name == "db" else "",
                    networks=(NASTY,),
                    ties=(Tie(kind="passthrough", detail=NASTY),) if g.name == "quiet" else (),
                )
                for g in cluster.guests
            ),
            placement={uuid: hosts[host] for uuid, host in cluster.placement.items()},
        ),
        history=replace(
            seen.history, hosts={hosts[h]: samples for h, samples in seen.history.hosts.items()}
        ),
        unseen=(Unseen(NASTY, NASTY, NASTY),),
        doubts=(NASTY,),
    )


def harmless(text: str) -> bool:
    """Whether a terminal only shows it: line breaks are our own."""
    return all(c == "\n" or unicodedata.category(c) not in HIDDEN for c in text)


def test_what_is_nasty_is_not_harmless() -> None:
    """The judge of these tests can tell."""
    assert not harmless(NASTY)
    assert not any(harmless(c) for c in "\x1b\x9b\u202e\u2066\u200b\r\u2028\x7f\x07")


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "words",
    [
        ("plan", "--from", "case.json"),
        ("plan", "--from", "case.json", "-o", "plan.json"),
        ("rules", "--from", "case.json"),
        ("plan", "--from", "case.json", "--policy", f"no{NASTY.strip(chr(0))}"),
        ("plan", "--from", f"no{NASTY}"),
        ("why", f"web-1{NASTY}"),
        ("history",),
        (NASTY,),
    ],
    ids=lambda words: " ".join(words)[:30].encode("unicode_escape").decode(),
)
def test_nothing_said_disturbs_a_terminal(
    balancer: Terminal, tmp_path: Path, words: tuple[str, ...], form: str
) -> None:
    """In answers, in documents, in faults; and no file appears but those asked for."""
    (tmp_path / "case.json").write_text(dump_observation(hostile()))
    (tmp_path / "config.toml").write_text('state = "state"\nmode = "observe"\n')
    answer = balancer("--format", form, "-v", *words)
    assert answer.code in (0, 2, 3, 4), answer
    for said in (answer.out, answer.err):
        assert harmless(said), said.encode("unicode_escape")
    known = {"case.json", "config.toml", "plan.json", "state", "history.sqlite"}
    assert {p.name for p in tmp_path.iterdir()} <= known
    assert not [p for p in tmp_path.rglob("*") if not harmless(p.name)]


def test_documents_mean_the_same_though_they_are_escaped() -> None:
    """What is written for a terminal's sake is read back as it was."""
    text = dump_observation(hostile())
    assert harmless(text)
    assert load_observation(text) == hostile()
    event = Event(1.0, "ended", text=NASTY, host=NASTY, data={"x": NASTY})
    assert dump_event(event).count("\n") == 1
    assert harmless(dump_event(event))


def test_logs_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a guest or a reason is called, a line of the log stays one, and plain."""
    configure(1)
    action = replace(PLAN.actions[0], name=NASTY, source=NASTY, target=NASTY)
    logged = Logged(SilentTelemetry())
    logged.note(NASTY)
    logged.ended(Outcome(action=action, result=Result.FAILED, started=0, ended=1, reason=NASTY))
    logged.planned(replace(PLAN, id=NASTY, summary=NASTY))
    structlog.reset_defaults()
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 3
    assert harmless(said)
    assert json.loads(said.splitlines()[0])["text"] == NASTY


def test_files_hold_nothing_that_disturbs(tmp_path: Path) -> None:
    """FREEZE, closed.json and what systemd is told can be looked at."""
    freeze(tmp_path / "FREEZE", None, NASTY)
    ClosedHosts(tmp_path / "closed.json").close(NASTY, Closure(1.0, NASTY, {NASTY: NASTY}))
    for name in ("FREEZE", "closed.json"):
        assert harmless((tmp_path / name).read_text()), name
    assert ClosedHosts(tmp_path / "closed.json").known()[NASTY].by == NASTY
    assert as_data(Event(1.0, NASTY)) is not None
    assert not notify({}, STATUS=NASTY)
