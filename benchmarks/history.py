"""What the history costs: `python -m benchmarks.history [GUESTS [DAYS [SAMPLES_PER_MEAN]]]`.

Appends a cycle for every five minutes (or more often) of that many days, then reads everything
back as forecasters do. Prints times of appending, of reading, and the size of the file.
"""

import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from time import perf_counter, thread_time

import numpy as np

from balancer.adapters.history_sqlite import Retention, SqliteHistory
from balancer.planner.model.cluster import Cluster
from balancer.planner.model.observation import History, Observation, Sample
from balancer.planner.model.rollups import STEP

GUEST_METRICS = (
    "cpu", "cpu.delay", "memory.assigned", "memory.balloon", "memory.rss", "memory.unused",
    "memory.cache", "swap", "disk", "disk.operations", "disk.latency", "network",
)  # fmt: skip
HOST_METRICS = ("cpu", "memory.used", "cpu.pressure", "memory.pressure", "io.pressure", "network")


def main(guests: int = 1000, days: int = 14, per_mean: int = 1) -> None:
    """Measure."""
    chance = np.random.default_rng(1)
    cycles = days * 288 * per_mean
    names = [f"{n:08x}-0000-4000-8000-{n:012x}" for n in range(guests)]
    hosts = [f"kvm{n:03d}" for n in range(max(1, guests // 25))]
    level = chance.lognormal(6, 1.5, (guests, len(GUEST_METRICS)))
    empty = Observation(0.0, Cluster((), (), {}))
    began = 1_750_000_200.0
    took, busy = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite"
        store = SqliteHistory(
            path, Retention(mean_seconds=days * 86_400.0, raw_seconds=2 * 86_400.0)
        )
        for cycle in range(cycles):
            at = began + cycle * STEP / per_mean
            values = (level * chance.gamma(4, 0.25, level.shape)).astype(int).tolist()
            seen = replace(
                empty,
                at=at,
                history=History(
                    {
                        n: (Sample(at, STEP, dict(zip(GUEST_METRICS, v))),)
                        for n, v in zip(names, values)
                    },
                    {
                        h: (Sample(at, STEP, dict.fromkeys(HOST_METRICS, cycle % 991)),)
                        for h in hosts
                    },
                ),
            )
            start, worked = perf_counter(), thread_time()
            store.append(seen)
            took.append(perf_counter() - start)
            busy.append(thread_time() - worked)
            _pause()
        start = perf_counter()
        past = store.rollups(at, days * 86_400.0, ("cpu", "memory.rss", "network", "disk"))
        read = perf_counter() - start
        size = sum(f.stat().st_size for f in Path(folder).iterdir())
        store.close()
    print(f"{guests} guests x {days} days, {len(GUEST_METRICS)} metrics, {per_mean} a mean")
    _tell("wall clock", took)
    _tell("processor", busy)
    print(f"file with its log {size / 2**20:.0f} MiB")
    print(f"read 4 metrics: {read:.2f} s, {past.columns} columns")


def _pause() -> None:
    """Let what is done beside cycles end: they are minutes apart."""
    for other in set(threading.enumerate()) - {threading.current_thread()}:
        other.join()


def _tell(what: str, took: list[float]) -> None:
    times = sorted(took)
    median, most, worst = (1000 * times[n] for n in (len(times) // 2, len(times) * 99 // 100, -1))
    over = sum(t > 0.05 for t in times)
    print(
        f"append, {what}: median {median:.1f} ms, 99 % {most:.1f} ms, worst {worst:.1f} ms, "
        f"{over} of {len(times)} over 50 ms"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
