"""Options that every verb understands, before its name or after it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

FILE: Final = click.Path(path_type=Path, dir_okay=False)


@dataclass
class Session:
    """What was asked of every verb alike."""

    config: Path | None = None
    """The configuration named; None: looked for where `find` looks."""
    format: str = ""
    """text, json, or empty: the verb's own habit."""
    verbose: int = 0
    quiet: bool = False

    @property
    def json(self) -> bool:
        """True if a program reads the answer."""
        return self.format == "json"


def _keep(ctx: click.Context, param: click.Parameter, value: object) -> None:
    """Write an option that was given into the session: the later place wins."""
    session = ctx.ensure_object(Session)
    if value and param.name:
        setattr(session, param.name, value)


def _option(*names: str, **about: Any) -> Callable[[F], F]:  # noqa: ANN401 - click knows them
    return click.option(*names, callback=_keep, expose_value=False, **about)


def common(command: F) -> F:
    """Add the options that all verbs have in common."""
    for add in (
        _option("--quiet", "-q", is_flag=True, help="Only the answer, no progress."),
        _option("--verbose", "-v", count=True, help="Log to stderr as JSON; -vv says more."),
        _option("--format", type=click.Choice(["text", "json"]), help="For people or programs."),
        _option(
            "--config",
            "-c",
            type=FILE,
            envvar="BALANCER_CONFIG",
            help="Where hosts and policy are named; else config.toml here or in /etc/balancer.",
        ),
    ):
        command = add(command)
    return command


def first_moves(command: F) -> F:
    """Add the option that cuts a plan short."""
    return click.option(
        "--first",
        type=click.IntRange(1),
        metavar="N",
        help="Only the first N moves, with what they wait for; says what gain that keeps.",
    )(command)


def spread_over(command: F) -> F:
    """Add the options of verbs that make many runs: who makes them."""
    for add in (
        click.option(
            "--dask",
            default="",
            metavar="ADDRESS",
            help="Send the runs to a Dask cluster, as tcp://scheduler:8786.",
        ),
        click.option(
            "--jobs", type=click.IntRange(1, 1024), metavar="N", help="Processes; else one a core."
        ),
    ):
        command = add(command)
    return command
