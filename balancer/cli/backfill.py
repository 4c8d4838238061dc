"""`balancer backfill`: fetches the past from the store of metrics, once, on the first day."""

import time
from collections.abc import Iterator

import click

from balancer.cli.options import Session, common
from balancer.cli.screen import Screen
from balancer.cli.sight import look
from balancer.planner.model.rollups import STEP
from balancer.ports import UsageError
from balancer.wiring import history, metric_source

DAY = 86_400
HOUR = 3600


@click.command("backfill")
@click.option("--days", type=click.IntRange(1, 366), default=14, show_default=True)
@click.option(
    "--step",
    type=click.Choice(["5min", "15min", "30min", "1h", "2h"]),
    default="1h",
    show_default=True,
    help="Means over that time: finer costs the store more.",
)
@common
@click.pass_obj
def command(session: Session, days: int, step: str) -> int:
    """Fetch the past from Prometheus into the history, a day at a time, newest first.

    Interrupted, it goes on where it stopped when it is called again. What was measured live is
    never overwritten. Moves nothing.
    """
    screen = Screen(session)
    sight = look(session, screen)
    source, store = metric_source(sight.config), history(sight.config)
    if source is None:
        raise UsageError("nowhere to fetch from: name a store under [prometheus] in config.toml")
    seconds = STEPS[step]
    now = sight.observation.at
    began, queries, points = time.perf_counter(), 0, 0
    with screen.progress("Fetching", days + 1) as advance:
        for since, until in _days(now, days):
            if not store.is_filled(source.name, since, until):
                for kind, metric, means, cost in source.past(
                    sight.observation.cluster, since, until, seconds
                ):
                    store.backfill(kind, metric, means)
                    queries, points = queries + cost.queries, points + cost.points
                store.filled(source.name, since, until)
            advance()
    took = time.perf_counter() - began
    screen.document("backfill", days=days, step=seconds, queries=queries, points=points, took=took)
    screen.hint(f"{queries:,} queries, {points:,} points, {took:.1f} s.")
    return 0


STEPS = {"5min": STEP, "15min": 3 * STEP, "30min": 6 * STEP, "1h": HOUR, "2h": 2 * HOUR}


def _days(now: float, days: int) -> Iterator[tuple[int, int]]:
    """Yield so many whole days in UTC, newest first, after today's up to the last full two hours.

    Today's part is empty until two: without it being extra there would be nothing for one day.
    """
    today = int(now) // DAY * DAY
    yield today, int(now) // (2 * HOUR) * (2 * HOUR)
    for back in range(1, days + 1):
        yield today - back * DAY, today - (back - 1) * DAY
