"""A yard as `kernels.roaming` reads it, and settings for roaming."""

from typing import Final, NamedTuple

import numpy as np

from balancer.planner.order.kernels.roaming import Ground, Movers
from balancer.planner.order.yard import Bools, Floats, Ints, Yard

LOOKING_AHEAD: Final = 4.0
"""The way of choosing who steps aside that tries everybody: it takes long where there are many."""
MANY: Final = 200
"""Movers from which nobody looks ahead."""
DRAWN: Final = 4
"""Ways of choosing who steps aside."""
FEW: Final = (0.8, 0.6, 0.5, 0.5, 0.7)
"""Where steps aside are dear: how often none is made eagerly, who is chosen by looking ahead, all
goes alone, turns go by size, and guests return last."""
QUICK: Final = 0.5
"""How often guests step aside eagerly who open most room for the time that links take."""
SHARPLY: Final = 4.0
"""The power to which that counts."""
SHORT: Final = (0.2, 0.0, 0.05, 0.8, 0.1)
"""The same where short schedules matter more."""
HOMEWARDS: Final = 0.4
"""The greatest share of movers not yet home at which those who stepped aside come first."""
RETUNED: Final = 0.5
"""How often habits near others have other settings."""
ANEW: Final = 0.3
"""The greatest share of luck that is drawn anew for habits near others."""
USUALLY: Final = 0.7


class Habits(NamedTuple):
    """How to roam: settings, and what chance has for each mover."""

    knobs: Floats
    luck: Floats
    """[2, movers], from 0 to 1: for its turn, and for its stepping aside."""


def first_settings(turn: int, *, aside: bool) -> Floats:
    """Return the careful settings that are tried first: side by side, then one at a time."""
    alone = float(turn)
    return np.array([0.0, alone, 1.0, 0.0, 0.0, 1.0, alone, 1.0, float(aside), 0.0, 0.0, 0.0])


def drawn_settings(rng: np.random.Generator, movers: int, *, aside: bool, few: bool) -> Floats:
    """Return settings by chance; `few` if steps aside are dear. See `roaming.roam`."""
    r = rng.random
    none, ahead, alone, size, lazy = FEW if few else SHORT
    quota = 0.0 if r() < none else 0.05 + 0.6 * r() ** 1.5
    who = LOOKING_AHEAD if r() < ahead else float(int(DRAWN * r()))
    if movers > MANY and who == LOOKING_AHEAD:
        who = 0.0
    return np.array(
        [quota, HOMEWARDS * r(), 1.0, r(), 2 * r() ** 2, r() < USUALLY, r() < alone, r() < size,
         aside, r() < lazy, who, SHARPLY * (r() < QUICK)]
    )  # fmt: skip


def near_habits(rng: np.random.Generator, habits: Habits) -> Habits:
    """Return habits a little off `habits`."""
    knobs, luck = habits.knobs.copy(), habits.luck.copy()
    if rng.random() < RETUNED:
        for k in (0, 1, 3, 4):
            knobs[k] = max(0.0, knobs[k] + 0.1 * rng.normal())
    anew = rng.random(luck.shape) < ANEW * rng.random() ** 2
    luck[anew] = rng.random(int(anew.sum()))
    return Habits(knobs, luck)


def movers_of(yard: Yard) -> Movers:
    """Return the movers as `roaming` reads them."""
    n = len(yard.source)
    total = np.maximum(1, yard.room.sum(axis=0))
    size = (yard.need / total).max(axis=1) if n else np.zeros(0)
    groups = yard.groups or [()] * n
    at = np.concatenate([[0], np.cumsum([len(g) for g in groups])]).astype(np.int64)
    flat = np.array([g for mine in groups for g in mine], dtype=np.int64)
    none = np.zeros(n, dtype=np.bool_)
    return Movers(
        yard.source, yard.target, yard.need, size, yard.volume, yard.dirty, yard.setup, yard.top,
        none if yard.cold is None else yard.cold,
        np.zeros(n) if yard.store is None else yard.store, at, flat,
    )  # fmt: skip


def ground_of(yard: Yard) -> Ground:
    """Return the hosts as `roaming` reads them."""
    shapes: dict[int, int] = {}
    shape = [shapes.setdefault(id(d), len(shapes)) for d in yard.domain]
    lines = {id(d): d for d in yard.domain}
    hosts = len(yard.zone)
    domain: Ints = (
        np.array([lines[i] for i in shapes]) if shapes else np.zeros((1, hosts), dtype=np.int64)
    )
    everywhere: Bools = np.ones((1, 1), dtype=np.bool_)
    return Ground(
        yard.free, yard.base[:-1].copy(), np.array(shape, dtype=np.int64), domain,
        yard.rate, yard.number, yard.leaving, yard.entering, yard.leaving_zone,
        yard.entering_zone, yard.zone, everywhere if yard.allowed is None else yard.allowed,
    )  # fmt: skip
