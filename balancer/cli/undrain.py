"""`balancer undrain`: opens a host to placement again, and brings its guests back if asked."""

import getpass
import sys
import time
from collections.abc import Collection

import click

from balancer import config
from balancer.cli.back import bring
from balancer.cli.options import Session, common
from balancer.cli.screen import Screen
from balancer.ports import Event, Refused
from balancer.render.words import clean, count
from balancer.wiring import closed_hosts, journal_of


@click.command("undrain")
@click.argument("host")
@click.option("--bring-back", is_flag=True, help="Move back the guests that were there.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask. Skips no check.")
@common
@click.pass_obj
def command(session: Session, host: str, *, bring_back: bool, yes: bool) -> int:
    """Let guests come to HOST again; with --bring-back, those that `drain` had moved away.

    Somebody at a terminal is offered that.
    """
    screen = Screen(session)
    configuration = config.load(session.config)
    closed = closed_hosts(configuration)
    closure = closed.known().get(host)
    if closure is None:
        raise Refused(f"{host} is not closed: balancer drain {host} closes it")
    now, by = time.time(), getpass.getuser()
    event = Event(now, "opened", host=host, text=f"{host} is open to placement again, by {by}")
    journal_of(configuration, read_only=False).write(event)
    closed.open(host)
    screen.show(f"{clean(host)} is open to placement again.")
    if bring_back or _offered(closure.guests, host, screen, yes=yes):
        homes = dict.fromkeys(closure.guests, host)
        return bring(session, screen, homes, f"back to {host}", "undrain", yes=yes)
    screen.document("undrain", host=host, guests=closure.guests)
    if closure.guests:
        guests = count(len(closure.guests), "guest")
        screen.hint(f"{guests} ran there; balancer plan says what is worth moving now.")
    return 0


def _offered(guests: Collection[str], host: str, screen: Screen, *, yes: bool) -> bool:
    """Ask whether to bring back who was there, where somebody can answer."""
    if yes or not guests or not sys.stdin.isatty():
        return False
    return click.confirm(f"Bring {count(len(guests), 'guest')} back to {host}?", err=screen.json)
