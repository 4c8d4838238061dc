"""`balancer simulate`: the service over a simulated cluster, and whether it keeps its promises."""

import json
import time
from dataclasses import asdict
from pathlib import Path

import click
from rich.text import Text

from balancer.adapters.stand_in import MemoryJournal
from balancer.cli.options import Session, common
from balancer.cli.screen import Screen
from balancer.config import find
from balancer.render.service import history
from balancer.render.words import count, duration, percent, size
from balancer.simulator.counting.telling import sentence
from balancer.simulator.run import Simulation, SimulationReport
from balancer.simulator.scenario import load_scenario

BROKEN = 5


@click.command("simulate")
@click.argument("scenario")
@common
@click.pass_obj
def command(session: Session, scenario: str) -> int:
    """Run the service over the cluster of SCENARIO, a file or the name of one that is shipped.

    Time is virtual; the service and the planner are those that drive real hypervisors. Ends with
    5 where something that `[expect]` promises did not come true.
    """
    screen = Screen(session)
    known = load_scenario(find(scenario, Path.cwd(), "simulations"))
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
