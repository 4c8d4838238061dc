"""Runs a policy through one day of PlanetLab.

python -m benchmarks.planetlab NPZ --policy dvfs|thr|lr|lr-waking|iqr|mad|consolidate
    [--mode cloudsim|faithful] [--lag TICKS] [--json]

consolidate is the product's own planner; lr-waking is LR that knows what waking a host costs.
"""

import dataclasses
import json
import time
from pathlib import Path

import click

from benchmarks.planetlab import ours
from benchmarks.planetlab.day import Day
from benchmarks.planetlab.machines import read
from benchmarks.planetlab.published import POLICIES, decider, first_placement


@click.command()
@click.argument("npz", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--policy",
    type=click.Choice(["dvfs", *POLICIES, "consolidate"]),
    default="thr",
    show_default=True,
)
@click.option(
    "--mode",
    type=click.Choice(["cloudsim", "faithful"]),
    default="faithful",
    show_default=True,
    help="cloudsim destroys idle guests, as that simulator does.",
)
@click.option(
    "--lag",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Ticks by which demand is seen late.",
)
@click.option("--json", "as_json", is_flag=True)
def main(npz: Path, policy: str, mode: str, lag: int, *, as_json: bool) -> None:
    """Print energy, migrations, SLATAH, PDM, SLAV, ESV and the overall violation."""
    began = time.process_time()
    machines = read(npz)
    day = Day(
        machines,
        first_placement(machines, cheapest=policy != "dvfs"),
        faithful=mode == "faithful",
        lag=lag,
    )
    deciders = {"dvfs": lambda: None, "consolidate": lambda: ours.decider(machines)}
    figures = day.run(deciders.get(policy, lambda: decider(policy))())
    found = {
        "day": npz.stem,
        "policy": policy,
        "mode": mode,
        "lag": lag,
        **dataclasses.asdict(figures),
    }
    found["cpu_s"] = round(time.process_time() - began, 2)
    click.echo(
        json.dumps(found) if as_json else "\n".join(f"{k:12} {v}" for k, v in found.items())
    )


if __name__ == "__main__":
    main()
