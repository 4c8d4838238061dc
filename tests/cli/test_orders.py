"""What an operator orders by name, on a simulated cluster behind the ports of a real one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from balancer.planner.model.cluster import Tie
from tests.cli.conftest import Terminal, World


def on(world: World, host: str) -> set[str]:
    return {name for name, where in world.placement.items() if where == host}


def hottest(world: World) -> str:
    hosts = list(world.placement.values())
    return max(set(hosts), key=lambda h: (hosts.count(h), h))


def test_a_host_is_drained_and_its_guests_are_brought_back(
    balancer: Terminal, world: World
) -> None:
    """Checked first, which changes nothing; then emptied and closed; then as before."""
    host = hottest(world)
    before, there = world.placement, on(world, host)
    check = balancer("drain", host, "--check")
    assert (check.code, world.placement) == (0, before)
    assert f"{host} can be emptied" in check.out
    assert balancer("undrain", host).code == 2
    drained = balancer("drain", host, "--yes")
    assert drained.code == 0, drained
    assert on(world, host) == set()
    assert f"{host} is empty." in drained.out
    closed = json.loads(Path("state/closed.json").read_text())["hosts"][host]
    assert set(closed["guests"].values()) == there
    back = balancer("undrain", host, "--bring-back", "--yes")
    assert back.code == 0, back
    assert on(world, host) == there
    assert json.loads(Path("state/closed.json").read_text())["hosts"] == {}


def test_a_drain_begins_when_it_was_told_to(balancer: Terminal, world: World) -> None:
    """It waits with the host open, looks again, and empties it; what it may shut down it moves."""
    host = hottest(world)
    guest = min(on(world, host))
    drained = balancer("drain", host, "--at", "1s", "--until", "2h", "--shutdown", guest, "--yes")
    assert drained.code == 0, drained
    assert "it stays open until then" in drained.out
    assert on(world, host) == set()
    assert not world.simulation.world.stopped
    assert balancer("drain", host, "--until", "never", "--yes").code == 3
    assert balancer("drain", host, "--shutdown", "nobody", "--yes").code == 2


def test_who_cannot_leave_is_shut_down_by_consent_alone(balancer: Terminal, world: World) -> None:
    """Without consent it blocks and stays; with it, it is off in the end and the host empty."""
    host = hottest(world)
    name = min(on(world, host))
    known = world.simulation.world.guests
    uuid = next(uuid for uuid, guest in known.items() if guest.spec.name == name)
    tie = Tie(kind="passthrough", detail="PCI 0000:3b:00.0")
    known[uuid] = replace(known[uuid], spec=replace(known[uuid].spec, ties=(tie,)))
    assert balancer("drain", host, "--check").code == 2
    assert balancer("drain", host, "--yes").code == 5
    assert on(world, host) == {name}
    done = balancer("drain", host, "--shutdown", name, "--yes")
    assert done.code == 0, done
    assert f"Shut down on {host}, to be started again there: {name}." in done.out
    assert uuid in world.simulation.world.stopped


def test_somebody_at_a_terminal_is_offered_the_guests_back(
    balancer: Terminal, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A no leaves them where they are, a yes is followed by the usual question on the plan."""
    host = hottest(world)
    there = on(world, host)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    asked: list[str] = []
    monkeypatch.setattr(
        "click.confirm", lambda text, **_: asked.append(text) or "Bring" not in text
    )
    assert balancer("drain", host, "--yes").code == 0
    assert balancer("undrain", host).code == 0
    assert on(world, host) == set()
    assert asked == [f"Bring {len(there)} guests back to {host}?"]
    monkeypatch.setattr("click.confirm", lambda *_, **__: True)
    assert balancer("drain", host, "--yes").code in (0, 5)
    answer = balancer("undrain", host)
    assert answer.code == 0, answer


def test_undrain_alone_moves_nobody(balancer: Terminal, world: World) -> None:
    """It says who was there."""
    host = hottest(world)
    assert balancer("drain", host, "--yes").code == 0
    after = world.placement
    answer = balancer("undrain", host, "--format", "json")
    assert answer.code == 0
    assert len(json.loads(answer.out)["guests"]) > 0
    assert world.placement == after


def test_a_drain_that_nobody_confirms_closes_nothing(balancer: Terminal, world: World) -> None:
    """Nor does one of a host that is not there, or where nothing may be changed."""
    assert balancer("drain", hottest(world)).code == 2
    assert not Path("state/closed.json").exists()
    assert balancer("drain", "nowhere").code == 3
    world.mode("observe")
    assert balancer("drain", hottest(world), "--yes").code == 2
    assert balancer("drain", hottest(world), "--check", "--format", "json").code == 0


def test_what_a_plan_did_is_undone_once(balancer: Terminal, world: World) -> None:
    """Everybody is where they were, though they have just moved; then there is nothing more."""
    before = world.placement
    assert balancer("undo", "--yes").code == 2
    assert balancer("apply", "--now", "--yes").code == 0
    moved = world.placement
    assert moved != before
    answer = balancer("undo", "--yes")
    assert answer.code == 0, answer
    assert world.placement == before
    assert balancer("undo", "P-nothing", "--yes").code == 2
    assert balancer("undo", "--yes").code == 0
    assert world.placement == moved, "the way back has a way back"


def test_abort_freezes_even_where_nothing_is_in_flight(balancer: Terminal, world: World) -> None:
    """Nothing more is started until it is released."""
    assert world.placement
    answer = balancer("abort")
    assert answer.code == 0, answer
    assert "Nothing was in flight." in answer.out
    assert balancer("apply", "--now", "--yes").code == 2
    assert balancer("unfreeze").code == 0


@pytest.mark.parametrize("words", [("drain",), ("undrain",)])
def test_a_host_is_needed(balancer: Terminal, words: tuple[str, ...]) -> None:
    """Which one is nobody's guess."""
    assert balancer(*words).code == 3
