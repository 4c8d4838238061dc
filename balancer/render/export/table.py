"""A plan as CSV, for spreadsheets: one move to a line, times in seconds.

Resizes come first, as they are made; they stand on their host, and have the last three cells.
"""

import csv
import io
from typing import Final

from balancer.planner.model.plan import Plan
from balancer.render.words import clean

COLUMNS: Final = (
    "id", "guest", "name", "source", "target", "start_s", "end_s", "p90_s", "mib", "rate_kib_s",
    "pause_ms", "waits_for", "temporary", "reason", "disk_mib", "cold",
    "what", "before", "after",
)  # fmt: skip
FORMULA: Final = ("=", "+", "-", "@")
"""How a cell begins that a spreadsheet would work out."""


def table(plan: Plan) -> str:
    """Return the table with a heading."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in plan.resizes:
        named = map(_cell, (one.id, one.guest, one.name, one.host, one.host))
        waits, why = _cell(" ".join(one.waits_for)), _cell(one.reason)
        none = ("0.000", "", "", 0, "", 0, waits, 0, why, 0, 0)
        writer.writerow((*named, *none, one.what.value, one.before, one.after))
    for a in plan.actions:
        words = map(_cell, (a.id, a.guest, a.name, a.source, a.target))
        end = a.start + a.predicted.seconds
        figures = (f"{a.start:.3f}", f"{end:.3f}", f"{a.predicted.seconds_p90:.3f}")
        sizes = (a.predicted.mib, a.rate_kib_s, a.predicted.downtime_ms)
        rest = (
            _cell(" ".join(a.waits_for)),
            int(a.temporary),
            _cell(a.reason),
            a.predicted.disk_mib,
            int(a.cold),
            *("", "", ""),
        )
        writer.writerow((*words, *figures, *sizes, *rest))
    return out.getvalue()


def _cell(text: str) -> str:
    """Return text that stays text."""
    text = clean(text)
    return f"'{text}" if text.startswith(FORMULA) else text
