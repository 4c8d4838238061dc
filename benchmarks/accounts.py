"""What it costs to keep why everybody stood as they did: `python -m benchmarks.accounts [HOSTS GUESTS]`.

A simulated cluster is looked at for a day; printed are the time of the first account, which is of
everybody, and how much all accounts of the day weigh in the journal.
"""

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from balancer.adapters.stand_in import MemoryJournal
from balancer.config import Mode
from balancer.service.loop import Service
from balancer.service.world import World
from balancer.simulator.run import Simulation
from balancer.simulator.scenario import load_scenario

SCENARIO = """
length = "24h"
interval = "5min"
[[hosts]]
names = "kvm[001-{hosts:03}]"
cpu = 32
memory = "256GiB"
[[guests]]
names = "vm-[00001-{guests:05}]"
vcpus = [2, 4, 8]
memory = ["4GiB", "8GiB", "16GiB"]
cpu = {{ shape = "diurnal", low = 0.3, high = 1.5, peak = "14h" }}
noise = "5%"
"""


def main(hosts: int, guests: int, cycles: int) -> None:
    """Measure, and print a line for each figure."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "cluster.toml"
        file.write_text(SCENARIO.format(hosts=hosts, guests=guests))
        simulation = Simulation(load_scenario(file), journal=MemoryJournal())
    ports = simulation.ports
    policy = simulation.scenario.policy
    service = Service(World(ports=ports, policy=policy, mode=Mode.OBSERVE, interval=300.0))
    took = []
    for _ in range(cycles):
        begun = time.process_time()
        service.turn()
        took.append(time.process_time() - begun)
        ports.clock.sleep(300.0)
    sizes = [len(json.dumps(e.data)) for e in ports.journal.read(0.0, ("stood",))]
    rest = sorted(took[1:])
    print(f"{hosts} hosts, {guests} guests, {cycles} cycles")
    print(f"first cycle {took[0]:.2f} s CPU, median of the others {rest[len(rest) // 2]:.2f} s")
    print(f"{len(sizes)} accounts, {sum(sizes) / 2**20:.2f} MiB, the first {sizes[0] / 2**20:.2f}")


if __name__ == "__main__":
    main(*(map(int, (*sys.argv[1:], *("20", "200", "288")[len(sys.argv) - 1 :]))))
