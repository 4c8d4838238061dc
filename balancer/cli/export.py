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
TOPOLOGY: Final = "hdfs-topology"
"""In place of a plan: the placement as it is, as Hadoop asks for it."""


@click.command("export")
@click.argument("plan_file", metavar=f"[PLAN | {TOPOLOGY}]", type=FILE, required=False)
@click.option("--as", "form", type=click.Choice(FORMS), help="What to make of a plan.")
@click.option(
    "--done",
    "done",
    metavar="ID",
    help="A plan that was carried out, from the journal: real times beside predicted (gantt).",
)
@click.option(
    "--from", "source", type=FILE, help=f"{TOPOLOGY}: a saved observation, not the hosts."
)
@click.option("--guests", "chosen", multiple=True, help=f"{TOPOLOGY}: a pattern; else all guests.")
@click.option(
    "--node-groups", is_flag=True, help=f"{TOPOLOGY}: the host as a level below the rack."
)
@click.option("--output", "-o", type=FILE, metavar="FILE", help="Instead of standard output.")
@common
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 - one argument an option
    session: Session,
    plan_file: Path | None,
    form: str | None,
    done: str | None,
    source: Path | None,
    chosen: tuple[str, ...],
    node_groups: bool,  # noqa: FBT001 - click hands it over by name
    output: Path | None,
) -> None:
    """Write a saved plan as a virsh script, an Ansible playbook, BtrPlace JSON, CSV, or a picture.

    Scripts and playbooks make one move after the other, in an order that is safe, and judge
    nothing anew; `balancer apply` does. The picture (SVG) shows the schedule by host.

    With hdfs-topology in place of a plan: the rack-awareness script of where guests are now, for
    Hadoop's net.topology.script.file.name. Racks are the hosts' labels `rack` and `room`.
    """
    screen = Screen(session)
    if plan_file == Path(TOPOLOGY):
        if form or done:
            raise click.UsageError(f"{TOPOLOGY} is a form of its own: without --as and --done")
        _written(
            screen, _topology(session, screen, source, chosen, node_groups=node_groups), output
        )
        return
    if source or chosen or node_groups:
        raise click.UsageError(f"--from, --guests and --node-groups belong to {TOPOLOGY}")
    if not form:
        raise click.UsageError(f"say what to make of it: --as {'|'.join(FORMS)}")
    if (plan_file is None) == (done is None):
        raise click.UsageError("name a saved plan, or --done ID (balancer history lists plans)")
    outcomes: Sequence[Outcome] = ()
    if plan_file is not None:
        plan = read_plan(plan_file)
    else:
        plan, outcomes = _carried_out(config.load(session.config), done or "")
    if form == "btrplace" and plan.resizes:
        screen.warn([f"BtrPlace knows of no such resizes: {len(plan.resizes)} are left out"])
    _written(screen, _text(form, plan, outcomes, lambda: _ends(session)), output)


def _topology(
    session: Session,
    screen: Screen,
    source: Path | None,
    chosen: tuple[str, ...],
    *,
    node_groups: bool,
) -> str:
    """Return the script of the present placement. Raises UsageError."""
    from balancer.cli.sight import look
    from balancer.planner.model.placement import fingerprint
    from balancer.render.export.hdfs import topology

    sight = look(session, screen, source)
    cluster = sight.observation.cluster
    guests = cluster.guests
    if chosen:
        uuids = config.chosen_guests(chosen, sight.policy, cluster)
        guests = tuple(guest for guest in guests if guest.uuid in uuids)
    try:
        return topology(cluster, guests, fingerprint(cluster.placement), node_groups=node_groups)
    except ValueError as error:
        raise UsageError(f"{TOPOLOGY}: {error}") from None


def _written(screen: Screen, text: str, output: Path | None) -> None:
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
