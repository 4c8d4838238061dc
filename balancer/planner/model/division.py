"""Who gets how much of a host's CPU where it is not enough: exact fair division.

Every guest has shares, a reservation and a limit. What it gets is its shares times one level that
is the same for all on a host, but no less than its reservation and no more than it wants or may
have; the level is as high as the host's CPU allows. That is weighted max-min fairness (Bertsekas
and Gallager, Data Networks, 1992, section 6.5.2) within bounds, and the only division of all
that can be given for which the sum of got^2 / shares is least (docs/model.md). What a host gives
out at a level is piecewise linear and rises, so the level is read off between two corners:
nothing is iterated, and nothing is approximate but binary fractions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Claims:
    """What guests may have, one entry each, all in one unit (millicores)."""

    wanted: Floats
    """What each would use if it were alone; not negative."""
    shares: Floats
    """Weights against each other; more than nought."""
    reserved: Floats
    """What each gets before anybody gets by shares, as far as it wants that."""
    limit: Floats
    """What each gets at most; infinite for no limit."""

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be divided by."""
        if not bool((self.shares > 0).all()):
            raise ValueError("shares must be more than nought")
        if not all(bool((row >= 0).all()) for row in (self.wanted, self.reserved, self.limit)):
            raise ValueError("what is wanted, reserved or allowed is never less than nought")


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """What comes of it."""

    got: Floats
    """[guests]"""
    level: Floats
    """[sites]: what one share gets, where neither reservation nor limit binds; infinite where
    everybody gets all it wants."""

    def waiting(self, wanted: Floats) -> Floats:
        """Return [guests]: what each wants beyond what it gets."""
        return np.maximum(0.0, wanted - self.got)


def divide(claims: Claims, site: Ints, room: Floats) -> Division:
    """Return what guests get on their sites ([guests]: numbers) of the sites' `room`.

    Where reservations alone are more than there is, what is reserved is divided as what is wanted
    otherwise would be: by shares, nobody getting more than its reservation.
    """
    most = np.minimum(claims.wanted, claims.limit)
    least = np.minimum(claims.reserved, most)
    sites = len(room)
    promised = np.bincount(site, weights=least, minlength=sites)
    broken = (promised > room)[site]
    most, least = np.where(broken, least, most), np.where(broken, 0.0, least)
    asked = np.bincount(site, weights=most, minlength=sites)
    level = _levels(claims.shares, (least, most), site, np.minimum(room, asked))
    level[asked <= room] = np.inf
    with np.errstate(over="ignore"):
        got = np.clip(level[site] * claims.shares, least, most)
    return Division(got, level)


def _levels(shares: Floats, bounds: tuple[Floats, Floats], site: Ints, given: Floats) -> Floats:
    """Return [sites]: the level at which each gives out `given`, which its guests can take.

    A guest begins to take at the corner least / shares and has enough at most / shares: between
    the corners of a site what it gives out rises by the shares of those in between.
    """
    least, most = bounds
    corner = np.concatenate([least / shares, most / shares])
    slope = np.concatenate([shares, -shares])
    where = np.concatenate([site, site])
    order = np.lexsort((corner, where))
    corner, slope, where = corner[order], slope[order], where[order]
    begins = np.searchsorted(where, np.arange(len(given) + 1))
    steep = np.cumsum(slope)  # each site's slopes add up to nought, so that none reaches the next
    rise = np.concatenate([[0.0], np.maximum(steep[:-1], 0.0) * np.diff(corner)])
    rise[begins[:-1][begins[:-1] < len(rise)]] = 0.0
    taken = np.concatenate([[0.0], np.cumsum(rise)])
    taken = taken[1:] - taken[begins[:-1]][where]
    taken += np.bincount(site, weights=least, minlength=len(given))[where]
    below = np.bincount(where[taken <= given[where]], minlength=len(given))
    level = np.zeros(len(given))
    busy = np.flatnonzero(np.diff(begins))
    last = begins[busy] + np.maximum(1, below[busy]) - 1
    inside = (last + 1 < begins[busy + 1]) & (steep[last] > 0)
    beyond = np.maximum(0.0, given[busy] - taken[last]) / np.where(inside, steep[last], 1.0)
    level[busy] = corner[last] + np.where(inside, beyond, 0.0)
    return level
