"""What of the past is replayed: the service's own, or a trace. Options and their reading."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from typing_extensions import override

from balancer import config
from balancer.cli.moments import Moment
from balancer.cli.options import FILE, Session
from balancer.cli.screen import Screen
from balancer.cli.sight import look
from balancer.config import Config
from balancer.config.units import RATIO, SECONDS, Unit
from balancer.planner.model.policy import Policy
from balancer.ports import UsageError
from balancer.render.words import count

if TYPE_CHECKING:
    from balancer.simulator.replaying.recorded import Missed
    from balancer.simulator.replaying.track import Track

F = TypeVar("F", bound=Callable[..., Any])
MINUTE = 60.0


class Amount(click.ParamType):  # type: ignore[type-arg]  # older click has no parameter here
    """An amount with its unit, as in files."""

    def __init__(self, unit: Unit, most: float = inf) -> None:
        self.name = unit.name
        self._unit = unit
        self._most = most

    @override
    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return it in the unit's own measure."""
        if isinstance(value, float):
            return value
        try:
            found = float(self._unit.read(str(value)))
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)
        if not 0 < found <= self._most:
            self.fail(f"{value!r} must be more than nothing{self._bound()}", param, ctx)
        return found

    def _bound(self) -> str:
        return "" if self._most == inf else f", and at most {self._most:.0%}"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked for, as typed."""

    since: float | None
    policy: str | None
    source: Path | None
    trace: Path | None
    skip: float
    length: float
    share: float
    hosts: int
    cores: int
    memory: int
    every: int


def of_the_past(command: F) -> F:
    """Add the options that say what is replayed; `Asked(**options)` takes them."""
    for add in reversed(
        (
            click.option(
                "--since",
                callback=Moment(forward=False),
                metavar="TIME",
                help='From when on, as "14d"; else all that is kept.',
            ),
            click.option("--policy", metavar="FILE", help="Instead of the configured policy."),
            click.option(
                "--from",
                "source",
                type=FILE,
                help="A saved observation says what hosts and guests are.",
            ),
            click.option(
                "--trace",
                type=click.Path(path_type=Path),
                metavar="PATH",
                help="A public trace, or your own CSV or Parquet, instead (docs/simulation.md).",
            ),
            click.option(
                "--skip",
                type=Amount(SECONDS),
                default=0.0,
                metavar="TIME",
                help='Leave out the beginning of a trace, as "2d".',
            ),
            click.option(
                "--length",
                type=Amount(SECONDS),
                default=inf,
                metavar="TIME",
                help='No more than this of a trace, as "7d".',
            ),
            click.option(
                "--share",
                type=Amount(RATIO, 1.0),
                default=1.0,
                metavar="SHARE",
                help='Only this share of a trace\'s guests, as "2%".',
            ),
            click.option(
                "--hosts",
                type=click.IntRange(1, 10_000),
                default=20,
                show_default=True,
                help="Of a trace that does not know its own.",
            ),
            click.option(
                "--cores",
                type=click.IntRange(1, 4096),
                default=32,
                show_default=True,
                help="Of each of them.",
            ),
            click.option(
                "--memory",
                type=click.IntRange(1, 65_536),
                default=256,
                show_default=True,
                help="GiB of each of them.",
            ),
            click.option(
                "--every",
                type=click.IntRange(5, 1440),
                default=15,
                show_default=True,
                help="Minutes between looks at a trace.",
            ),
        )
    ):
        command = add(command)
    return command


@dataclass(frozen=True, kw_only=True)
class Past:
    """What is replayed, and under what."""

    policy: Policy
    policy_path: Path | None
    """None for the policy that is built in."""
    config: Config
    interval: float
    cut: "Callable[[float, float], Track]"
    """The track from one moment to another; -inf and inf for no bound. Raises UsageError."""


def read(session: Session, screen: Screen, asked: Asked) -> Past:
    """Return the past asked for. Raises UsageError where there is none."""
    _check(asked)
    return _own(session, screen, asked) if asked.trace is None else _traced(session, asked)


def _check(asked: Asked) -> None:
    """Raise UsageError where options of one kind of past are given for the other."""
    if asked.trace is None and (asked.skip, asked.length, asked.share) != (0.0, inf, 1.0):
        raise UsageError(
            "--skip, --length and --share cut a --trace: for your own past say --since"
        )
    if asked.trace is not None and (asked.since is not None or asked.source is not None):
        raise UsageError(
            "--since and --from are for your own past: a --trace is cut by --skip and --length"
        )


def _traced(session: Session, asked: Asked) -> Past:
    from balancer.simulator.replaying.traces import Cut, Shape, load_trace, track

    assert asked.trace is not None  # noqa: S101 - the caller looked
    configuration = config.load(session.config)
    loaded = config.policy_for(configuration, asked.policy)
    part = Cut(skip=asked.skip, length=asked.length, share=asked.share)
    shape = Shape(hosts=asked.hosts, cores=asked.cores, memory_mib=1024 * asked.memory)
    whole = track(load_trace(asked.trace, part), shape, MINUTE * asked.every)

    def cut(since: float, until: float) -> "Track":
        return replace(whole, looks=tuple(at for at in whole.looks if since <= at <= until))

    return Past(
        policy=loaded.policy,
        policy_path=_path(configuration, asked),
        config=configuration,
        interval=MINUTE * asked.every,
        cut=cut,
    )


def _own(session: Session, screen: Screen, asked: Asked) -> Past:
    from balancer.adapters.journal_sqlite import SqliteJournal
    from balancer.simulator.replaying.recorded import Missed, recorded
    from balancer.wiring import history

    sight = look(session, screen, asked.source, asked.policy)
    configuration = sight.config
    for what, path in (
        ("journal", configuration.journal_path),
        ("history", configuration.history_path),
    ):
        if not path.exists():
            raise UsageError(
                f"there is no {what} {path}: let the service run for a while, or replay a --trace"
            )
    begin = asked.since or 0.0
    told: set[Missed] = set()

    def cut(since: float, until: float) -> "Track":
        track, missed = recorded(
            sight.observation.cluster,
            history(configuration),
            SqliteJournal(configuration.journal_path),
            (max(begin, since), until),
            sight.policy.forecast.lookback,
        )
        if not told:
            told.add(missed)
            screen.warn(_missed(missed))
        return track

    return Past(
        policy=sight.policy,
        policy_path=_path(configuration, asked),
        config=configuration,
        interval=configuration.interval_seconds,
        cut=cut,
    )


def _missed(missed: "Missed") -> Iterator[str]:
    if missed.sized:
        gone = count(missed.sized, "guest")
        yield f"{gone} of that time are gone: as large as the history says, without labels and needs"
    if missed.left_out:
        yield f"{count(missed.left_out, 'guest')} of that time are gone, and left out: nothing is known of them"


def _path(configuration: Config, asked: Asked) -> Path | None:
    if asked.policy is None:
        return configuration.policy_path
    return config.find(asked.policy, Path.cwd())
