"""Resize first against migrate only: the same days of one scenario, with and without `[[resize]]`.

    python -m benchmarks.resize [--seeds 101-110] [SCENARIO]

Both run the very same policy but for its `[[resize]]` tables, on the same days, through the whole
service, in the simulated world: that divides CPU by its own code and knows nothing of policies. Printed
is a Markdown table: waiting of the guests whose waiting matters, waiting that is borne by those marked
`patient`, migrations and memory sent.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from balancer.config.policy import sealed
from balancer.simulator.run import Simulation
from balancer.simulator.scenario import Scenario, load_scenario

SCENARIO = Path(__file__).parent.parent / "simulations" / "resize_first.toml"
HEAD = """\
| seed | nobody moves: felt | migrate only: felt | moves | GiB | resize first: felt | borne | moves | GiB | moves, of migrate only |
|---|---|---|---|---|---|---|---|---|---|"""


@dataclass(frozen=True, slots=True)
class Day:
    """What came of one run."""

    felt: float
    """Guest-seconds waited by those whose waiting matters."""
    borne: float
    moves: int
    mib: int


def run(scenario: Scenario) -> Day:
    """Return what came of a scenario."""
    counted = Simulation(scenario).run().figures.counted
    return Day(
        felt=counted.contention - counted.borne,
        borne=counted.borne,
        moves=counted.migrations,
        mib=counted.mib,
    )


def without(scenario: Scenario, *, moves: bool = True) -> Scenario:
    """Return the scenario without resizes, or without anything being done at all."""
    policy = replace(scenario.policy, resizes=())
    if not moves:
        policy = replace(policy, limits=replace(policy.limits, moves_per_hour=0))
    return replace(scenario, policy=sealed(policy))


def seeds(text: str) -> Iterable[int]:
    """Return the seeds of `101-110`."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> None:
    """Print the table."""
    parser = ArgumentParser(prog="python -m benchmarks.resize")
    parser.add_argument("scenario", nargs="?", type=Path, default=SCENARIO)
    parser.add_argument("--seeds", type=seeds, default=seeds("101-110"))
    asked = parser.parse_args()
    sys.stdout.write(HEAD + "\n")
    rows = []
    for seed in asked.seeds:
        scenario = load_scenario(asked.scenario, seed=seed)
        row = (run(without(scenario, moves=False)), run(without(scenario)), run(scenario))
        rows.append(row)
        sys.stdout.write(_line(str(seed), *row) + "\n")
        sys.stdout.flush()
    total = [Day(*(sum(getattr(r[i], n) for r in rows) for n in Day.__slots__)) for i in range(3)]
    sys.stdout.write(_line("**all**", *total) + "\n")


def _line(name: str, still: Day, moved: Day, resized: Day) -> str:
    gib = [f"{day.mib / 1024:,.0f}" for day in (moved, resized)]
    share = f"{resized.moves / moved.moves:.0%}" if moved.moves else "-"
    cells = (
        name, f"{still.felt:,.0f}", f"{moved.felt:,.0f}", moved.moves, gib[0],
        f"{resized.felt:,.0f}", f"{resized.borne:,.0f}", resized.moves, gib[1], share,
    )  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
