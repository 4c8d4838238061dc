"""The planner sees the simulated world as hypervisors would show it."""

from balancer.codec import dump_observation, load_observation
from balancer.simulator.inventory import SimulatedInventory
from tests.drawing import uuid_of
from tests.worlds import world_of


def test_hosts_guests_and_where_they_run_are_seen() -> None:
    """With one sample each, and the document written of it validates."""
    world = world_of("""
        a 16c/64g : web-1 2v/4g cpu=1.5 used=3 dirty=7
        b 16c/64g :
    """)
    seen = SimulatedInventory(world).observe()
    assert [h.name for h in seen.cluster.hosts] == ["a", "b"]
    assert seen.cluster.placement == {uuid_of("web-1"): "a"}
    assert seen.at == world.now
    (sample,) = seen.history.guests[uuid_of("web-1")]
    assert sample.values == {
        "cpu": 1500,
        "cpu.delay": 0,
        "memory.assigned": 4096,
        "memory.balloon": 4096,
        "memory.rss": 3072,
        "memory.unused": 1024,
        "dirty": 7,
    }
    (host,) = seen.history.hosts["a"]
    assert host.values == {"cpu": 1500, "cpu.pressure": 0, "memory.used": 3072}
    assert load_observation(dump_observation(seen)) == seen


def test_on_an_overloaded_host_each_gets_its_part_and_waits_for_the_rest() -> None:
    """12 cores wanted of 8: two thirds each, a third is delay."""
    world = world_of("a 8c/64g : x 8v/4g cpu=6 | y 8v/4g cpu=3 | z 8v/4g cpu=3")
    seen = SimulatedInventory(world).observe()
    values = {name: seen.history.guests[uuid_of(name)][0].values for name in "xyz"}
    assert [values[name]["cpu"] for name in "xyz"] == [4000, 2000, 2000]
    assert [values[name]["cpu.delay"] for name in "xyz"] == [2000, 1000, 1000]
    assert seen.history.hosts["a"][0].values["cpu"] == 8000
    assert seen.history.hosts["a"][0].values["cpu.pressure"] == 333


def test_a_dead_host_is_unseen_and_its_guests_with_it() -> None:
    """The others are seen as ever."""
    world = world_of("a 16c/64g : x 1v/4g\nb 16c/64g : y 1v/4g")
    world.die("b")
    seen = SimulatedInventory(world).observe()
    assert [h.name for h in seen.cluster.hosts] == ["a"]
    assert [g.name for g in seen.cluster.guests] == ["x"]
    assert [u.host for u in seen.unseen] == ["b"]
    assert set(seen.history.hosts) == {"a"}


def test_a_guest_on_its_way_is_one_guest() -> None:
    """It is placed on its source and in flight to its target."""
    world = world_of("a 16c/64g : x 1v/4g\nb 16c/64g :")
    world.begin(uuid_of("x"), "b", 10.0, 0.3)
    seen = SimulatedInventory(world).observe()
    assert len(seen.cluster.guests) == 1
    assert seen.cluster.placement == {uuid_of("x"): "a"}
    assert seen.cluster.in_flight == {uuid_of("x"): "b"}
