"""Moments and stretches of time as operators type them."""

from datetime import datetime, time, timedelta
from typing import Final

import click
from typing_extensions import override

from balancer.config.units import SECONDS

FORM: Final = 'as "2h" (from now), "18:30", "tomorrow", "2026-12-24" or "2026-12-24 18:00"'


class Moment(click.ParamType):
    """A point in time; `forward` says on which side of now a bare duration or hour lies."""

    name = "time"

    def __init__(self, *, forward: bool) -> None:
        self._forward = forward

    @override
    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        text, now = str(value).strip().lower(), datetime.now().astimezone()
        found = self._named(text, now) or self._length(text, now) or _absolute(text, now)
        if found is None:
            hint = FORM if self._forward else FORM.replace("from now", "ago").replace(
                "tomorrow", "yesterday"
            )
            self.fail(f"{value!r} is no time: write it {hint}", param, ctx)
        return found.timestamp()

    def _named(self, text: str, now: datetime) -> datetime | None:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        days = {"today": 0, "yesterday": -1, "tomorrow": 1}
        return midnight + timedelta(days=days[text]) if text in days else None

    def _length(self, text: str, now: datetime) -> datetime | None:
        try:
            length = timedelta(seconds=float(SECONDS.read(text)))
        except (ValueError, OverflowError):
            return self._hour(text, now)
        return now + length if self._forward else now - length

    def _hour(self, text: str, now: datetime) -> datetime | None:
        try:
            hour = time.fromisoformat(text)
        except ValueError:
            return None
        found = datetime.combine(now.date(), hour).astimezone()
        if self._forward and found <= now:
            return found + timedelta(days=1)
        return found if self._forward or found <= now else found - timedelta(days=1)


def _absolute(text: str, now: datetime) -> datetime | None:
    try:
        return datetime.fromisoformat(text.upper() if "t" in text else text).astimezone(now.tzinfo)
    except ValueError:
        return None
