"""Progress as it happens."""

import io
from dataclasses import replace

from rich.console import Console

from balancer.ports import Progress
from balancer.render.live import Live
from tests.render.test_outcomes import DONE, STALLED
from tests.render.test_plan import MADE


def step(action: str, seconds: float, sent: int = 0, note: str = "") -> Progress:
    """Progress of an action that has 100 MiB to send."""
    return Progress(
        action=action,
        fraction=sent / 100,
        mib_sent=sent,
        mib_left=100 - sent,
        seconds=seconds,
        note=note,
    )


def watched(*, terminal: bool) -> tuple[Console, io.StringIO]:
    """A console and what it shows."""
    file = io.StringIO()
    return Console(file=file, width=80, force_terminal=terminal, color_system=None), file


def test_without_a_terminal_there_are_plain_lines() -> None:
    """A start, a line every ten seconds, an end; nothing is redrawn."""
    console, file = watched(terminal=False)
    with Live(console) as live:
        live.planned(MADE)
        for seconds in range(13):
            live.progress([step("m1", seconds, 8 * seconds, "no data for 20 s")])
        live.progress([step("unheard-of", 0)])
        live.ended(DONE)
        live.note("stop \x1b[2J")
    assert file.getvalue().splitlines() == [
        "  web-204   kvm01 → kvm02  started",
        "  web-204   80 %, 80 MiB, 2 s left, no data for 20 s",
        "  unh…d-of  started",
        "✓ web-204   kvm01 → kvm02  done 12 s (promised 11 s), pause 71 ms, 7.8 GiB",
        "stop �[2J",
    ]


def test_on_a_terminal_there_are_bars() -> None:
    """Bars redraw themselves, and what ended stands above them for good."""
    console, file = watched(terminal=True)
    with Live(console) as live:
        live.planned(MADE)
        live.progress([step("m1", 1, 10), step("m2", 1, 20)])
        live.ended(DONE)
        live.progress([step("m2", 5, 50)])
        live.ended(replace(STALLED, action=MADE.actions[0]))
        live.ended(STALLED)
    drawn = file.getvalue()
    assert "━" in drawn
    assert "50 %, 50 MiB, 5 s left" in drawn
    assert "✓ web-204" in drawn
    assert "✗ build-09" in drawn


def test_leaving_in_the_middle_restores_the_terminal() -> None:
    """An exception while bars are shown does not leave the cursor hidden."""
    console, file = watched(terminal=True)
    with Live(console) as live:
        live.progress([step("m1", 1, 10)])
    assert file.getvalue().rfind("\x1b[?25h") > file.getvalue().rfind("\x1b[?25l")


def test_steps_can_be_left_out() -> None:
    """A picture shows only how moves ended."""
    console, file = watched(terminal=False)
    with Live(console, steps=False) as live:
        live.progress([step("m1", 1)])
    assert file.getvalue() == ""
