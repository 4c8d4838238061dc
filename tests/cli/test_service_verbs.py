"""The service and the verbs around it, typed by an operator, on a simulated cluster."""

import json
import os
import signal
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

from balancer.adapters.board import StatusBoard
from balancer.cli.moments import Moment
from balancer.cli.serve import Signals
from balancer.config import load
from balancer.ports import Event, Progress, Status
from balancer.wiring import journal_of, only_service
from tests.cli.conftest import Terminal, World


def configure(world: World, mode: str, more: str = "") -> None:
    """Write a configuration for the service; heat need not last, auto needs no observation."""
    world.folder.joinpath("policy.toml").write_text(
        'extends = "balance"\n[capacity]\nkeep_for_hypervisor = "4GiB"\n[hot]\nlasting = "0s"\n'
    )
    world.folder.joinpath("config.toml").write_text(
        f'mode = "{mode}"\npolicy = "policy.toml"\nstate = "state"\ninterval = "5min"\n'
        f'{more}\n[guards]\nauto_after = "0s"\n'
    )


def serve_for(world: World, balancer: Terminal, cycles: int, *words: str) -> str:
    """Run the service for so many cycles; return what it logged."""
    end = world.simulation.world.now + cycles * 300 - 1
    world.until = end
    answer = balancer("serve", *words)
    assert answer.code == 0, answer
    return answer.err


@pytest.mark.parametrize(("mode", "moves"), [("observe", False), ("auto", True)])
def test_serve_does_what_the_mode_allows(
    balancer: Terminal, world: World, mode: str, *, moves: bool
) -> None:
    """Observing, it says what it would do; in auto it does it, and history tells."""
    configure(world, mode)
    before = world.placement
    serve_for(world, balancer, 2)
    assert (world.placement != before) == moves
    said = balancer("history", "--all", "--since", "1970-01-02").out
    assert ("decided" in said) == moves
    assert ("mode observe: " in " ".join(said.split())) != moves
    status = balancer("status")
    assert status.code == 3, "it has stopped"
    assert f"{mode}, stopped" in status.out
    assert " ago\n" in status.out
    assert "is it running" not in status.out, "it was told to stop, and did"


def test_a_plan_waits_for_approval(balancer: Terminal, world: World) -> None:
    """`approve` shows what waits, refuses another name, and writes the approval down."""
    configure(world, "confirm")
    assert balancer("approve").code == 2
    serve_for(world, balancer, 1)
    known = load(Path("config.toml"))
    journal = journal_of(known, read_only=False)
    (proposed,) = journal.read(0.0, ("proposed",))
    StatusBoard(known.status_path, lambda **_: None).show(
        Status(at=time.time(), mode="confirm", state="awaiting approval", sentence="x",
               interval=300.0, began=0.0, plan=proposed.plan)
    )  # fmt: skip
    shown = balancer("approve")
    assert f"balancer approve {proposed.plan}" in shown.out
    assert balancer("approve", "P-other").code == 2
    (world.folder / "FREEZE").touch()
    assert "frozen" in balancer("approve", proposed.plan).err
    (world.folder / "FREEZE").unlink()
    assert balancer("approve", proposed.plan).code == 0
    assert journal.read(0.0, ("approved",))[-1].plan == proposed.plan
    assert f"approve {proposed.plan}" in balancer("status").out


def test_approving_needs_a_service_that_lives(balancer: Terminal, world: World) -> None:
    """A proposal of a dead service, or none, is refused."""
    configure(world, "confirm")
    board = StatusBoard(load(Path("config.toml")).status_path, lambda **_: None)
    Path("state").mkdir()
    base = Status(at=1.0, mode="confirm", state="resting", sentence="x", interval=1.0, began=0.0)
    board.show(base)
    assert "does not run" in balancer("approve").err
    board.show(Status(**{**_fields(base), "at": time.time()}))
    assert "no plan waits: the service is resting" in balancer("approve").err
    board.show(
        Status(**{**_fields(base), "at": time.time(), "state": "awaiting approval", "plan": "P-9"})
    )
    assert "P-9 is not in the journal" in balancer("approve").err


def _fields(status: Status) -> dict[str, object]:
    return {name: getattr(status, name) for name in Status.__slots__}


def test_freeze_and_unfreeze(balancer: Terminal, world: World) -> None:
    """Apply is refused meanwhile; both are in the journal; a freeze in the past is a mistake."""
    assert world.placement
    assert "Frozen until" in balancer("freeze", "--until", "2h", "--reason", "switch work").out
    refused = balancer("apply", "--now", "--yes")
    assert refused.code == 2
    assert "switch work" in refused.err
    assert "frozen until" in balancer("status").out
    assert "Released; it was frozen until" in balancer("unfreeze").out
    assert balancer("unfreeze").out == "Nothing was frozen.\n"
    assert balancer("freeze", "--until", "2020-01-01").code == 3
    assert balancer("apply", "--now", "--yes").code == 0
    kinds = [e.kind for e in journal_of(load(Path("config.toml"))).read(0.0)]
    assert kinds[:2] == ["froze", "unfroze"]


def test_freezing_needs_no_journal(balancer: Terminal, world: World) -> None:
    """The file is what counts."""
    assert world.placement
    Path("state").touch()
    assert balancer("freeze").code == 0
    assert Path("FREEZE").exists()


def test_status_shows_what_is_in_flight(balancer: Terminal, world: World) -> None:
    """How far, and when it will have ended."""
    configure(world, "auto")
    Path("state").mkdir()
    now = time.time()
    StatusBoard(load(Path("config.toml")).status_path, lambda **_: None).show(
        Status(at=now, mode="auto", state="moving", sentence="P-1: 0 of 1", interval=300.0,
               began=now - 60, cycles=2, last_cycle=now - 5, predicted_end=now + 30,
               in_flight=(Progress("1", 0.81, 10, 512, 12.0, "no data for 20 s"),),
               names={"1": "build-09 to kvm052"}, troubles=("a bad reload",))
    )  # fmt: skip
    answer = balancer("status")
    assert answer.code == 0
    assert "build-09 to kvm052  81 %, 512 MiB left, 12 s so far, no data for 20 s" in answer.out
    assert "predicted end" in answer.out
    assert "a bad reload" in answer.out
    assert json.loads(balancer("status", "--format", "json").out)["alive"]


def test_why_tells_both_of_those_that_moved_and_of_those_that_stayed(
    balancer: Terminal, world: World
) -> None:
    """Trigger, who was rejected, promised against measured; what keeps a guest; a host's heat."""
    configure(world, "auto")
    serve_for(world, balancer, 2)
    ended = journal_of(load(Path("config.toml"))).read(0.0, ("ended",))
    name = ended[0].text.split()[0]
    told = balancer("why", name, "--since", "1970-01-02")
    flat = " ".join(told.out.split())
    for word in (
        "Trigger",
        "This guest",
        "This host",
        "Promised",
        "Measured",
        "Afterwards",
        "Otherwise",
    ):
        assert word in flat, told.out
    assert "by the service, mode auto" in flat
    assert "stays on" in flat
    assert "moved recently" in flat
    stayed = next(n for n in world.placement if all(n not in e.text for e in ended))
    quiet = " ".join(balancer("why", stayed, "--since", "1970-01-02").out.split())
    assert f"{stayed} stays on" in quiet
    assert "it would be considered if" in quiet
    host = " ".join(balancer("why", "kvm01", "--since", "1970-01-02").out.split())
    assert "hot above 85% CPU" in host
    assert name in host
    assert balancer("why", "nobody").code == 3
    document = json.loads(balancer("why", name, "--since", "1970-01-02", "--format", "json").out)
    assert document["moves"][0]["outcome"]["result"] == "done"


def test_why_asks_the_journal_alone_where_nothing_answers(
    balancer: Terminal, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead network does not take the past away."""
    configure(world, "auto")
    serve_for(world, balancer, 1)
    name = journal_of(load(Path("config.toml"))).read(0.0, ("ended",))[0].text.split()[0]
    monkeypatch.undo()
    monkeypatch.chdir(world.folder)
    monkeypatch.setattr("balancer.wiring.find_spec", lambda _: None)
    answer = balancer("why", name, "--since", "1970-01-02")
    assert "Measured" in answer.out
    assert not answer.err, "nobody was asked"
    stayed = next(n for n in world.placement if n != name)
    quiet = " ".join(balancer("why", stayed, "--since", "1970-01-02").out.split())
    assert f"{stayed} stays on" in quiet
    assert "Trigger" in quiet
    assert "it would be considered if" in quiet
    assert "only the journal is asked" in balancer("why", name, "--now").err


def test_simulate_keeps_or_breaks_its_promises(balancer: Terminal, tmp_path: Path) -> None:
    """0 where all came true; 5, with what did not, elsewhere."""
    kept = balancer("simulate", "swap_deadlock")
    assert kept.code == 0
    assert "3 moves" in kept.out
    file = tmp_path / "idle.toml"
    file.write_text(
        '[[hosts]]\nnames = "a"\ncpu = 4\nmemory = "8GiB"\n[expect]\nmoves_at_least = 1\n'
    )
    broken = balancer("simulate", file)
    assert broken.code == 5
    assert "NOT AS EXPECTED: moves_at_least = 1, but it was 0" in broken.out
    document = json.loads(balancer("simulate", file, "--format", "json").out)
    assert document["report"]["figures"]["moves"] == 0
    assert "cycle" in balancer("simulate", file, "-v").out


def test_an_empty_history_says_so(balancer: Terminal, world: World) -> None:
    """No traceback, no empty screen."""
    assert world.placement
    assert balancer("history").out == "Nothing is in the journal for that time.\n"


def test_cycles_that_say_the_same_are_counted(balancer: Terminal, world: World) -> None:
    """A quiet night is one line."""
    journal = journal_of(load(world.folder / "config.toml"), read_only=False)
    for n in range(5):
        journal.write(Event(time.time() - 10 + n, "cycle", text="all is well"))
    assert "(so 5 times)" in " ".join(balancer("history", "--all").out.split())


def test_signals_are_taken_note_of() -> None:
    """TERM stops, once more aborts; HUP reloads once; what is configured aborts at once."""
    with Signals() as heard:
        assert not heard.stop_requested()
        os.kill(os.getpid(), signal.SIGHUP)
        assert heard.reload_requested()
        assert not heard.reload_requested()
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard.stop_requested()
        assert not heard.abort_requested()
        heard.abort_on_stop = True
        assert heard.abort_requested()
        heard.abort_on_stop = False
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard.abort_requested()


@pytest.mark.parametrize(
    ("text", "forward", "seconds"),
    [
        ("2h", True, 7200),
        ("90min", False, -5400),
        ("tomorrow", True, None),
        ("yesterday", False, None),
    ],
)
def test_moments_are_understood(text: str, seconds: int | None, *, forward: bool) -> None:
    """Durations from now, days, hours, dates."""
    at = Moment(forward=forward)(None, None, text)  # type: ignore[arg-type]
    assert at is not None
    if seconds is not None:
        assert at - time.time() == pytest.approx(seconds, abs=5)
    else:
        assert datetime.fromtimestamp(at, UTC).astimezone().hour == 0


def test_an_hour_is_the_next_or_the_last_one() -> None:
    """By which way the option looks."""
    soon = (datetime.now(UTC).astimezone() + timedelta(minutes=2)).strftime("%H:%M")
    past = (datetime.now(UTC).astimezone() - timedelta(minutes=2)).strftime("%H:%M")
    day = 86_400
    for text, forward, low, high in (
        (soon, True, 0, 120), (past, True, day - 240, day), (soon, False, -day, 240 - day),
        (past, False, -240, 0),
    ):  # fmt: skip
        at = Moment(forward=forward)(None, None, text)  # type: ignore[arg-type]
        assert at is not None
        assert low - 60 <= at - time.time() <= high + 60
    exact = Moment(forward=True)(None, None, "2026-12-24 18:00")  # type: ignore[arg-type]
    assert exact == time.mktime((2026, 12, 24, 18, 0, 0, 0, 0, -1))


def test_what_is_no_time_is_refused() -> None:
    """With how to write one."""
    with pytest.raises(click.BadParameter, match=r"2h.*from now"):
        Moment(forward=True)(None, None, "soon")  # type: ignore[arg-type]
    with pytest.raises(click.BadParameter, match=r"2h.*ago"):
        Moment(forward=False)(None, None, "later")  # type: ignore[arg-type]


def test_a_second_service_is_kept_out(balancer: Terminal, world: World) -> None:
    """By a lock of its own, so that `apply` still works beside the service."""
    configure(world, "observe")
    first = only_service(load(Path("config.toml")))
    first.acquire()
    answer = balancer("serve")
    assert answer.code == 2
    assert "another planner is at work" in answer.err
    first.release()


def test_auto_too_early_is_refused(balancer: Terminal, world: World) -> None:
    """With the days that are missing."""
    configure(world, "auto")
    text = Path("config.toml").read_text().replace('"0s"', '"3d"')
    Path("config.toml").write_text(text)
    answer = balancer("serve")
    assert answer.code == 2
    assert "needs 3 days of scored observation, there are 0.0" in answer.err


def test_a_reload_reads_the_configuration_anew(
    balancer: Terminal, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken file keeps the old one; a good one is taken; `state` cannot change."""
    configure(world, "auto")
    good = Path("config.toml").read_text()
    texts = iter(
        [
            good.replace("mode", "mod", 1),
            good.replace('"state"', '"other"'),
            good.replace('"auto"', '"observe"'),
        ]
    )

    def hup(_self: Signals) -> bool:
        text = next(texts, None)
        if text is None:
            return False
        Path("config.toml").write_text(text)
        return True

    monkeypatch.setattr(Signals, "reload_requested", hup)
    serve_for(world, balancer, 2)
    Path("config.toml").write_text(good)
    said = journal_of(load(Path("config.toml"))).read(0.0, ("reloaded",))
    assert "did you mean mode?" in said[0].text
    assert "`state` cannot change" in said[1].text
    assert said[2].text == "mode observe, policy policy"


def test_a_port_that_is_taken_is_one_sentence(balancer: Terminal, world: World) -> None:
    """Where the operator chose it: nothing is begun, and the remedy is named."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        configure(world, "observe", f'metrics = "127.0.0.1:{port}"')
        answer = balancer("serve")
    assert answer.code == 3
    assert "Address already in use; choose another with `metrics` in config.toml" in " ".join(
        answer.err.split()
    )
    assert "Traceback" not in answer.err


def test_people_outside_are_told(balancer: Terminal, world: World) -> None:
    """A plan that was carried out is told to whoever wants to know, by a command here."""
    told = world.folder / "told.json"
    notify = f'\n[[notify]]\ncommand = ["/usr/bin/tee", "{told}"]\non = "finished"'
    configure(world, "auto", f'metrics = "off"{notify}')
    serve_for(world, balancer, 2)
    limit = time.monotonic() + 20
    while not (told.exists() and told.read_text().endswith("\n")) and time.monotonic() < limit:
        threading.Event().wait(0.05)
    document = json.loads(told.read_text())
    assert document["notice"] == "finished"
    assert "moves done" in document["text"]
