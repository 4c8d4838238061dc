"""What a scenario says will happen, happens at its time."""

from pathlib import Path

import pytest

from balancer.ports import UsageError
from balancer.simulator.inventory import SimulatedInventory
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


RACKS = """
[[hosts]]
names = ["a", "b"]
cpu = 16
memory = "64GiB"
labels = { rack = "r1" }
[[hosts]]
names = "c"
cpu = 16
memory = "64GiB"
power = [100, 200]
[[guests]]
names = "web-[1-2]"
on = "c"
cpu = 1
memory = "16GiB"
"""


def after(tmp_path: Path, *events: str, seconds: float = 61) -> World:
    """Return the world of the racks when these events have taken place, a minute apart."""
    path = tmp_path / "racks.toml"
    told = (f'\n[[events]]\nat = "{60 * i}s"\n{text}\n' for i, text in enumerate(events, 1))
    path.write_text(RACKS + "".join(told))
    world = Simulation(load_scenario(path)).world
    world.advance(world.now + 60 * (len(events) - 1) + seconds)
    return world


def test_a_rack_dies_and_returns_as_a_whole(tmp_path: Path) -> None:
    """All hosts with the label, no other one."""
    dies, returns = 'what = "rack_dies"\nrack = "r1"', 'what = "rack_returns"\nrack = "r1"'
    assert [h.alive for h in after(tmp_path, dies).hosts.values()] == [False, False, True]
    assert all(h.alive for h in after(tmp_path, dies, returns).hosts.values())


def test_hosts_join_and_go_for_good(tmp_path: Path) -> None:
    """A new one is empty and has its own power curve; one taken away leaves nothing behind."""
    joins = 'what = "host_added"\nnames = "d"\ncpu = 8\nmemory = "32GiB"\npower = [50, 90]'
    world = after(tmp_path, joins)
    assert world.hosts["d"].watts == (50, 90)
    assert "d" not in world.placement.values()
    gone = after(tmp_path, joins, 'what = "host_removed"\nhost = "d"')
    assert "d" not in gone.hosts
    assert not gone.lost
    assert len(after(tmp_path, 'what = "host_removed"\nhost = "c"').lost) == 2


def test_guests_boot_where_room_is_busy_at_first(tmp_path: Path) -> None:
    """Each where most memory is free; one that fits nowhere is noted."""
    boots = (
        'what = "guests_boot"\nnames = "desk-[1-2]"\nmemory = "24GiB"\ncpu = 0.5\n'
        'boot_cpu = 2\nboot_for = "2min"'
    )
    world = after(tmp_path, boots)
    desks = [uuid_of("desk-1"), uuid_of("desk-2")]
    assert [world.placement[uuid] for uuid in desks] == ["a", "b"]
    assert world.guests[desks[0]].cpu.at(world.now) == 2000
    assert world.guests[desks[0]].cpu.at(world.now + 120) == 500
    huge = 'what = "guests_boot"\nnames = "huge"\nmemory = "65GiB"'
    assert list(after(tmp_path, huge).never_began) == [uuid_of("huge")]


def test_growth_multiplies_guests_and_load(tmp_path: Path) -> None:
    """Twice as many, each half as busy again, from that moment on."""
    world = after(tmp_path, 'what = "growth"\nguests = "web-*"\ntimes = 2\nload = "150%"')
    assert sorted(g.spec.name for g in world.guests.values()) == [
        "web-1",
        "web-1.2",
        "web-2",
        "web-2.2",
    ]
    assert {g.cpu.at(world.now) for g in world.guests.values()} == {1500}
    assert world.guests[uuid_of("web-1")].cpu.at(world.now - 60) == 1000


def test_measurements_are_lost_and_return(tmp_path: Path) -> None:
    """Of those named, guests and hosts; then of nobody."""
    lost = 'what = "metrics_lost"\nguests = "web-1"\nhost = "a"'
    seen = SimulatedInventory(after(tmp_path, lost)).observe().history
    assert (set(seen.guests), set(seen.hosts)) == ({uuid_of("web-2")}, {"b", "c"})
    back = SimulatedInventory(after(tmp_path, lost, 'what = "metrics_return"')).observe().history
    assert (len(back.guests), len(back.hosts)) == (2, 3)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('what = "rack_dies"\nrack = "r2"', "rack = .r2.: no host has the label"),
        ('what = "host_added"\nnames = "a"\ncpu = 1\nmemory = "1GiB"', "a is given twice"),
        ('what = "host_added"\nnames = "z"\ncpu = 1\nmemory = "1GiB"\npower = [3]', "power = .*two or more watts"),
        ('what = "guests_boot"\nnames = "web-1"', "web-1 is there from the beginning"),
        ('what = "growth"\nguests = "web-*"', "times: missing"),
        ('what = "metrics_lost"', "guests: missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_who_comes_and_goes_is_one_sentence(
    tmp_path: Path, text: str, fault: str
) -> None:
    """It names the event and the key."""
    with pytest.raises(UsageError, match=fault):
        after(tmp_path, text)
