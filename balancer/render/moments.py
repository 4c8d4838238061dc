"""Points in time as people read them, by the clock of whoever looks."""

from datetime import UTC, datetime


def moment(at: float) -> str:
    """Return date and time: `2026-03-01 02:13:40`."""
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def clock(at: float) -> str:
    """Return the time of day: `02:13`."""
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%H:%M}"
