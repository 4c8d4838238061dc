"""Joint futures against the sum of 95th percentiles, out of sample.

    python -m benchmarks.risk DATA [--held-out] [SAMPLES]

DATA holds planetlab/*.npz and bitbrains/*.parquet, and for --held-out ifca/: traces that neither the
method nor its numbers were chosen on. Guests are placed by what was seen of one
period; contention is then measured in the next: the share of the CPU time asked for that hosts
could not give. Two ways to place, each a greedy packing by decreasing size:

- sum:    the sum of the guests' own 95th percentiles is what a host bears;
- joint:  a host bears the 95th percentile over joint futures (`forecast.expect.moments`), and a
          guest goes where that grows least, which is where others rest when it is busy.

For each a factor on the hosts' size is varied, which gives a curve of hosts against contention;
curves are compared at equal contention and at equal hosts. Intervals: 95 % of samples of four
fifths of the guests, drawn without replacement: a guest drawn twice would peak with itself.
"""

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from balancer.planner.forecast.expect import moments

FUTURES = 96
SAMPLES = 40
FACTORS = np.geomspace(0.6, 2.6, 25)
QUANTILE = 0.95
HOURS = 168
LEAST_GUESTS = 100
WATTS = 400.0
"""What a host may spend on its guests: that of a server with two processors."""


def planetlab(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray, float]]:
    """Yield pairs of days: those machines that both know. Millicores of one core each."""
    days = sorted(folder.glob("planetlab/*.npz"))
    for before, after in pairwise(days):
        one, other = np.load(before), np.load(after)
        names = sorted(set(one["names"]) & set(other["names"]))
        rows = []
        for day in (one, other):
            number = {name: i for i, name in enumerate(day["names"])}
            rows.append(day["util"][[number[n] for n in names]].astype(np.float32) * 10)
        yield f"PlanetLab {before.stem} -> {after.stem}", rows[0], rows[1], 4000.0


def bitbrains(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray, float]]:
    """Yield three pairs of a week and the following week, MHz on a grid of five minutes."""
    from pyarrow import parquet

    table = parquet.read_table(folder / "bitbrains" / "bitbrains_small_cpu.parquet").to_pydict()
    vm, at, mhz = (np.array(table[name]) for name in ("vm", "ts", "cpu_mhz"))
    names, number = np.unique(vm, return_inverse=True)
    step = (at - at.min()) // 300
    grid = np.full((len(names), step.max() + 1), np.nan, dtype=np.float32)
    grid[number, step] = mhz
    for column in range(1, grid.shape[1]):  # samples now and then are ten minutes apart
        missing = np.isnan(grid[:, column])
        grid[missing, column] = grid[missing, column - 1]
    grid = np.nan_to_num(grid)
    for week in range(3):
        begin, middle = week * 2016, (week + 1) * 2016
        yield (
            f"Bitbrains week {week + 1} -> {week + 2}",
            grid[:, begin:middle],
            grid[:, middle : middle + 2016],
            24_000.0,
        )


def held_out(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray, float]]:
    """Yield pairs of a week and the following week of guests' hourly power, watts.

    Power stands in for CPU, which these traces lack. Guests of which nine tenths of both weeks are
    known, where there are at least a hundred.
    """
    from pyarrow import parquet

    table = parquet.read_table(folder / "ifca" / "vm_power_hourly.parquet")
    vm = np.array(table["vm"].to_pylist())
    hour, watts = np.array(table["hour"].to_pylist()), np.array(table["w"].to_pylist())
    names, number = np.unique(vm, return_inverse=True)
    grid = np.full((len(names), hour.max() + 1), np.nan, dtype=np.float32)
    grid[number, hour] = watts
    weeks = grid.shape[1] // HOURS
    for week in range(0, weeks - 1, 2):
        both = grid[:, week * HOURS : (week + 2) * HOURS]
        known = ~np.isnan(both)
        enough = (known[:, :HOURS].mean(axis=1) > 0.9) & (known[:, HOURS:].mean(axis=1) > 0.9)
        both = np.nan_to_num(both[enough])
        if len(both) >= LEAST_GUESTS:
            title = f"IFCA week {week + 1} -> {week + 2}"
            yield title, both[:, :HOURS], both[:, HOURS:], WATTS


def by_sum(past: np.ndarray, room: float) -> list[list[int]]:
    """Return hosts of guests: first fit by decreasing 95th percentile."""
    size = np.quantile(past, QUANTILE, axis=1)
    hosts: list[list[int]] = []
    used: list[float] = []
    for guest in np.argsort(-size, kind="stable").tolist():
        for host, load in enumerate(used):
            if load + size[guest] <= room:
                hosts[host].append(guest)
                used[host] += size[guest]
                break
        else:
            hosts.append([guest])
            used.append(float(size[guest]))
    return hosts


def by_joint(past: np.ndarray, room: float) -> list[list[int]]:
    """Return hosts of guests: best fit in the joint futures, by decreasing 95th percentile."""
    futures = past[:, moments(past.shape[1], FUTURES)]
    order = np.argsort(-np.quantile(past, QUANTILE, axis=1), kind="stable")
    hosts: list[list[int]] = []
    used = np.zeros((0, FUTURES), dtype=np.float32)
    for guest in order.tolist():
        loads = np.quantile(used + futures[guest], QUANTILE, axis=1) if len(used) else np.zeros(0)
        fits = np.flatnonzero(loads <= room)
        if len(fits):
            grown = loads[fits] - np.quantile(used[fits], QUANTILE, axis=1)
            host = int(fits[np.argmin(grown)])
            hosts[host].append(guest)
            used[host] += futures[guest]
        else:
            hosts.append([guest])
            used = np.concatenate([used, futures[guest][None]])
    return hosts


def contention(hosts: list[list[int]], came: np.ndarray, room: float) -> float:
    """Return the share of what was asked for that was not given."""
    loads = np.stack([came[guests].sum(axis=0) for guests in hosts])
    return float(np.maximum(0, loads - room).sum() / loads.sum())


def curve(place, past, came, room) -> tuple[np.ndarray, np.ndarray]:
    """Return (hosts, contention) over all factors, by falling number of hosts."""
    points = [place(past, factor * room) for factor in FACTORS]
    return (
        np.array([len(hosts) for hosts in points], dtype=float),
        np.array([contention(hosts, came, room) for hosts in points]),
    )


def compare(past: np.ndarray, came: np.ndarray, room: float) -> tuple[float, float]:
    """Return (fewer hosts at equal contention, less contention at equal hosts), as shares."""
    hosts, lost = curve(by_sum, past, came, room)
    mine, mine_lost = curve(by_joint, past, came, room)
    at = np.flatnonzero((lost > 1e-4) & (lost < 0.05))
    if not len(at):
        return float("nan"), float("nan")
    order = np.argsort(mine_lost, kind="stable")
    fewer = 1 - np.interp(lost[at], mine_lost[order], mine[order]) / hosts[at]
    order = np.argsort(mine, kind="stable")
    less = 1 - np.interp(hosts[at], mine[order], mine_lost[order]) / lost[at]
    return float(fewer.mean()), float(np.median(less))


def main(folder: Path, samples_drawn: int = SAMPLES, *, new: bool = False) -> None:
    """Print one line for each pair of periods."""
    if not folder.is_dir():
        print(f"skipped: {folder} is absent")
        return
    chance = np.random.default_rng(7)
    print(f"{'periods':34} {'guests':>6}   fewer hosts (95 %)        less contention (95 %)")
    periods = held_out(folder) if new else (*planetlab(folder), *bitbrains(folder))
    for title, past, came, room in periods:
        whole = compare(past, came, room)
        samples = []
        for _ in range(samples_drawn):
            some = chance.choice(len(past), round(0.8 * len(past)), replace=False)
            samples.append(compare(past[some], came[some], room))
        low, high = np.nanquantile(np.array(samples), [0.025, 0.975], axis=0)
        print(
            f"{title:34} {len(past):6}   "
            f"{100 * whole[0]:5.1f} % ({100 * low[0]:5.1f} to {100 * high[0]:5.1f})   "
            f"{100 * whole[1]:6.1f} % ({100 * low[1]:6.1f} to {100 * high[1]:6.1f})",
            flush=True,
        )


if __name__ == "__main__":
    drawn = next((int(word) for word in sys.argv[2:] if word.isdecimal()), SAMPLES)
    main(Path(sys.argv[1]), drawn, new="--held-out" in sys.argv[2:])
