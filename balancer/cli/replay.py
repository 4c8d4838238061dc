"""`balancer replay`: the past once more, under the same policy or another one."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from balancer.cli.options import Session, common
from balancer.cli.past import Asked, of_the_past, read
from balancer.cli.screen import Screen
from balancer.config import Mode
from balancer.render.words import clean, count, duration

if TYPE_CHECKING:
    from balancer.simulator.replaying.run import ReplayReport

SHOWN = 4
"""Moves of one plan that a line names."""


@click.command("replay")
@of_the_past
@click.option(
    "--mode",
    type=click.Choice(["auto", "observe"]),
    default="auto",
    show_default=True,
    help="Move guests in the replay, or only decide.",
)
@common
@click.pass_obj
def command(session: Session, /, mode: str, **asked: Any) -> None:  # noqa: ANN401 - as of_the_past says
    """Replay the service's own past, or a trace, and count what it cost. Changes nothing.

    The planner sees no sample from after the moment it plans at. Under the policy of then, each
    decision is held against the one that was taken.
    """
    from balancer.simulator.replaying.run import Replay

    screen = Screen(session)
    past = read(session, screen, Asked(**asked))
    track = past.cut(-inf, inf)
    run = Replay(
        track=track,
        policy=past.policy,
        mode=Mode(mode),
        guards=past.config.guards,
        interval=past.interval,
    )
    with screen.progress("Replaying", len(track.looks)) as done:
        report = run.run(done)
    screen.document("replay", replay=json.loads(json.dumps(asdict(report))))
    _told(screen, report)


def _told(screen: Screen, report: "ReplayReport") -> None:
    from balancer.simulator.counting.telling import figure, sentence

    for one in report.looks:
        if one.moves:
            moved = ", ".join(one.moves[:SHOWN]) + (" …" if len(one.moves) > SHOWN else "")
            at = datetime.fromtimestamp(one.at, UTC)
            screen.show(f"{at:%Y-%m-%d %H:%M}  {one.plan}  {clean(moved)}")
    span = report.looks[-1].at - report.looks[0].at if report.looks else 0.0
    screen.show(
        Text(
            f"{count(len(report.looks), 'look')} over {duration(span)} replayed under {report.policy}.",
            "bold",
        )
    )
    if any(one.then is not None for one in report.looks):
        screen.show(f"{report.same} of {len(report.looks)} decisions are those of then.")
    screen.show(sentence(report.counted))
    screen.show(f"The moves cost the guests moved {figure(report.moving)} guest-seconds.")
    if report.stopped:
        screen.show(f"{report.stopped}.")
