"""`balancer freeze`: stops all action, at once and whatever else is broken."""

import getpass
import time
from contextlib import suppress
from datetime import UTC, datetime

import click

from balancer import config
from balancer.adapters.freeze import freeze
from balancer.cli.moments import Moment
from balancer.cli.options import Session, common
from balancer.cli.screen import Screen
from balancer.ports import Event, UsageError
from balancer.wiring import journal_of


@click.command("freeze")
@click.option(
    "--until",
    metavar="TIME",
    callback=Moment(forward=True),
    help="Ends by itself then: 2h, 18:30, a date.",
)
@click.option("--reason", default="", metavar="TEXT", help="Why, for others.")
@common
@click.pass_obj
def command(session: Session, until: float | None, reason: str) -> None:
    """Start no more moves: not the service, not `apply`. What is in flight is finished.

    Makes a file (`freeze` in config.toml names it); `touch` on it does the same, even where
    nothing else works. `balancer unfreeze` removes it.
    """
    screen = Screen(session)
    configuration = config.load(session.config)
    if until is not None and until <= time.time():
        raise UsageError("--until lies in the past: nothing was frozen")
    said = f"by {getpass.getuser()}" + (f": {reason}" if reason else "")
    freeze(configuration.freeze_path, until, said)
    with suppress(UsageError):  # the file is what counts
        journal = journal_of(configuration, read_only=False)
        journal.write(Event(time.time(), "froze", text=f"frozen {said}"))
    end = (
        f" until {datetime.fromtimestamp(until, UTC).astimezone():%Y-%m-%d %H:%M}" if until else ""
    )
    screen.document("freeze", file=str(configuration.freeze_path), until=until)
    screen.show(f"Frozen{end}: nothing more is started. balancer unfreeze ends it.")
