"""`balancer unfreeze`: lets moves start again, after a freeze or after the service stopped itself."""

import getpass
import time

import click

from balancer import config
from balancer.cli.options import Session, common
from balancer.cli.screen import Screen
from balancer.ports import Event
from balancer.wiring import brake_of, journal_of


@click.command("unfreeze")
@common
@click.pass_obj
def command(session: Session) -> None:
    """End a freeze, or release a service that stopped itself.

    Failures and moves by others from before are not held against the service any more.
    """
    screen = Screen(session)
    configuration = config.load(session.config)
    brake = brake_of(configuration)
    before = brake.reason()
    released = brake.release()
    if released:
        event = Event(time.time(), "unfroze", text=f"released by {getpass.getuser()}: {before}")
        journal_of(configuration, read_only=False).write(event)
    screen.document("unfreeze", released=released, was=before)
    screen.show(f"Released; it was {before}." if before else "Nothing was frozen.")
