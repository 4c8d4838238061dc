"""What a scenario says will happen, happens at its time."""

from pathlib import Path

import pytest

from balancer.ports import UsageError
from balancer.simulator.run import Simulation
from balancer.simulator.scenario import load_scenario
from balancer.simulator.world import World
from tests.drawing import uuid_of

CLUSTER = """
[[hosts]]
names = ["a", "b"]
cpu = 16
memory = "64GiB"
[[guests]]
names = "web-[1-2]"
on = "a"
cpu = 1
dirty = "5MiB/s"
"""


def world(tmp_path: Path, *events: str) -> World:
    """Return the world of the small cluster with these events, at its start."""
    path = tmp_path / "case.toml"
    path.write_text(CLUSTER + "".join(f'\n[[events]]\nat = "60s"\n{text}\n' for text in events))
    return Simulation(load_scenario(path)).world


def passed(world: World) -> World:
    """Return the world once the event has taken place, and assert that it had not before."""
    world.advance(world.now + 59.9)
    assert sorted(world.placement.values()) == ["a", "a"]
    world.advance(world.now + 0.2)
    return world


def test_load_changes_for_the_guests_named(tmp_path: Path) -> None:
    """CPU, dirtying, or both; others and what is not named stay as they are."""
    text = 'what = "load"\nguests = "web-1"\ncpu = 3'
    after = passed(world(tmp_path, text, 'what = "load"\nguests = "web-2"\ndirty = "9MiB/s"'))
    first, second = (after.guests[uuid_of(name)] for name in ("web-1", "web-2"))
    assert (first.cpu.at(0), first.dirty_mib_s) == (3000, 5)
    assert (second.cpu.at(0), second.dirty_mib_s) == (1000, 9)


def test_a_load_change_of_a_guest_that_is_gone_does_nothing(tmp_path: Path) -> None:
    """Events do not bring guests back."""
    stops = 'what = "guest_stops"\nguests = "web-1"'
    after = passed(world(tmp_path, stops, 'what = "load"\nguests = "web-*"\ncpu = 3'))
    assert set(after.guests) == {uuid_of("web-2")}
    assert set(after.stopped) == {uuid_of("web-1")}


def test_somebody_moves_a_guest_by_hand(tmp_path: Path) -> None:
    """At once."""
    after = passed(world(tmp_path, 'what = "moved_by_hand"\nguests = "web-2"\nto = "b"'))
    assert after.placement == {uuid_of("web-1"): "a", uuid_of("web-2"): "b"}


def test_the_next_migration_of_a_guest_fails(tmp_path: Path) -> None:
    """After the time given, for the reason given."""
    text = 'what = "migration_fails"\nguests = "web-1"\nafter = "2s"\nreason = "no route"'
    after = passed(world(tmp_path, text))
    assert after.dooms == {uuid_of("web-1"): (2.0, "no route")}


def test_hosts_die_and_return_and_links_weaken(tmp_path: Path) -> None:
    """Dead from its time on; back, but empty; a link keeps the share given."""
    dies = 'what = "host_dies"\nhost = "b"'
    assert not passed(world(tmp_path, dies)).hosts["b"].alive
    assert passed(world(tmp_path, dies, 'what = "host_returns"\nhost = "b"')).hosts["b"].alive
    assert (
        passed(world(tmp_path, 'what = "link"\nhost = "a"\nshare = "25%"')).hosts["a"].link_share
        == 0.25
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('guests = "web-1"', r"events\[1\]\.what: must be one of load"),
        ('what = "lod"', r"what = .lod.*did you mean load"),
        ('what = "load"\nhost = "a"', r"events\[1\]\.host: unknown key"),
        ('what = "load"\nguests = "wob-1"\ncpu = 1', "guests = .wob-1.*matches no guest; did you mean web-1"),
        ('what = "load"\ncpu = 1', r"guests: matches no guest"),
        ('what = "host_dies"\nhost = "c"', "host = .c.: no such host"),
        ('what = "moved_by_hand"\nguests = "*"', "to: no such host"),
        ('what = "link"\nhost = "a"', "share: missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(tmp_path: Path, text: str, fault: str) -> None:
    """It names the event and the key."""
    with pytest.raises(UsageError, match=fault):
        world(tmp_path, text)
