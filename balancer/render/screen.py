"""The console that renderables are printed on, also where its encoding knows no blocks or arrows."""

import codecs
import sys
from typing import Final, TextIO

from rich.console import Console

PLAIN: Final = {
    "█": "#", "▓": "+", "▒": "-", "░": ".", "→": ">", "…": "~", "·": ".",
    "✓": "v", "✗": "x", "━": "=", "╸": "=", "╺": "=", "─": "-",
}  # fmt: skip
"""What stands in for the characters we draw with, cell for cell."""
NARROW: Final = 80
"""Width where the terminal does not say."""


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(PLAIN.get(char, "?") for char in lost), error.end


codecs.register_error("balancer.plainly", _plainly)


def console(stream: TextIO | None = None, *, width: int | None = None) -> Console:
    """Return a console on `stream` (stdout by default) that never fails for want of a character.

    Colour and width follow the terminal and NO_COLOR; without a terminal lines are 80 cells.
    """
    stream = stream or sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="balancer.plainly")
    if width is None and not stream.isatty():
        width = NARROW
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
