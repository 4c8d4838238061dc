"""`balancer demo`: the main job on a simulated cluster, by the service that drives libvirt."""

import io
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.text import Text

from balancer import service
from balancer.adapters.stand_in import SilentTelemetry
from balancer.cli.decision import decide, readable, show, show_hosts
from balancer.cli.interrupts import Interrupts, abortable
from balancer.cli.logs import Logged
from balancer.cli.options import FILE, Session, common
from balancer.cli.screen import Screen
from balancer.config import find
from balancer.planner.model.plan import Infeasible, Outcome, Plan, Result
from balancer.planner.model.request import Request
from balancer.render.live import Live
from balancer.render.outcomes import closing
from balancer.simulator.run import Simulation
from balancer.simulator.scenario import Scenario, load_scenario

WATCHED: Final = 3.5
"""Seconds that people look at the moves, unless a speed is asked for."""
INFEASIBLE: Final = 2
NOT_ALL: Final = 5
CANVAS: Final = 84
"""Width of the picture, in cells."""
NEXT: Final = """
Next, on your own hypervisors; neither changes anything:
  balancer doctor   is everything there that migrations need?
  balancer plan     what would move, and why
config.toml names the hosts; without it, this machine's own hypervisor is meant."""


@dataclass
class Pace:
    """Lets virtual time pass in real time, divided by `factor`; None: at once."""

    factor: float | None = None

    def __call__(self, seconds: float) -> None:
        """Sleep for as long as `seconds` of virtual time take."""
        if self.factor:
            time.sleep(seconds / self.factor)


@click.command("demo")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="FACTOR",
    help="Times faster than reality; else a few seconds of moving.",
)
@click.option("--svg", type=FILE, hidden=True, help="Draw what is shown into this file.")
@common
@click.pass_obj
def command(session: Session, speed: float | None, svg: Path | None) -> int:
    """Relieve a hot host of a simulated cluster, by the service that drives libvirt."""
    screen = Screen(session)
    if svg:
        screen.out = screen.people = canvas()
    scenario = load_scenario(find("demo", Path.cwd(), "simulations"))
    screen.show(Text(f"Simulated: {scenario.about}.\n", "bold"))
    code = _demonstrate(scenario, screen, speed)
    if svg:
        svg.write_text(picture(screen.out), encoding="utf-8")
    elif not screen.quiet:
        screen.show(Text(NEXT))
    return code


def canvas() -> Console:
    """Return a console that keeps what is printed, to be drawn."""
    return Console(record=True, file=io.StringIO(), width=CANVAS, highlight=False)


def picture(console: Console) -> str:
    """Return what was printed as SVG, without the fonts it would fetch from elsewhere."""
    drawn = console.export_svg(title="balancer demo", unique_id="demo")
    return re.sub(r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL)


def _demonstrate(scenario: Scenario, screen: Screen, speed: float | None) -> int:
    pace = Pace()
    with (
        Live(screen.people, steps=not screen.out.record) as live,
        Interrupts(live.note) as interrupts,
    ):
        telemetry = Logged(SilentTelemetry() if screen.quiet else live)
        stop = interrupts.stop_requested
        ports = Simulation(scenario, telemetry, stop_requested=stop, pace=pace).ports
        policy = scenario.policy
        before = service.observe(ports, policy)
        show_hosts(before, policy, screen)
        screen.show("")
        _, answer = decide(before, policy, Request(), screen)
        if isinstance(answer, Infeasible):
            show(answer, screen)
            return INFEASIBLE
        screen.show(readable(answer, screen, hosts=False))
        screen.show("")
        telemetry.planned(answer)
        pace.factor = speed or (answer.seconds / WATCHED if screen.out.is_terminal else None)
        ended = service.execute(abortable(ports, interrupts), policy, answer)
        after = service.observe(ports, policy)
    _report(answer, ended, screen)
    show_hosts(after, policy, screen)
    return 0 if all(outcome.result is Result.DONE for outcome in ended) else NOT_ALL


def _report(plan: Plan, ended: tuple[Outcome, ...], screen: Screen) -> None:
    screen.document("outcomes", plan=plan, outcomes=ended)
    screen.show(Text(closing(ended) + "\n", "bold"))
