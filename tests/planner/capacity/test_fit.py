"""How many more fit: what brute force finds, and reasons that hold."""

from dataclasses import replace

import pytest

from balancer.planner.capacity.asking import Wanted
from balancer.planner.capacity.fit import fit
from balancer.planner.model.cluster import Guest
from tests.planner.capacity.brute import Small, drawn


def wanted(small: Small) -> Wanted:
    memory, vcpus = small.new
    return Wanted(
        guest=Guest(uuid="", name="", allocation={"vcpus": vcpus, "memory": memory}),
        use={"cpu": 0, "memory": memory},
    )


def agrees(seed: int, hosts: int, guests: int) -> None:
    small = drawn(seed, hosts, guests)
    found = fit(small.problem, wanted(small))
    assert found.now == small.more(small.where), (seed, small)
    assert found.after == max(map(small.more, small.reachable())), (seed, small)


def spares(seed: int, hosts: int, guests: int) -> None:
    small = drawn(seed, hosts, guests)
    found = fit(small.problem, replace(wanted(small), hosts_lost=1))
    assert found.now == small.sparing(small.where), (seed, small)
    best = found.now
    for where in sorted(set(small.reachable())):
        if small.more(where) > best:
            best = max(best, small.sparing(where))
    assert found.after == best, (seed, small)


@pytest.mark.parametrize("seed", range(10))
def test_fit_is_what_brute_force_finds(seed: int) -> None:
    """Now, and after the best that live moves can do, on clusters of up to 3 hosts."""
    agrees(seed, 3, 5)


@pytest.mark.parametrize("seed", range(10))
def test_losses_are_survived_as_brute_force_finds(seed: int) -> None:
    """The largest number that leaves every loss of one host as it was, on up to 3 hosts."""
    spares(seed, 3, 5)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 2000))
def test_a_thousand_clusters_that_lose_a_host(seed: int) -> None:
    """The same on a thousand clusters of up to 4 hosts and 8 guests."""
    spares(seed, 4, 8)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 2000))
def test_a_thousand_clusters(seed: int) -> None:
    """The same on a thousand clusters of up to 4 hosts and 8 guests."""
    agrees(seed, 4, 8)
