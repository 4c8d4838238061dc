"""Disk traffic that guests asked for and had not, with and without somebody giving way.

python -m benchmarks.traffic
"""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from balancer.simulator.run import Simulation
from balancer.simulator.scenario import load_scenario
from balancer.simulator.world import World

SCENARIO = Path(__file__).resolve().parents[1] / "simulations" / "noisy_disk.toml"
MINUTE = 60
GIB = 1 << 20
"""KiB."""


def main() -> None:
    """Print one line for each."""
    for said in ("nobody gives way", "disk_least"):
        scenario = load_scenario(SCENARIO)
        if said == "nobody gives way":
            scenario = replace(scenario, policy=replace(scenario.policy, resizes=()))
        simulation = Simulation(scenario)
        asked, lacked = Counter[str](), Counter[str]()

        def look(world: World, asked: Counter[str] = asked, lacked: Counter[str] = lacked) -> None:
            for uuid, (wants, has) in world.traffic("disk").items():
                kind = world.guests[uuid].spec.name.split("-")[0]
                asked[kind] += wants * MINUTE
                lacked[kind] += (wants - has) * MINUTE

        for minute in range(int(scenario.length) // MINUTE):
            simulation.world.plan_to(scenario.start + MINUTE * minute + MINUTE / 2, look)
        report = simulation.run()
        told = ", ".join(f"{k} {lacked[k] / GIB:.0f} of {asked[k] / GIB:.0f} GiB" for k in asked)
        changed = len(simulation.journal.read(0, ("resized",)))
        sys.stdout.write(
            f"{said}: not had: {told}; limits changed {changed}, moves {report.figures.moves}\n"
        )


if __name__ == "__main__":
    main()
