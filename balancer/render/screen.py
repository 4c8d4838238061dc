"""The console that renderables are printed on, also where its encoding knows no blocks or arrows."""

import codecs
import sys
from typing import Final, TextIO

from rich.console import Console
from typing_extensions import override

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


class _Console(Console):
    """Leaves it to the caller what a reader that went away means; rich would exit with 1."""

    @override
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(stream: TextIO | None = None, *, width: int | None = None) -> Console:
    """Return a console on `stream` (stdout by default) that never fails for want of a character.

    Colour and width follow the terminal and NO_COLOR; without a terminal lines are 80 cells.
    """
    stream = stream or sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="balancer.plainly")
    if width is None and not stream.isatty():
        width = NARROW
    return _Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
