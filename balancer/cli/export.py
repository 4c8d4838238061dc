"""`balancer export`: a plan for other programs, or as a picture."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import click

from balancer import config
from balancer.cli.options import FILE, Session, common
from balancer.cli.screen import Screen
from balancer.codec import load_outcome_data, load_plan_data, read_plan
from balancer.config import Config
from balancer.planner.model.plan import Outcome, Plan
from balancer.ports import UsageError
from balancer.render.export.ends import End, unknown

FORMS: Final = ("virsh", "ansible", "btrplace", "csv", "gantt")


@click.command("export")
@click.argument("plan_file", metavar="[PLAN]", type=FILE, required=False)
@click.option("--as", "form", type=click.Choice(FORMS), required=True, help="What to make of it.")
@click.option(
    "--done",
    "done",
    metavar="ID",
    help="A plan that was carried out, from the journal: real times beside predicted (gantt).",
)
@click.option("--output", "-o", type=FILE, metavar="FILE", help="Instead of standard output.")
@common
@click.pass_obj
def command(
    session: Session, plan_file: Path | None, form: str, done: str | None, output: Path | None
) -> None:
    """Write a saved plan as a virsh script, an Ansible playbook, BtrPlace JSON, CSV, or a picture.

    Scripts and playbooks make one move after the other, in an order that is safe, and judge
    nothing anew; `balancer apply` does. The picture (SVG) shows the schedule by host.
    """
    if (plan_file is None) == (done is None):
        raise click.UsageError("name a saved plan, or --done ID (balancer history lists plans)")
    screen = Screen(session)
    outcomes: Sequence[Outcome] = ()
    if plan_file is not None:
        plan = read_plan(plan_file)
    else:
        plan, outcomes = _carried_out(config.load(session.config), done or "")
    text = _text(form, plan, outcomes, lambda: _ends(session))
    if output is None:
        sys.stdout.write(text)
    else:
        screen.save(output, text)


def _text(
    form: str, plan: Plan, outcomes: Sequence[Outcome], ends: Callable[[], Callable[[str], End]]
) -> str:
    if form == "virsh":
        from balancer.render.export.virsh import virsh

        return virsh(plan, ends())
    if form == "ansible":
        from balancer.render.export.ansible import ansible

        return ansible(plan, ends())
    if form == "btrplace":
        from balancer.render.export.btrplace import btrplace

        return btrplace(plan)
    if form == "csv":
        from balancer.render.export.table import table

        return table(plan)
    from balancer.render.export.gantt import gantt

    return gantt(plan, outcomes)


def _ends(session: Session) -> Callable[[str], End]:
    """Return how hosts are reached, as configured; the usual way where they are not."""
    known = {
        host.name: End(host.uri, host.peer_uri or host.uri, host.migration_address)
        for host in config.load(session.config).hosts
    }
    return lambda name: known.get(name) or unknown(name)


def _carried_out(configuration: Config, name: str) -> tuple[Plan, Sequence[Outcome]]:
    """Return a plan as it was decided last, and how its actions ended. Raises UsageError."""
    from balancer.wiring import journal_of

    plan: Plan | None = None
    outcomes: list[Outcome] = []
    for event in journal_of(configuration).read(0.0, ("decided", "ended", "refused")):
        if event.plan != name:
            continue
        if event.kind == "decided" and "plan" in event.data:
            plan, outcomes = load_plan_data(event.data["plan"]), []
        elif "outcome" in event.data:
            outcomes.append(load_outcome_data(event.data["outcome"]))
    if plan is None:
        raise UsageError(
            f"the journal knows of no plan {name} that was carried out; balancer history lists plans"
        )
    return plan, outcomes
