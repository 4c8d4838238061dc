"""Which machine this is: the UUID its firmware tells, which for a guest is libvirt's own."""

from pathlib import Path
from typing import Final

TOLD_BY_FIRMWARE: Final = Path("/sys/class/dmi/id/product_uuid")
"""Readable to root alone on most systems."""


def system_uuid(path: Path = TOLD_BY_FIRMWARE) -> str:
    """Return the UUID, in small letters; empty where it is not told, or not to this user."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip().lower()
    except OSError:
        return ""
