"""`balancer replay`: the past once more, under the same policy or another one."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from balancer import config
from balancer.cli.moments import Moment
from balancer.cli.options import FILE, Session, common
from balancer.cli.screen import Screen
from balancer.cli.sight import look
from balancer.config import Config, Mode
from balancer.planner.model.policy import Policy
from balancer.ports import UsageError
from balancer.render.words import clean, count, duration

if TYPE_CHECKING:
    from balancer.simulator.replaying.run import ReplayReport
    from balancer.simulator.replaying.traces import Shape
    from balancer.simulator.replaying.track import Track

MINUTE = 60.0
SHOWN = 4
"""Moves of one plan that a line names."""


@click.command("replay")
@click.option(
    "--since",
    callback=Moment(forward=False),
    metavar="TIME",
    help='From when on, as "14d"; else all that is kept.',
)
@click.option("--policy", metavar="FILE", help="Instead of the configured policy.")
@click.option(
    "--mode",
    type=click.Choice(["auto", "observe"]),
    default="auto",
    show_default=True,
    help="Move guests in the replay, or only decide.",
)
@click.option(
    "--from", "source", type=FILE, help="A saved observation says what hosts and guests are."
)
@click.option(
    "--trace", type=FILE, metavar="FILE", help="Usage from a .npz, .csv or .parquet instead."
)
@click.option(
    "--hosts", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Of a trace."
)
@click.option(
    "--cores", type=click.IntRange(1, 4096), default=32, show_default=True, help="Of each of them."
)
@click.option(
    "--memory",
    type=click.IntRange(1, 65_536),
    default=256,
    show_default=True,
    help="GiB of each of them.",
)
@click.option(
    "--every",
    type=click.IntRange(5, 1440),
    default=15,
    show_default=True,
    help="Minutes between looks at a trace.",
)
@common
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 - one argument an option
    session: Session,
    since: float | None,
    policy: str | None,
    mode: str,
    source: Path | None,
    trace: Path | None,
    hosts: int,
    cores: int,
    memory: int,
    every: int,
) -> None:
    """Replay the service's own past, or a trace, and count what it cost. Changes nothing.

    The planner sees no sample from after the moment it plans at. Under the policy of then, each
    decision is held against the one that was taken.
    """
    from balancer.simulator.replaying.run import Replay
    from balancer.simulator.replaying.traces import Shape

    screen = Screen(session)
    if trace is not None:
        shape = Shape(hosts=hosts, cores=cores, memory_mib=1024 * memory)
        past = _trace(session, policy, trace, shape, MINUTE * every)
    else:
        past = _own(session, screen, source, policy, since)
    run = Replay(
        track=past.track,
        policy=past.policy,
        mode=Mode(mode),
        guards=past.config.guards,
        interval=past.interval,
    )
    with screen.progress("Replaying", len(past.track.looks)) as done:
        report = run.run(done)
    screen.document("replay", replay=json.loads(json.dumps(asdict(report))))
    _told(screen, report)


@dataclass(frozen=True)
class Past:
    """What is replayed, and under what."""

    track: "Track"
    policy: Policy
    config: Config
    interval: float


def _trace(
    session: Session, policy: str | None, path: Path, shape: "Shape", interval: float
) -> Past:
    from balancer.simulator.replaying.traces import load_trace, track

    configuration = config.load(session.config)
    wanted = config.policy_for(configuration, policy).policy
    return Past(track(load_trace(path), shape, interval), wanted, configuration, interval)


def _own(
    session: Session, screen: Screen, source: Path | None, policy: str | None, since: float | None
) -> Past:
    from balancer.adapters.journal_sqlite import SqliteJournal
    from balancer.simulator.replaying.recorded import recorded
    from balancer.wiring import history

    sight = look(session, screen, source, policy)
    configuration = sight.config
    for what, path in (
        ("journal", configuration.journal_path),
        ("history", configuration.history_path),
    ):
        if not path.exists():
            raise UsageError(
                f"there is no {what} {path}: let the service run for a while, or replay a --trace"
            )
    track, absent = recorded(
        sight.observation.cluster,
        history(configuration),
        SqliteJournal(configuration.journal_path),
        (since or 0.0, inf),
        sight.policy.forecast.lookback,
    )
    if absent:
        screen.warn([f"{count(absent, 'guest')} of that time are not there any more: left out"])
    return Past(track, sight.policy, configuration, configuration.interval_seconds)


def _told(screen: Screen, report: "ReplayReport") -> None:
    from balancer.simulator.counting.telling import sentence

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
    if report.stopped:
        screen.show(f"{report.stopped}.")
