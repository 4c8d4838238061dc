"""`balancer approve`: lets the service carry out the plan that waits for it."""

import getpass
import time
from typing import Final

import click

from balancer import config
from balancer.cli.options import Session, common
from balancer.cli.screen import Screen
from balancer.codec import load_plan_data
from balancer.config import Config
from balancer.planner.model.plan import Plan
from balancer.ports import Event, Journal, Refused
from balancer.render.plan import plan as plan_text
from balancer.wiring import brake_of, journal_of, status_of

AWAY: Final = 3.0
"""Intervals without a sign of life after which the service counts as gone."""


@click.command("approve")
@click.argument("plan_id", metavar="[PLAN]", required=False)
@common
@click.pass_obj
def command(session: Session, plan_id: str | None) -> None:
    """Approve PLAN, which the service proposed; without PLAN show what waits.

    The service judges it once more, against the cluster as it then is, and carries it out. A plan
    that has changed meanwhile has another name and waits for an approval of its own.
    """
    screen = Screen(session)
    configuration = config.load(session.config)
    waiting = _waiting(configuration)
    journal = journal_of(configuration, read_only=plan_id is None)
    proposal = _proposal(journal, waiting)
    if plan_id is None:
        screen.document("proposal", plan=proposal)
        screen.show(plan_text(proposal, screen.people.width))
        screen.hint(f"Let it be carried out: balancer approve {proposal.id}")
        return
    if plan_id != waiting:
        raise Refused(
            f"{plan_id} does not wait for approval: {waiting} does; balancer approve shows it"
        )
    if frozen := brake_of(configuration).reason():
        raise Refused(f"{plan_id} was not approved: {frozen}")
    journal.write(Event(time.time(), "approved", plan_id, text=f"approved by {getpass.getuser()}"))
    screen.document("approval", plan=plan_id)
    screen.show(f"Approved {plan_id}: {proposal.summary} See balancer status.")


def _waiting(configuration: Config) -> str:
    """Return the id of the plan that waits. Raises Refused if none does."""
    status = status_of(configuration)
    if status is None or time.time() - status.at > AWAY * max(status.interval, 60.0):
        raise Refused("no plan waits: the service does not run here (balancer status)")
    if status.state != "awaiting approval":
        raise Refused(f"no plan waits: the service is {status.state} ({status.sentence})")
    return status.plan


def _proposal(journal: Journal, plan_id: str) -> Plan:
    for event in reversed(journal.read(0.0, ("proposed",))):
        if event.plan == plan_id:
            return load_plan_data(event.data.get("plan"))
    raise Refused(f"{plan_id} is not in the journal: look at balancer status")
