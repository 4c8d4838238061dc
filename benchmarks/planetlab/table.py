"""Prints the tables of docs/benchmarks.md: every day of a folder, every mode, beside LR-MMT-1.2.

python -m benchmarks.planetlab.table FOLDER
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import numpy as np

from benchmarks.planetlab import ours
from benchmarks.planetlab.day import Day, Figures
from benchmarks.planetlab.machines import Machines, read
from benchmarks.planetlab.published import decider, first_placement

COLUMNS = ("energy", "migrations", "SLATAH", "ESV", "overall")
RUNS = (("lr", 0), ("lr-waking", 0), ("lr", 1))


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Print parity, then ratios of our planner to its peers."""
    days = {path.stem: read(path) for path in sorted(folder.glob("*.npz"))}
    _row("day", "policy", "kWh", "migrations", "SLATAH %", "SLAV %", "overall %", "CPU s")
    for name, machines in days.items():
        for policy in ("dvfs", "thr", "lr", "lr-waking"):
            f, cpu = _run(machines, _published(policy), policy, faithful=False)
            _row(
                name,
                policy,
                f"{f.energy:.2f}",
                f.migrations,
                f"{100 * f.SLATAH:.2f}",
                f"{100 * f.SLAV:.5f}",
                f"{100 * f.overall:.4f}",
                f"{cpu:.1f}",
            )
    click.echo()
    _row("day", "mode", "lag", "peer", *COLUMNS, "CPU s")
    for name, machines in days.items():
        for faithful in (False, True):
            for peer, lag in RUNS:
                mine, cpu = _run(machines, partial(ours.decider, machines), "", faithful, lag)
                theirs, _ = _run(machines, _published(peer), peer, faithful, lag)
                ratios = [getattr(mine, c) / getattr(theirs, c) for c in COLUMNS]
                mode = "faithful" if faithful else "cloudsim"
                _row(name, mode, lag, peer, *(f"{r:.3f}" for r in ratios), f"{cpu:.1f}")


def _published(policy: str) -> Callable[[], Callable[[Day], np.ndarray] | None]:
    return (lambda: None) if policy == "dvfs" else partial(decider, policy)


def _run(
    machines: Machines,
    make: Callable[[], Callable[[Day], np.ndarray] | None],
    policy: str,
    faithful: bool,  # noqa: FBT001 - a column of the table
    lag: int = 0,
) -> tuple[Figures, float]:
    began = time.process_time()
    where = first_placement(machines, cheapest=policy != "dvfs")
    figures = Day(machines, where, faithful=faithful, lag=lag).run(make())
    return figures, time.process_time() - began


def _row(*cells: object) -> None:
    click.echo("| " + " | ".join(str(cell) for cell in cells) + " |")


if __name__ == "__main__":
    main()
