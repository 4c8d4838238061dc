"""Where a scenario's cluster may come from: a big-data table, an observation, another seed."""

from pathlib import Path

import pytest

from balancer.codec import dump_observation
from balancer.config import default_policy
from balancer.ports import UsageError
from balancer.simulator.inventory import SimulatedInventory
from balancer.simulator.run import Simulation
from balancer.simulator.scenario import load_scenario
from balancer.simulator.workloads import Phases, Recorded, Scaled
from tests.drawing import uuid_of
from tests.worlds import world_of

SIMULATIONS = Path(__file__).resolve().parents[2] / "simulations"


def test_a_big_data_cluster_has_masters_workers_and_replica_groups() -> None:
    """Workers are dealt to groups in turn; all of them shuffle, and write, at the same time."""
    scenario = load_scenario(SIMULATIONS / "bigdata.toml")
    labels = {g.spec.name: g.spec.labels for g in scenario.guests}
    assert labels["hadoop-master-3"]["role"] == "master"
    groups = [labels[f"hadoop-worker-{i:02}"]["replica"] for i in range(1, 17)]
    assert groups == ["g1", "g2"] * 8
    world = Simulation(scenario).world
    worker = uuid_of("hadoop-worker-05")
    written = []
    for minute in (1, 11, 13, 59, 61, 73):
        world.advance(scenario.start + 60 * minute)
        written.append(world.guests[worker].dirty_mib_s)
    assert written == [300, 300, 20, 20, 300, 20]
    shuffles = Phases(low=1, high=7, every=100, lasting=10, origin=50)
    assert [shuffles.at(t) for t in (50, 59, 60, 149, 150)] == [7, 7, 1, 1, 7]


def test_an_observed_cluster_is_simulated_as_it_was(tmp_path: Path) -> None:
    """Same hosts, guests, placement and usage; more load where that is asked for."""
    seen = SimulatedInventory(world_of("a 16c/64g : x 2v/4g cpu=2 used=3 dirty=7")).observe()
    (tmp_path / "case.json").write_text(dump_observation(seen))
    path = tmp_path / "case.toml"
    path.write_text('[cluster]\nobservation = "case.json"\nload = "150%"\n')
    scenario = load_scenario(path)
    assert scenario.hosts == seen.cluster.hosts
    assert scenario.placement == seen.cluster.placement
    (guest,) = scenario.guests
    assert (guest.memory_mib, guest.dirty_mib_s) == (3072, 7)
    assert guest.cpu.at(scenario.start) == 3000


def test_means_are_replayed_over_and_over() -> None:
    """From the first that is known on, five minutes each."""
    scenario = load_scenario(SIMULATIONS / "observed.toml")
    cpu = scenario.guests[0].cpu
    assert isinstance(cpu, Scaled)
    assert isinstance(cpu.calm, Recorded)
    half_a_day = 12 * 3600
    assert cpu.calm.at(scenario.start) == cpu.calm.cells[0]
    assert cpu.calm.at(scenario.start + 300) == cpu.calm.cells[1]
    assert cpu.calm.at(scenario.start + half_a_day + 300) == cpu.calm.cells[1]


def test_another_seed_is_another_cluster_and_another_policy_the_same_one() -> None:
    """And the same seed the same."""
    path = SIMULATIONS / "generated.toml"
    first, other = load_scenario(path), load_scenario(path, seed=8)
    assert (first.seed, other.seed) == (7, 8)
    assert first.placement != other.placement
    assert load_scenario(path, seed=7).placement == first.placement
    policy = default_policy()
    assert load_scenario(path, policy=policy).placement == first.placement
    assert load_scenario(path, policy=policy).policy is policy


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[cluster]\n", "cluster.observation: missing"),
        (
            '[cluster]\nobservation = "no.json"\n',
            "cluster.observation = .no.json.: cannot be read",
        ),
        ('[cluster]\nfile = "no.json"\n', "cluster.file: unknown key"),
    ],
)
def test_what_is_wrong_with_the_source_is_one_sentence(
    tmp_path: Path, text: str, fault: str
) -> None:
    """It names the file and the key."""
    path = tmp_path / "case.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=fault):
        load_scenario(path)
