"""`balancer rightsize`: guests whose allocation is far from their demand, and what to set."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from balancer import config
from balancer.cli.options import FILE, Session, common
from balancer.cli.screen import Screen
from balancer.cli.sight import Sight, look
from balancer.planner.capacity.rightsize import Wish, freed, rightsize
from balancer.planner.quality import gate
from balancer.render.rightsize import sizes

if TYPE_CHECKING:
    from balancer.planner.model.observation import Observation

DAY = 86_400.0
METRICS = (
    "cpu", "cpu.delay",
    "memory.unused", "memory.cache", "memory.balloon", "memory.rss", "memory.assigned",
)  # fmt: skip


@click.command("rightsize")
@click.option(
    "--from", "source", type=FILE, help="A saved observation and its past, not the hosts."
)
@click.option(
    "--policy", metavar="FILE", help="Instead of the configured policy (for its groups)."
)
@click.option("--guests", "chosen", multiple=True, metavar="PATTERN", help="Else all guests.")
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True)
@click.option("--percentile", type=click.FloatRange(50, 100), default=99.0, show_default=True)
@click.option(
    "--margin", type=click.FloatRange(0, 400), default=20.0, show_default=True, help="Percent."
)
@click.option(
    "--change",
    type=click.FloatRange(0, 100),
    default=25.0,
    show_default=True,
    help="Least, percent.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@common
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 - one argument an option
    session: Session,
    source: Path | None,
    policy: str | None,
    chosen: tuple[str, ...],
    days: int,
    percentile: float,
    margin: float,
    change: float,
    as_json: bool,  # noqa: FBT001 - click hands it over by name
) -> None:
    """Say which guests are allocated far more, or less, than they want, and what to set.

    Sizes are the percentile of what was wanted in 5-minute means, and the margin. The risk is the
    share of the time that more was wanted: as a back-test, of times the size was not made from.
    Changes nothing.
    """
    session.format = "json" if as_json else session.format
    screen = Screen(session)
    sight = look(session, screen, source, policy)
    seen = _with_past(sight, source, days)
    if chosen:
        uuids = config.chosen_guests(chosen, sight.policy, seen.cluster)
        guests = tuple(guest for guest in seen.cluster.guests if guest.uuid in uuids)
        placement = {uuid: host for uuid, host in seen.cluster.placement.items() if uuid in uuids}
        seen = replace(seen, cluster=replace(seen.cluster, guests=guests, placement=placement))
    wish = Wish(percentile=percentile / 100, margin=margin / 100, least_change=change / 100)
    found = rightsize(seen.cluster, seen.rollups, wish)
    vcpus, mib = freed(found)
    screen.document(
        "rightsize", days=days, wish=wish, frees={"vcpus": vcpus, "memory": mib}, guests=found
    )
    screen.show(sizes(found, wish, days, screen.people.width))


def _with_past(sight: Sight, source: Path | None, days: int) -> "Observation":
    """Return what was seen with so many days of the past, as far as they are believed."""
    seen = sight.observation
    if source is None:
        from balancer.wiring import history

        past = history(sight.config).rollups(seen.at, days * DAY, METRICS)
        seen = replace(seen, rollups=past)
    return gate(seen).observation
