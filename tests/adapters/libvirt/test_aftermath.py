"""Where a guest is, by what both ends know of it."""

import pytest

from balancer.adapters.libvirt.aftermath import End, Where, where

GONE = (End.ABSENT, End.SHUT_OFF)


@pytest.mark.parametrize("source", End)
@pytest.mark.parametrize("target", End)
def test_every_pair_of_ends(source, target):
    """It is where it is active without a job; it is nowhere only if both ends say so."""
    found = where(source, target)
    assert (found is Where.BOTH) == (source is target is End.ACTIVE)
    assert (found is Where.SOURCE) == (source is End.ACTIVE and target is not End.ACTIVE)
    assert (found is Where.TARGET) == (target is End.ACTIVE and source in (*GONE, End.UNKNOWN))
    assert (found is Where.NOWHERE) == (source in GONE and target in GONE)
