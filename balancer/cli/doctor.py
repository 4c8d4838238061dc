"""`balancer doctor`: is everything there that migrations need? Changes nothing."""

import time
from typing import Final

import click

from balancer import config, wiring
from balancer.cli.options import Session, common
from balancer.cli.screen import Screen
from balancer.ports import Grade
from balancer.render.doctor import findings as findings_text
from balancer.render.words import count
from balancer.service.lessons import lesson

FAULTY: Final = 3


@click.command("doctor")
@click.option(
    "--probe",
    nargs=2,
    metavar="A B",
    help="Also migrate a tiny guest of its own making from host A to host B.",
)
@common
@click.pass_obj
def command(session: Session, probe: tuple[str, str] | None) -> int:
    """Check hosts, versions, clocks, migration trust, storage, networks and guests.

    Read-only, save for --probe, which defines, migrates and removes a tiny guest of its own.
    Ends with 3 where something stands in the way of moving guests.
    """
    screen = Screen(session)
    configuration = config.load(session.config)
    screen.warn(configuration.warnings)
    if probe:
        with screen.busy(f"Migrating a tiny guest from {probe[0]} to {probe[1]}"):
            found = wiring.probe(configuration, *probe)
    else:
        screen.hint("Read-only: nothing will be changed.")
        with screen.busy(f"Examining {count(len(configuration.hosts), 'host')}"):
            found = wiring.examine(configuration)
        found = (*found, lesson(wiring.experience_of(configuration).known(time.time())))
    screen.document("findings", findings=found)
    screen.show(findings_text(found))
    return FAULTY if any(finding.grade is Grade.FAULT for finding in found) else 0
