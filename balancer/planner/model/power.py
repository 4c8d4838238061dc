"""Electrical power of a host by its load: a curve through measured points."""

from collections.abc import Sequence
from typing import Final

DEFAULT_WATTS: Final = (150, 350)
"""A two-socket server of no particular make: watts idle and busy, a straight line between.

Real ones differ by more than a factor of two; give `power` where energy is to mean anything but
a comparison.
"""
LEAST_POINTS: Final = 2


def power(curve: Sequence[int], load: float) -> float:
    """Return the watts drawn at `load` (0 idle, 1 busy; beyond is busy).

    `curve` are the watts at evenly spaced loads from 0 to 1, as SPECpower publishes them;
    straight lines between.
    """
    place = min(1.0, max(0.0, load)) * (len(curve) - 1)
    below = min(int(place), len(curve) - 2)
    return curve[below] + (curve[below + 1] - curve[below]) * (place - below)
