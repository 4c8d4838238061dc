"""`balancer history`: what was decided and done, from the journal."""

import time

import click

from balancer import config
from balancer.cli.moments import Moment
from balancer.cli.options import Session, common
from balancer.cli.screen import Screen
from balancer.render.service import history
from balancer.wiring import journal_of

DAY = 86_400.0


@click.command("history")
@click.option(
    "--since",
    metavar="TIME",
    callback=Moment(forward=False),
    help="2h, yesterday, a date; else a day.",
)
@click.option("--all", "everything", is_flag=True, help="Cycles in which nothing happened, too.")
@common
@click.pass_obj
def command(session: Session, since: float | None, *, everything: bool) -> None:
    """List what was decided, started, ended, refused, approved, frozen, and moved by others."""
    screen = Screen(session)
    begin = time.time() - DAY if since is None else since
    events = journal_of(config.load(session.config)).read(begin)
    shown = [
        e for e in events if everything or e.kind not in {"cycle", "stood", "started", "resizing"}
    ]
    screen.document("history", events=shown)
    screen.show(history(shown))
