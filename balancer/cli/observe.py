"""`balancer observe`: the cluster as one JSON document. Changes nothing."""

import sys
from pathlib import Path

import click

from balancer.cli.decision import show_hosts
from balancer.cli.options import FILE, Session, common
from balancer.cli.screen import Screen
from balancer.cli.sight import Sight, look
from balancer.codec import dump_observation
from balancer.render.observation import summary


@click.command("observe")
@click.option("--output", "-o", type=FILE, metavar="FILE", help="Write it there, not to stdout.")
@common
@click.pass_obj
def command(session: Session, output: Path | None) -> None:
    """Write the cluster down as one JSON document: a bug report, a test, a thing to plan from.

    Without -o the document goes to stdout; --format text shows the hosts instead. Changes
    nothing.
    """
    screen = Screen(session)
    sight = look(session, screen)
    if output:
        screen.save(output, dump_observation(sight.observation))
    elif session.format != "text":
        sys.stdout.write(dump_observation(sight.observation))
        return
    screen.document("summary", **figures(sight))
    screen.show(summary(sight.observation))
    show_hosts(sight.observation, sight.policy, screen)


def figures(sight: Sight) -> dict[str, object]:
    """Return what a program wants to know of the document just written."""
    seen = sight.observation
    return {
        "at": seen.at,
        "hosts": len(seen.cluster.hosts),
        "guests": len(seen.cluster.guests),
        "unseen": seen.unseen,
    }
