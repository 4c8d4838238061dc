"""What a renderable looks like on a terminal without colour."""

import io

from rich.console import Console, RenderableType


def shown(what: RenderableType, width: int = 80) -> str:
    """Return the lines as printed, without blanks at their ends."""
    file = io.StringIO()
    Console(file=file, width=width, color_system=None, markup=False, emoji=False).print(what)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())
