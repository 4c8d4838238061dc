"""`balancer undo`: leads back from what a plan did."""

import click

from balancer import config
from balancer.cli.back import bring
from balancer.cli.options import Session, common
from balancer.cli.screen import Screen
from balancer.cli.sight import look
from balancer.service.returning import way_back
from balancer.wiring import journal_of

TOLD = ("decided", "ended", "resized")


@click.command("undo")
@click.argument("plan", metavar="[PLAN]", required=False, default="")
@click.option("--yes", "-y", is_flag=True, help="Do not ask. Skips no check.")
@common
@click.pass_obj
def command(session: Session, plan: str, *, yes: bool) -> int:
    """Bring the guests that PLAN moved back to where they were; without PLAN, the last one's.

    The way back is a plan of its own, judged by every rule as it is now. Guests that are
    elsewhere since are left alone and named. Ends with 5 unless all could be brought back.
    """
    screen = Screen(session)
    events = journal_of(config.load(session.config)).read(0.0, TOLD)
    found = way_back(events, plan, look(session, screen).observation)
    screen.warn(found.strayed)
    why, verb = f"undoes {found.plan}", f"undo {found.plan}"
    return bring(
        session, screen, found.homes, why, verb, yes=yes, done=found.done, resizes=found.resizes
    )
