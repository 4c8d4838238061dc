"""JSON that is safe to look at: documents hold names that others chose, and end up on terminals."""

import json


def visible(text: str) -> str:
    """Return JSON `text` in which all that a terminal obeys, hides or turns around is escaped.

    It means the same to every reader of JSON. Line breaks between values stay.
    """
    return "\n".join(
        line if line.isprintable() else "".join(map(_escaped, line)) for line in text.split("\n")
    )


def _escaped(char: str) -> str:
    return char if char.isprintable() else json.dumps(char)[1:-1]
