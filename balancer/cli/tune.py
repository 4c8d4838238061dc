"""`balancer tune`: thresholds from the user's own past, by replay."""

import os
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.table import Table
from rich.text import Text

from balancer.cli.options import FILE, Session, common, spread_over
from balancer.cli.past import Amount, Asked, Past, of_the_past, read
from balancer.cli.screen import Screen
from balancer.config.units import RATIO
from balancer.ports import UsageError
from balancer.render.words import clean, count, duration

if TYPE_CHECKING:
    from balancer.simulator.tuning.search import Finding
    from balancer.simulator.tuning.trial import Ground, Trial

LEAST: Final = 4
"""Looks that each part of the past must have."""
LETTERS: Final = "ABCDEFGH"


@click.command("tune")
@of_the_past
@click.option(
    "--held-out",
    type=Amount(RATIO, 0.9),
    default="30%",
    show_default=True,
    metavar="SHARE",
    help="The last part of the past, which the choice never sees.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="SETTING",
    help="Try this setting alone, as hot.cpu_used; repeatable.",
)
@click.option(
    "--output", "-o", type=FILE, metavar="FILE", help="Write what is proposed as a policy."
)
@spread_over
@common
@click.pass_obj
def command(
    session: Session,
    /,
    held_out: float,
    only: tuple[str, ...],
    output: Path | None,
    jobs: int | None,
    dask: str,
    **asked: Any,  # noqa: ANN401 - as of_the_past says
) -> None:
    """Propose thresholds by replaying the past under other ones. Changes nothing.

    Settings are tried alone, then together, on the first part of the past; what each would have
    cost and saved is told by the rest, which had no say in the choice. Where nothing beats the
    present policy there, nothing is proposed.
    """
    from balancer.simulator.spreading import Workers
    from balancer.simulator.tuning.search import search

    screen = Screen(session)
    past = read(session, screen, Asked(**asked))
    ground = _ground(past, held_out)
    workers = Workers(processes=jobs or os.cpu_count() or 1, dask=dask)
    found = search(ground, workers, screen.progress, only)
    screen.document("tune", **_document(ground, found))
    _told(screen, ground, found)
    _proposed(screen, past, found, output)


def _ground(past: Past, held_out: float) -> "Ground":
    """Return both parts of the past. Raises UsageError where there is too little of it."""
    from balancer.simulator.tuning.trial import Ground, Part

    whole = past.cut(-inf, inf).looks
    border = whole[0] + (1 - held_out) * (whole[-1] - whole[0])
    first = [at for at in whole if at < border]
    if min(len(first), len(whole) - len(first)) < LEAST:
        raise UsageError(
            f"{count(len(whole), 'look')} are too few to choose by one part and hold out another: let "
            "the service run for longer, or name a longer --since"
        )
    begin = whole[len(first)]
    return Ground(
        policy=past.policy,
        tracks={
            Part.CHOSEN_ON: past.cut(-inf, first[-1]),
            Part.HELD_OUT: past.cut(begin, inf),
        },
        guards=past.config.guards,
        interval=past.interval,
    )


def _told(screen: Screen, ground: "Ground", found: "Finding") -> None:
    from balancer.simulator.tuning.trial import Part

    for part in Part:
        looks = ground.tracks[part].looks
        begin = datetime.fromtimestamp(looks[0], UTC)
        span = duration(looks[-1] - looks[0] + ground.interval)
        screen.show(
            f"{part.capitalize():10} {span} from {begin:%Y-%m-%d %H:%M} UTC, {count(len(looks), 'look')}"
        )
    screen.show(f"{count(found.tried, 'candidate')} tried; the best of them:")
    for letter, (trial, _) in zip(LETTERS, found.others, strict=False):
        screen.show(f"  {letter}  {_words(trial)}")
    screen.show(_side_by_side(ground.policy.name, found))


def _words(trial: "Trial") -> str:
    return ", ".join(change.words for change in trial.candidate)


def _side_by_side(name: str, found: "Finding") -> Table:
    """Return a column for the present policy and each candidate: what it cost on the rest."""
    from balancer.simulator.counting.telling import LINES, figure

    columns = (found.present, *found.others)
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for title in (clean(name), *LETTERS[: len(found.others)]):
        table.add_column(title, justify="right")
    table.add_row("chosen on, guest-seconds", *(figure(t.total) for t, _ in columns))
    table.add_row(
        Text("held out, guest-seconds", "bold"),
        *(Text(figure(t.total), "bold") for _, t in columns),
    )
    table.add_row("  of it moving guests", *(figure(t.moving) for _, t in columns))
    for line in LINES:
        amounts = (figure(line.amount(trial.counted)) for _, trial in columns)
        table.add_row(f"  {line.label} {line.unit}".rstrip(), *amounts)
    return table


def _proposed(screen: Screen, past: Past, found: "Finding", output: Path | None) -> None:
    from balancer.simulator.counting.telling import figure
    from balancer.simulator.tuning.levers import lines

    candidate = found.proposed
    if candidate is None:
        screen.show(Text(_why_nothing(found), "bold"))
        if output:
            screen.warn([f"{output}: not written, nothing is proposed"])
        return
    assert found.best is not None  # noqa: S101 - it is what is proposed
    mine, theirs = found.best[1], found.present[1]
    less = theirs.total - mine.total
    screen.show(
        Text(
            f"Proposed: on days that it was not chosen by, A costs {figure(less)} guest-seconds less "
            f"({less / theirs.total:.0%}), on {found.won} of {count(len(mine.days), 'day')}. "
            f"The lines to change:",
            "bold",
        )
    )
    screen.show("")
    screen.show(lines(candidate))
    if output:
        base = "balance" if past.policy_path is None else str(past.policy_path.absolute())
        about = f"# Proposed by balancer tune: {less / theirs.total:.0%} fewer guest-seconds on days held out.\n"
        screen.save(output, f'{about}extends = "{base}"\n{lines(candidate)}')
    else:
        screen.hint("With -o FILE they are written as a policy that extends the present one.")


def _why_nothing(found: "Finding") -> str:
    if found.present[0].total == 0:
        return "Nobody waited and nobody was moved: there is nothing to tune. Leave the policy as it is."
    if found.best is None:
        return "Nothing that was tried beats the present policy. Leave it as it is."
    more = found.best[1].total - found.present[1].total
    said = "costs more" if more > 0 else "saves too little, or not on most days,"
    return (
        f"Nothing is proposed: A was the best where it was chosen, but {said} on the days held out. "
        "Leave the policy as it is."
    )


def _document(ground: "Ground", found: "Finding") -> dict[str, object]:
    from balancer.simulator.tuning.levers import lines

    def told(pair: "tuple[Trial, Trial]") -> dict[str, object]:
        return {
            "changes": {change.name: change.value for change in pair[0].candidate},
            **{
                str(trial.part).replace(" ", "_"): {
                    "total": trial.total,
                    "moving": trial.moving,
                    "counted": trial.counted,
                    "days": trial.days,
                    "stopped": trial.stopped,
                }
                for trial in pair
            },
        }

    return {
        "policy": ground.policy.name,
        "tried": found.tried,
        "present": told(found.present),
        "candidates": [told(pair) for pair in found.others],
        "days_won": found.won,
        "days_lost": found.lost,
        "proposed": lines(found.proposed) if found.proposed else None,
    }
