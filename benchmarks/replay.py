"""Replay of 14 days, 50 hosts, 1,000 guests, a look every 15 minutes: `python -m benchmarks.replay [DAYS]`."""

import sys
from time import process_time

import numpy as np

from balancer.config import default_policy
from balancer.planner.model.rollups import STEP
from balancer.simulator.replaying.run import Replay
from balancer.simulator.replaying.traces import Shape, Trace, track

DAY = 86_400


def drawn(days: float, guests: int, seed: int) -> Trace:
    """Guests with a day and a week in them, bursts, and levels as unequal as real ones."""
    chance = np.random.default_rng(seed)
    steps = int(days * DAY) // STEP
    at = np.arange(steps)[:, None] * STEP
    vcpus = chance.choice([1, 2, 4, 8], guests, p=[0.3, 0.35, 0.25, 0.1])
    level = vcpus * 1000 * chance.beta(1.5, 4, guests)
    peak = chance.normal(14 * 3600, 2 * 3600, guests)
    wave = 1 + 0.6 * np.cos(2 * np.pi * (at - peak) / DAY)
    week = np.where((at // DAY) % 7 >= 5, 0.6, 1.0)
    burst = 1 + 1.5 * (chance.random((steps, guests)) < 0.01)
    cpu = level * wave * week * burst * chance.gamma(20, 1 / 20, (steps, guests))
    memory = vcpus * 4096
    rss = np.broadcast_to(memory * chance.uniform(0.3, 0.9, guests), cpu.shape)
    return Trace(
        start=1_750_032_000,
        names=tuple(f"vm-{i:04}" for i in range(guests)),
        vcpus=tuple(vcpus.tolist()),
        memory=tuple(memory.tolist()),
        cpu=np.minimum(cpu, vcpus * 1000).astype(np.int32),
        rss=rss.astype(np.int32),
    )


def main(days: float = 14, hosts: int = 50, guests: int = 1000, seed: int = 1) -> None:
    start = process_time()
    made = track(
        drawn(days, guests, seed), Shape(hosts=hosts, cores=32, memory_mib=524_288), 900.0
    )
    report = Replay(track=made, policy=default_policy()).run()
    c = report.counted
    print(
        f"{days:g} days, {hosts} hosts, {guests} guests, {len(report.looks)} looks: {process_time() - start:.1f} CPU s"
    )
    print(
        f"{c.migrations} migrations, {c.overload / 60:.0f} host-minutes overload, {c.return_trips} return trips {report.stopped}"
    )


if __name__ == "__main__":
    main(*(float(sys.argv[1:2][0]),) if sys.argv[1:] else ())
