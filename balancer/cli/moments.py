"""Moments and stretches of time as operators type them."""

from datetime import UTC, datetime, time, timedelta
from typing import Final

import click

from balancer.config.units import SECONDS

FORM: Final = 'as "2h" (from now), "18:30", "tomorrow", "2026-12-24" or "2026-12-24 18:00"'


class Moment:
    """The callback of an option: a point in time, in seconds since the epoch.

    `forward` says on which side of now a bare duration or hour lies.
    """

    def __init__(self, *, forward: bool) -> None:
        self._forward = forward

    def __call__(
        self, ctx: click.Context, param: click.Parameter, value: str | None
    ) -> float | None:
        """Return the moment, or None where the option was not given."""
        if value is None:
            return None
        text, now = value.strip().lower(), datetime.now(UTC).astimezone()
        found = self._named(text, now) or self._length(text, now) or _absolute(text, now)
        if found is None:
            back = FORM.replace("from now", "ago").replace("tomorrow", "yesterday")
            hint = FORM if self._forward else back
            raise click.BadParameter(f"{value!r} is no time: write it {hint}", ctx, param)
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
