"""`balancer status`: what the service does at this moment, and why nothing happens."""

import time
from dataclasses import replace
from typing import Final

import click

from balancer import config
from balancer.cli.options import Session, common
from balancer.cli.screen import Screen
from balancer.render.service import status as status_text
from balancer.wiring import brake_of, status_of

QUIET: Final = 120.0
"""Seconds without a sign of life that are nothing unusual: a long look, a long search."""
NOT_RUNNING: Final = 3


@click.command("status")
@common
@click.pass_obj
def command(session: Session) -> int:
    """Say mode, last cycle, what is in flight and how far, and why nothing happens.

    Ends with 3 where no service gives a sign of life.
    """
    screen = Screen(session)
    configuration = config.load(session.config)
    known = status_of(configuration)
    frozen = brake_of(configuration).reason()
    if known is None:
        screen.document("status", status=None, frozen=frozen)
        screen.show(
            f"No service ever ran here (state: {configuration.state_dir}). {frozen}".rstrip()
        )
        return NOT_RUNNING
    known = replace(known, frozen=frozen)
    now = time.time()
    alive = known.state != "stopped" and now - known.at <= QUIET
    screen.document("status", status=known, alive=alive)
    screen.show(status_text(known, now, alive=alive))
    return 0 if alive else NOT_RUNNING
