"""`balancer simulate`: the service over a simulated cluster, and whether it keeps its promises."""

import gc
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from balancer.adapters.stand_in import MemoryJournal
from balancer.cli.options import FILE, Session, common, spread_over
from balancer.cli.screen import Screen
from balancer.config import find
from balancer.ports import UsageError
from balancer.render.service import history
from balancer.render.words import clean, count, duration, percent, size
from balancer.simulator.comparing.page import page, spread_of
from balancer.simulator.comparing.sweep import OWN, Comparison, compared, sweep, tasks
from balancer.simulator.counting.telling import LINES, figure, sentence
from balancer.simulator.run import Simulation, SimulationReport
from balancer.simulator.scenario import load_scenario
from balancer.simulator.spreading import Workers

BROKEN = 5
SELDOM = (100_000, 20, 50)
"""When the garbage collector looks: a simulation makes much that dies young, and no circles."""


@click.command("simulate")
@click.argument("scenario")
@click.option("--compare", metavar="A.toml,B.toml", help="Run it under each of these policies.")
@click.option(
    "--seeds", type=click.IntRange(1, 1000), metavar="N", help="Run it N times, each drawn anew."
)
@click.option("--report", type=FILE, metavar="FILE", help="Write the comparison as a page (HTML).")
@spread_over
@common
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 - one argument an option
    session: Session,
    scenario: str,
    compare: str | None,
    seeds: int | None,
    report: Path | None,
    jobs: int | None,
    dask: str,
) -> int:
    """Run the service over the cluster of SCENARIO, a file or the name of one that is shipped.

    Time is virtual; the service and the planner are those that drive real hypervisors. Ends with
    5 where something that `[expect]` promises did not come true. With --compare, --seeds or
    --report nothing is promised: the runs are set side by side, seeds counted from the scenario's.
    """
    screen = Screen(session)
    gc.freeze()  # what is loaded by now lives as long as the process: it need not be looked at again
    gc.set_threshold(*SELDOM)
    path = find(scenario, Path.cwd(), "simulations")
    if compare is None and seeds is None and report is None:
        if jobs or dask:
            raise UsageError(
                "one run is made here: --jobs and --dask go with --compare or --seeds"
            )
        return _one(session, screen, path)
    workers = Workers(processes=jobs or os.cpu_count() or 1, dask=dask)
    made = _many(screen, path, compare, seeds or 1, workers)
    screen.document("comparison", comparison=json.loads(json.dumps(_comparison(made))))
    screen.show(_side_by_side(made))
    if report:
        screen.save(report, page(made))
    return 0


def _many(
    screen: Screen, path: Path, compare: str | None, seeds: int, workers: Workers
) -> Comparison:
    """Return the runs side by side. Raises UsageError before the first run where it can."""
    policies = [
        str(find(word.strip(), Path.cwd())) for word in (compare or "").split(",") if word.strip()
    ]
    if compare is not None and not policies:
        raise UsageError("--compare: name policy files, with commas between: A.toml,B.toml")
    if len(set(policies)) < len(policies):
        raise UsageError("--compare: names a policy twice")
    first = load_scenario(path).seed
    wanted = tasks(path, policies or [OWN], range(first, first + seeds))
    for task in wanted[::seeds]:
        task.check()
    with screen.progress("Simulating", len(wanted)) as done:
        return compared(path, sweep(wanted, workers, done))


def _one(session: Session, screen: Screen, path: Path) -> int:
    known = load_scenario(path)
    journal, begun = MemoryJournal(), time.monotonic()
    with screen.busy(f"Simulating {duration(known.length)}"):
        report = Simulation(known, journal=journal).run()
    took = time.monotonic() - begun
    screen.document("simulation", report=json.loads(json.dumps(_figures(report))))
    if session.verbose or report.unmet:
        kinds = {"stood", "started"} if session.verbose else {"cycle", "stood", "started"}
        screen.show(history([e for e in journal.read() if e.kind not in kinds]))
    screen.show(Text(f"{known.about or known.name}.", "bold"))
    screen.show(_summary(report))
    screen.show(sentence(report.figures.counted))
    screen.hint(f"{duration(known.length)} simulated in {took:.1f} s.")
    for promise in report.unmet:
        screen.show(Text(f"NOT AS EXPECTED: {promise}", "bold red"))
    return BROKEN if report.unmet else 0


def _side_by_side(made: Comparison) -> Table:
    """Return median and range of each figure, a column for each policy."""
    table = Table(box=None, padding=(0, 3, 0, 0))
    table.add_column(f"{count(len(made.seeds), 'seed')}: median (least to most)")
    for name in made.runs:
        table.add_column(clean(name), justify="right")
    for line in LINES:
        cells = []
        for runs in made.runs.values():
            s = spread_of(runs, line)
            same = figure(s.least) == figure(s.most)
            span = "" if same else f" ({figure(s.least)} to {figure(s.most)})"
            cells.append(figure(s.median) + span)
        table.add_row(f"{line.label} {line.unit}".strip(), *cells)
    return table


def _comparison(made: Comparison) -> dict[str, object]:
    return {
        "scenario": made.scenario,
        "seeds": made.seeds,
        "policies": {
            name: [
                {
                    "seed": run.task.seed,
                    "counted": asdict(run.counted),
                    "failed": run.failed,
                    "lost": run.lost,
                    "unmet": run.unmet,
                    "stopped": run.stopped,
                }
                for run in runs
            ]
            for name, runs in made.runs.items()
        },
    }


def _figures(report: SimulationReport) -> dict[str, object]:
    return {
        "scenario": report.scenario,
        "figures": asdict(report.figures),
        "stopped": report.stopped,
        "lost": report.lost,
        "unmet": report.unmet,
    }


def _summary(report: SimulationReport) -> str:
    f = report.figures
    troubles = [f"{number} {word}" for number, word in ((f.failed, "failed"), (f.refused, "refused"),
                (f.lost, "lost with their hosts"), (f.rules_broken, "rules broken at the end")) if number]  # fmt: skip
    more = f"; {', '.join(troubles)}" if troubles else ""
    stopped = f" {report.stopped}." if report.stopped else ""
    return (
        f"{count(f.cycles, 'cycle')}, {count(f.moves, 'move')}, {size(f.mib)} sent, longest pause "
        f"{f.longest_pause_ms} ms{more}. At the end the busiest host uses {percent(f.hottest)} of "
        f"its CPU, the fullest {percent(f.fullest)} of its memory; the last "
        f"{count(f.quiet_cycles, 'cycle')} moved nothing.{stopped}"
    )
