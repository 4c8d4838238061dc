"""`balancer plan`: what would move, in which order and why. Changes nothing."""

import shlex
from pathlib import Path
from typing import Final

import click

from balancer import codec
from balancer.cli.decision import decide, shortened, show
from balancer.cli.options import FILE, Session, common, first_moves
from balancer.cli.screen import Screen
from balancer.cli.sight import AGAIN, known_hosts, look
from balancer.config import Config, Mode
from balancer.config.modes import PlanMode, Wish, in_mode
from balancer.planner.model.plan import Infeasible
from balancer.planner.model.policy import Policy
from balancer.planner.model.request import Effort, Request
from balancer.ports import UsageError
from balancer.wiring import dirty_meter

INFEASIBLE: Final = 2
FOUND_MOVES: Final = 4


@click.command("plan")
@click.option("--from", "source", type=FILE, help="A saved observation, instead of the hosts.")
@click.option("--policy", metavar="FILE", help="Instead of the configured policy.")
@click.option("--relieve", multiple=True, metavar="HOST", help="Take load from it; repeatable.")
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in PlanMode]),
    help="Aim at this alone, within the policy's rules and limits.",
)
@click.option("--gib", type=click.IntRange(0), help="Of --mode balance: memory to send at most.")
@click.option(
    "--gain-per-gib",
    type=click.IntRange(1),
    metavar="POINTS",
    help="Of --mode balance: what each GiB sent must gain; else as aggressiveness says.",
)
@click.option("--host", multiple=True, metavar="HOST", help="Of --mode evacuate; repeatable.")
@click.option("--hole", default="", metavar="SIZE", help="Of --mode hole, as 16c/64g.")
@click.option("--output", "-o", type=FILE, metavar="PLAN", help="Save the plan, for apply.")
@click.option(
    "--effort",
    type=click.Choice([effort.value for effort in Effort]),
    default=Effort.QUICK.value,
    show_default=True,
    help="How long to look: about 2, 20 or 300 seconds.",
)
@first_moves
@click.option("--again", is_flag=True, help=AGAIN)
@click.option("--exit-code", is_flag=True, help="End with 4 if there is anything to move.")
@common
@click.pass_obj
def command(  # noqa: PLR0913 - one argument an option
    session: Session,
    *,
    source: Path | None,
    policy: str | None,
    relieve: tuple[str, ...],
    output: Path | None,
    effort: str,
    mode: str | None,
    gib: int | None,
    gain_per_gib: int | None,
    host: tuple[str, ...],
    hole: str,
    again: bool,
    first: int | None,
    exit_code: bool,
) -> int:
    """Say what would move, in which order, for how long and why. Changes nothing.

    Ends with 0 where there is a plan or nothing is worth moving, 2 where rules conflict, and
    with --exit-code 4 where there are moves. Ctrl-C ends the search with the best plan so far.
    """
    screen = Screen(session)
    sight = look(session, screen, source, policy)
    request = Request(
        relieve=known_hosts(relieve, sight.observation),
        barred={} if again else sight.barred,
        effort=Effort(effort),
    )
    wish = Wish(
        gib=gib, gain_per_gib=gain_per_gib, hosts=known_hosts(host, sight.observation), hole=hole
    )
    wanted = _in_mode(sight.policy, mode, wish)
    meter = None if source else dirty_meter(sight.config)
    seen, answer = decide(sight.observation, wanted, request, screen, meter)
    answer = shortened(answer, first, seen, wanted)
    show(answer, screen)
    if isinstance(answer, Infeasible):
        return INFEASIBLE
    if output:
        screen.save(output, codec.dump_plan(answer))
    something = bool(answer.actions or answer.resizes)
    if something and source is None:
        screen.hint(_next_step(sight.config, output))
    return FOUND_MOVES if exit_code and something else 0


def _in_mode(policy: Policy, mode: str | None, wish: Wish) -> Policy:
    """Return the policy in that mode. Raises UsageError for options that belong to no or another."""
    if mode is not None:
        return in_mode(policy, PlanMode(mode), wish)
    if wish != Wish(hosts=frozenset()):
        raise UsageError("--gib, --gain-per-gib, --host and --hole go with --mode")
    return policy


def _next_step(configuration: Config, output: Path | None) -> str:
    if configuration.mode is Mode.OBSERVE:
        return 'Mode observe: cannot be applied; set mode = "confirm" in config.toml for that.'
    return f"Carry it out: balancer apply {shlex.quote(str(output)) if output else '--now'}"
