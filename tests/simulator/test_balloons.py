"""Memory is taken, watched and given back in the simulated world, through the whole service."""

from dataclasses import replace
from pathlib import Path

import pytest

from balancer.planner.model.plan import Plan
from balancer.planner.model.resize import Resize, What
from balancer.planner.model.result import Result
from balancer.service.returning import way_back
from balancer.simulator.executor import SimulatedExecutor
from balancer.simulator.run import Simulation, SimulationReport
from balancer.simulator.scenario import load_scenario
from tests.drawing import uuid_of
from tests.worlds import world_of

SCENARIO = """
length = "90min"
interval = "5min"

[policy]
[policy.capacity]
memory_overcommit = 2
{resize}

[[hosts]]
names = "kvm[1-2]"
cpu = 16
memory = "64GiB"

[[guests]]
names = "idle-[1-2]"
on = "kvm1"
memory = "32GiB"
used = "95%"
working = "20%"

[[events]]
at = "60min"
what = "wakes"
guests = "idle-1"
working = "28GiB"
"""
RESIZE = """
[[policy.resize]]
guests = "idle-*"
memory = true
idle = "0min"
"""


def run(folder: Path, resize: str) -> tuple[Simulation, SimulationReport]:
    """Return the simulation and what came of it."""
    path = folder / "balloons.toml"
    path.write_text(SCENARIO.format(resize=resize))
    simulation = Simulation(load_scenario(path))
    return simulation, simulation.run()


def test_a_full_host_is_relieved_where_it_stands_and_the_idle_one_wakes(tmp_path: Path) -> None:
    """Without balloons a guest moves; with them none does, and who wakes has its memory at once."""
    _, plain = run(tmp_path, "")
    assert plain.figures.moves > 0
    simulation, report = run(tmp_path, RESIZE)
    assert report.figures.moves == 0
    told = [e.text for e in simulation.journal.read(kinds=("resized",))]
    assert told[0].startswith("idle-1 on kvm1: balloon 32768 → ")
    assert any("given back: the guest has" in text for text in told)
    woken = simulation.world.guests[uuid_of("idle-1")]
    assert woken.spec.knobs is not None
    assert not woken.lacks_memory
    assert report.figures.counted.contention <= 60


CROWDED = """
length = "30min"
interval = "5min"

[policy]
[policy.capacity]
memory_overcommit = 2

[[policy.resize]]
guests = "idle-*"
memory = true
idle = "0min"

[[hosts]]
names = "kvm[1-2]"
cpu = 16
memory = "64GiB"

[[guests]]
names = "hot-[1-4]"
on = "kvm1"
vcpus = 4
memory = "14GiB"
used = "90%"
cpu = 3.9

[[guests]]
names = "idle-[1-2]"
on = "kvm2"
memory = "28GiB"
used = "95%"
working = "20%"
"""


def test_room_that_a_move_counts_on_is_made_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One plan takes and moves; undo leaves what was taken to the watch. No balloon, no move."""
    path = tmp_path / "crowded.toml"
    path.write_text(CROWDED)
    simulation = Simulation(load_scenario(path))
    report = simulation.run()
    assert (report.figures.moves, report.figures.refused) == (1, 0)
    (plan,) = [d for c in report.cycles if isinstance(d := c.decision, Plan) and d.actions]
    (take,), (move,) = plan.resizes, plan.actions
    assert (take.host, take.room_for) == (move.target, (move.guest,))
    assert take.reason.endswith(f"unused that kvm2 is short of for {move.name} to come")
    seen = simulation.ports.inventory.observe()
    assert way_back(simulation.journal.read(), plan.id, seen).resizes == ()

    monkeypatch.setattr(SimulatedExecutor, "resize", lambda *_: "its balloon does not answer")
    deaf = Simulation(load_scenario(path)).run()
    assert deaf.figures.moves == 0
    why = [o.reason for o in deaf.outcomes if o.result is Result.REFUSED]
    assert why[0] == (
        "no room was made for it on kvm2: idle-1 keeps its memory (its balloon does not answer)"
    )


@pytest.fixture
def executor() -> SimulatedExecutor:
    """One guest with a balloon."""
    return SimulatedExecutor(world_of("a 8c/64g : x 4v/8g used=6 balloon=8g | y 4v/8g used=2"))


TAKE = Resize(
    id="r1", guest=uuid_of("x"), name="x", host="a", what=What.BALLOON, before=8192, after=7000,
    step=256, keep=1024,
)  # fmt: skip


def test_what_a_guest_works_with_is_not_taken(executor: SimulatedExecutor) -> None:
    """A balloon that would leave it too little is put back, and nobody watches."""
    assert executor.resize(replace(TAKE, after=6400)).endswith("put back to 8192 MiB")
    assert "has no balloon" in executor.resize(replace(TAKE, guest=uuid_of("y"), name="y"))
    assert executor.resize(replace(TAKE, host="b")) == "x does not run on b"


def test_who_is_given_is_watched_no_more(executor: SimulatedExecutor) -> None:
    """Given back by plan, or gone: nothing is told of it."""
    world = executor._world
    assert executor.resize(TAKE) == ""
    assert executor.resize(replace(TAKE, before=7000, after=8192)) == ""
    world.advance(world.now + 60)
    assert executor.given_back() == ()
    executor.watch((TAKE, TAKE))
    world.works_with(uuid_of("x"), 7900)
    world.advance(world.now + 60)
    (given,) = executor.given_back()
    assert (given.resize.after, executor.given_back()) == (8192, ())
    world.works_with("nobody", 1)
