"""Memory plugged into simulated guests: given, taken, watched and given back as by a balloon."""

from dataclasses import replace
from pathlib import Path

from balancer.planner.model.resize import What
from balancer.simulator.executor import SimulatedExecutor
from balancer.simulator.run import Simulation
from balancer.simulator.scenario import load_scenario
from tests.drawing import uuid_of
from tests.simulator.test_balloons import TAKE
from tests.worlds import world_of

SCENARIO = """
length = "90min"
interval = "5min"

[policy]
[[policy.resize]]
guests = "*"
memory = true
vcpus = true
idle = "0min"

[[hosts]]
names = "kvm1"
cpu = 16
memory = "64GiB"

[[guests]]
names = "grows"
on = "kvm1"
vcpus = 2
max_vcpus = 8
memory = "4GiB"
max_memory = "16GiB"
cpu = { shape = "step", before = 5, after = 0.5, at = "55min" }
noise = 0.02

[[events]]
at = "30min"
what = "wakes"
guests = "grows"
working = "10GiB"
"""


def test_a_guest_grows_with_what_it_needs_and_back(tmp_path: Path) -> None:
    """Memory and vCPUs, while nothing moves; vCPUs that it needs no more are taken back."""
    path = tmp_path / "grows.toml"
    path.write_text(SCENARIO)
    simulation = Simulation(load_scenario(path))
    report = simulation.run()
    assert report.figures.moves == 0
    told = [e.text for e in simulation.journal.read(kinds=("resized",))]
    assert "grows on kvm1: vcpus 2 → 3: done" in told
    assert "grows on kvm1: plugged 0 → " in " ".join(told)
    guest = simulation.world.guests[uuid_of("grows")]
    assert not guest.lacks_memory
    assert 10 * 1024 < guest.spec.allocation["memory"] <= 16 * 1024
    assert max(int(t.split(" → ")[1].split(":")[0]) for t in told if "vcpus" in t) >= 6
    assert guest.spec.allocation["vcpus"] == 2


def test_what_is_plugged_is_taken_and_given_back_under_pressure() -> None:
    """Its allocation with it; never more than its device has, and never what it works with."""
    world = world_of("a 8c/64g : x 4v/8g used=6 plugged=4g most-plugged=8g | y 4v/8g used=2")
    executor, uuid = SimulatedExecutor(world), uuid_of("x")
    take = replace(TAKE, what=What.PLUGGED, before=4096, after=3072)
    assert executor.resize(replace(take, after=0)).endswith("put back to 4096 MiB")
    assert executor.resize(take) == ""
    assert world.guests[uuid].spec.allocation["memory"] == 7168
    world.works_with(uuid, 7000)
    assert not world.guests[uuid].lacks_memory
    world.advance(world.now + 60)
    (given,) = executor.given_back()
    assert (given.resize.what, given.resize.after) == (What.PLUGGED, 4096)
    assert world.guests[uuid].spec.allocation["memory"] == 8192
    assert "can have 8192 MiB plugged" in world.resize(uuid, What.PLUGGED, 9000)
    world.works_with(uuid, 9000)
    assert world.guests[uuid].lacks_memory
    executor.watch((take,))
    world.shut_down(uuid)
    assert executor._short(take) == ""
