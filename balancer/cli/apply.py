"""`balancer apply`: judges a plan against the cluster as it is, asks, and migrates."""

import sys
from math import inf
from pathlib import Path
from typing import Final

import click

from balancer import config, service
from balancer.adapters.stand_in import SilentTelemetry
from balancer.cli.decision import decide, readable, shortened, show
from balancer.cli.interrupts import Interrupts, abortable
from balancer.cli.logs import Logged
from balancer.cli.options import FILE, Session, common, first_moves
from balancer.cli.screen import Screen
from balancer.cli.sight import AGAIN, Sight, look
from balancer.codec import read_plan
from balancer.config import Config, Mode
from balancer.planner.model.plan import Infeasible, Outcome, Plan, Result
from balancer.planner.model.policy import Policy
from balancer.planner.model.request import Request
from balancer.ports import Refused
from balancer.render.live import Live
from balancer.render.outcomes import outcomes as outcomes_text
from balancer.render.words import count
from balancer.wiring import brake_of, dirty_meter, ports_for

INFEASIBLE: Final = 2
NOT_ALL: Final = 5


@click.command("apply")
@click.argument("plan_file", metavar="[PLAN]", type=FILE, required=False)
@click.option("--now", is_flag=True, help="Plan at this moment, instead of a saved plan.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask. Skips no check.")
@click.option("--policy", metavar="FILE", help="Instead of the configured policy.")
@click.option("--again", is_flag=True, help=AGAIN)
@first_moves
@common
@click.pass_obj
def command(  # noqa: PLR0913 - one argument an option
    session: Session,
    plan_file: Path | None,
    policy: str | None,
    first: int | None,
    *,
    now: bool,
    yes: bool,
    again: bool,
) -> int:
    """Carry a plan out: judge it against the cluster as it is, ask, migrate, verify.

    A plan that no longer fits is refused (2). Ctrl-C finishes what is in flight and starts
    nothing more; a second one aborts what is in flight. Ends with 5 unless every move was done.
    """
    if now == (plan_file is not None):
        raise click.UsageError("name a saved plan, or say --now to plan at this moment")
    saved = read_plan(plan_file) if plan_file else None
    screen = Screen(session)
    configuration = config.load(session.config)
    may_change(configuration)
    finish_what_was_begun(configuration, screen)
    sight = look(session, screen, policy=policy)
    if saved is None:
        request, meter = Request(barred={} if again else sight.barred), dirty_meter(configuration)
        seen, answer = decide(sight.observation, sight.policy, request, screen, meter)
    else:
        seen, answer = sight.observation, _judged(saved, sight)
    answer = shortened(answer, first, seen, sight.policy)
    if isinstance(answer, Infeasible):
        show(answer, screen)
        return INFEASIBLE
    screen.people.print(readable(answer, screen))
    something = answer.actions or answer.resizes
    if something:
        confirm(answer, screen, yes=yes)
    ended = carry_out(answer, sight.config, sight.policy, screen) if something else ()
    screen.document("outcomes", plan=answer, outcomes=ended)
    screen.show(outcomes_text(ended))
    return 0 if all(outcome.result is Result.DONE for outcome in ended) else NOT_ALL


def may_change(configuration: Config) -> None:
    """Raises Refused unless this installation lets plans be carried out at this moment."""
    if configuration.mode is Mode.OBSERVE:
        where = configuration.source or "config.toml"
        raise Refused(
            f'mode is "observe": nothing is changed; set mode = "confirm" in {where} to apply plans'
        )
    if frozen := brake_of(configuration).reason():
        raise Refused(f"nothing is applied: {frozen}")


def finish_what_was_begun(configuration: Config, screen: Screen) -> None:
    """Follow to its end what a planner that died had begun. Raises Refused, UsageError."""
    with Live(screen.people) as live, Interrupts(live.note) as interrupts:
        telemetry = Logged(SilentTelemetry() if screen.quiet else live)
        ports = ports_for(configuration, telemetry, read_only=False)
        service.resume(abortable(ports, interrupts))


def _judged(plan: Plan, sight: Sight) -> Plan:
    """Return the plan if it fits the cluster as it is. Raises Refused."""
    service.recheck(sight.observation, sight.policy, plan)
    return plan


def confirm(plan: Plan, screen: Screen, *, yes: bool) -> None:
    """Ask. Raises Refused where the answer is no, or nobody is there to answer."""
    guests = count(len({action.guest for action in plan.actions}), "guest")
    changed = count(len({resize.guest for resize in plan.resizes}), "guest")
    question = f"Move {guests}?" if plan.actions else f"Change what {changed} may have?"
    if plan.actions and plan.resizes:
        question = f"Change what {changed} may have, and move {guests}?"
    ask(question, f"plan {plan.id} was not confirmed", screen, yes=yes)


def ask(question: str, otherwise: str, screen: Screen, *, yes: bool) -> None:
    """Ask. Raises Refused with `otherwise` where the answer is no, or nobody can answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(f"{otherwise}: nobody to ask here; say --yes")
    if not click.confirm(question, err=screen.json):
        raise Refused(f"{otherwise}: nothing was changed")


def carry_out(
    plan: Plan,
    configuration: Config,
    policy: Policy,
    screen: Screen,
    *,
    by: str = "",
    until: float = inf,
) -> tuple[Outcome, ...]:
    """Carry `plan` out while somebody watches; `by` is kept in the journal with it.

    What is not likely to have ended by `until`, seconds since the epoch, is not begun.
    """
    with Live(screen.people) as live, Interrupts(live.note) as interrupts:
        telemetry = Logged(SilentTelemetry() if screen.quiet else live)
        telemetry.planned(plan)
        ports = ports_for(
            configuration, telemetry, read_only=False, stop_requested=interrupts.stop_requested
        )
        about = {"by": by} if by else None
        return service.execute(abortable(ports, interrupts), policy, plan, about, until)
