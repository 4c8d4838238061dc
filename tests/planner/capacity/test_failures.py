"""What the loss of a host means: what brute force finds."""

import pytest

from balancer.planner.capacity.failures import domains, failure
from tests.planner.capacity.brute import drawn


def agrees(seed: int, hosts: int, guests: int) -> None:
    small = drawn(seed, hosts, guests)
    for name, lost in domains(small.problem, "host").items():
        number = int(name[1:])
        found = failure(small.problem, name, lost)
        survivors = tuple(-1 if h == number else h for h in small.where)
        assert found.restarted == small.restarts(number, survivors), (seed, name, small)
        best = max(small.restarts(number, where) for where in small.reachable(number))
        assert found.after_moves == best, (seed, name, small)
        assert len(found.homeless) == found.guests - found.after_moves


@pytest.mark.parametrize("seed", range(8))
def test_failures_are_what_brute_force_finds(seed: int) -> None:
    """Restarted at once, and after the best that live moves can do, on up to 3 hosts."""
    agrees(seed, 3, 5)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 2000))
def test_a_thousand_clusters(seed: int) -> None:
    """The same on a thousand clusters of up to 4 hosts and 8 guests, every host lost in turn."""
    agrees(seed, 4, 8)
