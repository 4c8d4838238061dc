"""`balancer forecast GUEST`: what it used, what it is expected to use, and how good that was."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import click
import numpy as np

from balancer.cli.options import FILE, Session, common
from balancer.cli.screen import Screen
from balancer.cli.sight import look
from balancer.planner.forecast import METHODS
from balancer.planner.model.backtest import Backtest, backtest
from balancer.planner.model.cluster import Guest
from balancer.planner.model.observation import METRICS, Observation
from balancer.planner.model.policy import Forecast
from balancer.planner.model.rollups import STEP, Floats
from balancer.planner.quality import gate
from balancer.ports import UsageError
from balancer.render.forecast import Drawn, drawn, picture

USUAL = "percentile"
"""The method where nothing is to choose by."""
LEAST_STEPS = 4


@click.command("forecast")
@click.argument("guest")
@click.option("--from", "source", type=FILE, help="A saved observation, instead of the hosts.")
@click.option("--policy", metavar="FILE", help="Instead of the configured policy.")
@click.option("--metric", default="cpu", show_default=True, help="cpu, memory.rss, network, …")
@click.option("--method", type=click.Choice([*METHODS]), help="Else the best by back-test.")
@click.option("--hours", type=click.IntRange(1, 168), default=24, show_default=True)
@click.option("--svg", type=FILE, metavar="FILE", help="Draw it as a picture, too.")
@common
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 - one argument an option
    session: Session,
    guest: str,
    source: Path | None,
    policy: str | None,
    metric: str,
    method: str | None,
    hours: int,
    svg: Path | None,
) -> None:
    """Draw the history of GUEST (a name or a uuid), the forecast, its band, and past errors.

    The band holds the policy's quantile on either side. The error is what each method would have
    missed, looking ahead from moments of the latest day. Changes nothing.
    """
    screen = Screen(session)
    if metric not in METRICS:
        raise UsageError(f"no metric {metric!r}: one of {', '.join(METRICS)}")
    sight = look(session, screen, source, policy)
    seen = gate(sight.observation).observation
    whom = _guest(seen, guest)
    shown = _foreseen(seen, whom, metric, method, hours, sight.policy.forecast)
    screen.document("forecast", forecast=shown)
    screen.show(drawn(shown, screen.people.width))
    if svg:
        screen.save(svg, picture(shown))


def _guest(seen: Observation, word: str) -> Guest:
    """Return the guest of that name or uuid. Raises UsageError."""
    found = [g for g in seen.cluster.guests if word in (g.name, g.uuid)]
    if len(found) == 1:
        return found[0]
    if found:
        uuids = ", ".join(g.uuid for g in found)
        raise UsageError(f"{len(found)} guests are named {word}: give one's uuid: {uuids}")
    near = get_close_matches(word, [g.name for g in seen.cluster.guests], 1)
    hint = f"did you mean {near[0]}?" if near else "balancer observe lists all"
    raise UsageError(f"guest {word} was not seen: {hint}")


def _foreseen(
    seen: Observation, guest: Guest, metric: str, method: str | None, hours: int, wanted: Forecast
) -> Drawn:
    rollups = seen.rollups
    past = rollups.guest_rows(metric, [guest.uuid])
    known = np.flatnonzero(~np.isnan(past[0]))
    if len(known) < LEAST_STEPS:
        raise UsageError(
            f"{guest.name}: {len(known)} means of {metric} are known, too few to look ahead from; "
            "let the service measure for an hour, or fetch the past with balancer backfill"
        )
    past = past[:, known[0] :]
    first = rollups.start // STEP + int(known[0])
    tested = backtest(METHODS, past, first, wanted.quantile)
    best = method or tested.methods[int(tested.best(USUAL)[0])]
    path = METHODS[best](past, first, hours * 3600 // STEP, wanted.quantile)
    return Drawn(
        guest=guest.name,
        metric=metric,
        unit=METRICS[metric].rsplit(", ", 1)[-1],
        method=best,
        quantile=wanted.quantile,
        since=float(first * STEP),
        step=STEP,
        past=_numbers(past[0]),
        mean=_numbers(path.mean[0]),
        low=_numbers(path.low[0]),
        high=_numbers(path.high[0]),
        errors=_errors(tested),
    )


def _numbers(row: Floats) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(v) else round(float(v), 1) for v in row)


def _errors(tested: Backtest) -> dict[str, float | None]:
    scores: Sequence[float] = tested.scores[:, 0].tolist()
    return {
        name: None if np.isnan(score) else round(score, 2)
        for name, score in zip(tested.methods, scores, strict=True)
    }
