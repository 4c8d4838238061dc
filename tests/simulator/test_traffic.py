"""Disk and network traffic in the simulated world, and a service that divides it."""

from pathlib import Path

from balancer.planner.model.resize import What
from balancer.simulator.run import Simulation
from balancer.simulator.scenario import load_scenario
from tests.drawing import uuid_of

SCENARIO = Path(__file__).resolve().parents[2] / "simulations" / "noisy_disk.toml"


def test_what_is_too_much_is_shared_and_limits_hold() -> None:
    """Everybody has the same share of what it asks within its limit; what is not stated has no end."""
    world = Simulation(load_scenario(SCENARIO)).world
    backup, db = uuid_of("backup-1"), uuid_of("db-1")
    had = world.traffic("disk")
    assert had[backup] == (400 * 1024, 400 * 500 * 1024 // 700)
    assert world.resize(backup, What.BLOCK, 200 * 1024) == ""
    assert world.traffic("disk")[backup] == (400 * 1024, 200 * 1024)
    assert world.traffic("disk")[db] == (150 * 1024, 150 * 1024)
    assert world.resize(backup, What.NETWORK, 1000) == ""
    assert world.traffic("network")[backup] == (0, 0)


def test_databases_have_all_they_ask_for_soon_and_the_backup_afterwards() -> None:
    """Within three looks; it never gets less than it keeps, and nobody moves."""
    simulation = Simulation(load_scenario(SCENARIO))
    start, seen = simulation.world.now, []
    for minutes in range(1, 179, 4):
        simulation.world.plan_to(
            start + 60 * minutes,
            lambda world: seen.append((world.now - start, world.traffic("disk"))),
        )
    report = simulation.run()
    assert report.figures.moves == 0
    for at, traffic in seen:
        for name in ("db-1", "db-3", "backup-1"):
            asked, had = traffic[uuid_of(name)]
            if name.startswith("db"):
                assert had == asked or at < 660, (at, name)
            else:
                assert had >= 20 * 1024
                assert had == asked or at < 5760, at
