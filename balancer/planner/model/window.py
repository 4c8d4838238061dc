"""Windows of time as operators write them: daily, on weekdays, or between two dates.

    daily 01:00-05:00
    mon-fri 08:00-18:00
    sat,sun
    2026-12-23 to 2027-01-02
    2026-12-23 18:00 to 2027-01-02 06:00

Times are of the policy's time zone, as its clocks show them: where a clock is set back an hour
happens twice and both are in the window. A window that ends at or before it begins passes
midnight and belongs to the day on which it begins. Both dates of a range are in it, unless a
time is said.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY: Final = timedelta(days=1)
FORM: Final = (
    'must read like "daily 01:00-05:00", "mon-fri 08:00-18:00" or "2026-12-23 to 2027-01-02"'
)
RECURRING: Final = re.compile(r"([a-z,-]+)(?:\s+(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d))?")
DATED: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[ t](\d\d:\d\d))?\s+to\s+(\d{4}-\d\d-\d\d)(?:[ t](\d\d:\d\d))?"
)


@dataclass(frozen=True, slots=True)
class Recurring:
    """The same hours on certain days of the week."""

    days: frozenset[int]
    """Monday is 0."""
    begin: timedelta
    length: timedelta

    def spans(self, moment: datetime) -> tuple[tuple[datetime, datetime], ...]:
        """Return the stretches that began on the day of `moment` or the day before."""
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        begins = (midnight + day * DAY for day in range(-1, 1))
        return tuple(
            (day + self.begin, day + self.begin + self.length)
            for day in begins
            if day.weekday() in self.days
        )


@dataclass(frozen=True, slots=True)
class Dated:
    """One stretch of the calendar."""

    begin: datetime
    end: datetime

    def spans(self, moment: datetime) -> tuple[tuple[datetime, datetime], ...]:
        """Return the only stretch there is."""
        del moment
        return ((self.begin, self.end),)


def closed_until(window: "Recurring | Dated", at: float, timezone: str) -> datetime | None:
    """Return when the window that is open at `at` ends, by the zone's clocks; None if it is not.

    `at` is in seconds since the epoch.
    """
    zone = ZoneInfo(timezone)
    moment = datetime.fromtimestamp(at, UTC).astimezone(zone).replace(tzinfo=None)
    ends = [end for begin, end in window.spans(moment) if begin <= moment < end]
    return max(ends, default=None)


def checked(texts: "tuple[str, ...]") -> None:
    """Raise ValueError, naming the key `when`, unless these are windows and at least one."""
    if not texts:
        raise ValueError("when: needs at least one window")
    for text in texts:
        try:
            window(text)
        except ValueError as error:
            raise ValueError(f'when: "{text}" {error}') from None


@lru_cache(maxsize=256)
def window(text: str) -> "Recurring | Dated":
    """Return the window that `text` describes. Raises ValueError saying what to write."""
    words = " ".join(text.lower().split())
    if dated := DATED.fullmatch(words):
        return _dated(*dated.groups())
    if recurring := RECURRING.fullmatch(words):
        return _recurring(*recurring.groups())
    raise ValueError(FORM)


def _dated(first: str, begin: str | None, last: str, end: str | None) -> Dated:
    try:
        opens = datetime.fromisoformat(f"{first} {begin or '00:00'}")
        closes = datetime.fromisoformat(f"{last} {end or '00:00'}") + (timedelta() if end else DAY)
    except (ValueError, OverflowError):
        raise ValueError(f"holds a date or time that does not exist; it {FORM}") from None
    if closes <= opens:
        raise ValueError("ends before it begins")
    return Dated(opens, closes)


def _recurring(
    days: str, hour: str | None, minute: str | None, to_hour: str | None, to_minute: str | None
) -> Recurring:
    begin = _time(hour or "00", minute or "00")
    end = _time(to_hour or "24", to_minute or "00")
    return Recurring(_days(days), begin, end - begin if end > begin else end - begin + DAY)


def _time(hour: str, minute: str) -> timedelta:
    time = timedelta(hours=int(hour), minutes=int(minute))
    if int(minute) > 59 or time > DAY:  # noqa: PLR2004 - minutes of an hour
        raise ValueError(f"holds a time that does not exist: {hour}:{minute}")
    return time


def _days(text: str) -> frozenset[int]:
    if text == "daily":
        return frozenset(range(len(DAYS)))
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise ValueError(f'does not know the day "{part}"; days are daily, {", ".join(DAYS)}')
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found.update(day % len(DAYS) for day in range(begin, end + 1 + 7 * (end < begin)))
    return frozenset(found)
