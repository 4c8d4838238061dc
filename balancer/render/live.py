"""Progress as it happens: bars that redraw themselves on a terminal, plain lines elsewhere."""

from collections.abc import Sequence
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from balancer.planner.model.plan import Action, Outcome, Plan
from balancer.ports import Progress
from balancer.render.outcomes import outcome
from balancer.render.words import clean, duration, pad, percent, shorten, size

EVERY: Final = 10.0
"""Seconds of an action between two plain lines about it."""
LONGEST_NAME: Final = 24


class Live:
    """Implements the port Telemetry for people who watch. Use as a context manager."""

    def __init__(self, console: Console, *, steps: bool = True) -> None:
        """`steps` leaves out everything between the start of an action and its end."""
        self._console = console
        self._steps = steps
        self._actions: dict[str, Action] = {}
        self._name_width = LONGEST_NAME
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def planned(self, plan: Plan) -> None:
        """Learn the names of what is about to happen."""
        self._actions |= {action.id: action for action in plan.actions}
        longest = max((len(action.name) for action in plan.actions), default=0)
        self._name_width = min(LONGEST_NAME, longest)

    def progress(self, running: Sequence[Progress]) -> None:
        """Redraw the bars, or say a line for each action that has been quiet for long enough."""
        show = self._draw if self._console.is_terminal else self._say
        for step in running if self._steps else ():
            show(step)
        if self._bars:
            self._bars.refresh()

    def ended(self, outcome_: Outcome) -> None:
        """Say how an action ended; its bar goes."""
        task = self._tasks.pop(outcome_.action.id, None)
        if task is not None and self._bars:
            self._bars.remove_task(task)
        self._console.print(outcome(outcome_, self._name_width))
        if not self._tasks:
            self._stop()

    def note(self, sentence: str) -> None:
        """Say anything else."""
        self._console.print(Text(clean(sentence), "yellow"))

    def _name(self, step: Progress) -> str:
        action = self._actions.get(step.action)
        return action.name if action else step.action

    def _draw(self, step: Progress) -> None:
        bars = self._bars = self._bars or self._start()
        if step.action not in self._tasks:
            name = pad(self._name(step), self._name_width)
            self._tasks[step.action] = bars.add_task(name, total=1.0, figures="")
        task = self._tasks[step.action]
        bars.update(task, completed=step.fraction, figures=_figures(step))

    def _start(self) -> Bars:
        bars = Bars(
            TextColumn("  {task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[figures]}", markup=False),
            console=self._console,
            transient=True,
            auto_refresh=False,
        )
        bars.start()
        return bars

    def _stop(self) -> None:
        if self._bars:
            self._bars.stop()
        self._bars = None
        self._tasks.clear()

    def _say(self, step: Progress) -> None:
        last = self._told.get(step.action)
        if last is None:
            self._console.print(Text(f"  {self._started(step)}"))
        elif step.seconds - last >= EVERY:
            name = pad(self._name(step), self._name_width)
            self._console.print(Text(f"  {name}  {_figures(step)}"))
        else:
            return
        self._told[step.action] = step.seconds

    def _started(self, step: Progress) -> str:
        name = pad(self._name(step), self._name_width)
        action = self._actions.get(step.action)
        if action is None:
            return f"{name}  started"
        return f"{name}  {clean(action.source)} → {clean(action.target)}  started"


def _figures(step: Progress) -> str:
    said = step.note or (step.steps[-1] if step.steps else "")
    parts = (percent(step.fraction), size(step.mib_sent), _left(step), shorten(said, 30))
    return ", ".join(part for part in parts if part)


def _left(step: Progress) -> str:
    """Return how long the rest takes at the rate so far."""
    if not step.mib_sent or not step.seconds:
        return ""
    return f"{duration(step.mib_left * step.seconds / step.mib_sent)} left"
