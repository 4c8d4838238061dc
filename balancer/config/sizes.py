"""Sizes of guests as operators write them: `16c/128g` is sixteen vCPUs and 128 GiB."""

import re
from typing import Final

from balancer.config.units import MIB

SIZE: Final = re.compile(r"([1-9]\d{0,3})\s*c\s*/\s*(\S+)", re.IGNORECASE)
SHORT: Final = {"g": "GiB", "m": "MiB", "t": "TiB"}


def size_of_guest(text: str) -> tuple[int, int]:
    """Return vCPUs and MiB. Raises ValueError saying what to write instead."""
    found = SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError(f'give vCPUs and memory as "16c/64g", not "{text}"')
    try:
        return int(found[1]), int(MIB.read(_spelt_out(found[2])))
    except ValueError as wrong:
        raise ValueError(f'"{text}": memory {wrong}') from wrong


def _spelt_out(memory: str) -> str:
    unit = SHORT.get(memory[-1].lower())
    return memory[:-1] + unit if unit else memory
