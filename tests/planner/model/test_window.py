"""Windows of time mean what operators read in them."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from balancer.planner.model.window import closed_until, window

BERLIN = "Europe/Berlin"


def until(text: str, moment: str, zone: str = BERLIN) -> str:
    """Return when the window that is open at `moment` (of the zone's clocks) ends, or nothing."""
    at = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone)).timestamp()
    end = closed_until(window(text), at, zone)
    return f"{end:%m-%d %H:%M}" if end else ""


@pytest.mark.parametrize(
    ("text", "moment", "end"),
    [
        ("daily 01:00-05:00", "2026-03-02 01:00", "03-02 05:00"),
        ("daily 01:00-05:00", "2026-03-02 05:00", ""),
        ("daily 22:00-06:00", "2026-03-02 03:00", "03-02 06:00"),
        ("daily 22:00-06:00", "2026-03-02 23:00", "03-03 06:00"),
        ("Mon-Fri 08:00 - 18:00", "2026-03-06 12:00", "03-06 18:00"),
        ("mon-fri 08:00-18:00", "2026-03-07 12:00", ""),
        ("fri 22:00-06:00", "2026-03-07 05:00", "03-07 06:00"),
        ("sat-mon", "2026-03-08 00:00", "03-09 00:00"),
        ("sat-mon", "2026-03-03 00:00", ""),
        ("wed,sun 00:00-00:00", "2026-03-08 23:59", "03-09 00:00"),
        ("2026-12-23 to 2027-01-02", "2027-01-02 23:59", "01-03 00:00"),
        ("2026-12-23 to 2027-01-02", "2027-01-03 00:00", ""),
        ("2026-12-23 18:00 to 2027-01-02T06:00", "2026-12-23 17:59", ""),
        ("2026-12-23 18:00 to 2027-01-02T06:00", "2026-12-23 18:00", "01-02 06:00"),
    ],
)
def test_a_window_is_open_from_its_begin_until_just_before_its_end(
    text: str, moment: str, end: str
) -> None:
    """By the clocks of the zone; what passes midnight belongs to the day it begins on."""
    assert until(text, moment) == end


def test_the_hour_that_happens_twice_is_closed_twice() -> None:
    """When clocks are set back, 02:30 comes again, and the window is open again."""
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo(BERLIN)).timestamp()
    assert closed_until(window("daily 02:00-03:00"), first, BERLIN)
    assert closed_until(window("daily 02:00-03:00"), first + 3600, BERLIN)
    assert not closed_until(window("daily 02:00-03:00"), first + 7200, BERLIN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sometimes", 'does not know the day "sometimes"'),
        ("01:00-05:00", "must read like"),
        ("daily 01:00-25:00", "a time that does not exist: 25:00"),
        ("daily 01:60-02:00", "a time that does not exist: 01:60"),
        ("mon-xyz 01:00-02:00", 'does not know the day "mon-xyz"'),
        ("2026-02-30 to 2026-03-01", "holds a date or time that does not exist"),
        ("2026-03-02 to 2026-03-01", "ends before it begins"),
    ],
)
def test_what_is_no_window_is_refused(text: str, said: str) -> None:
    """With what is wrong about it."""
    with pytest.raises(ValueError, match=said):
        window(text)
