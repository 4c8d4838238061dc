"""Hosts, guests and who runs where."""

from hypothesis import given

from balancer.planner.model.cluster import Cluster
from balancer.planner.model.placement import at_rest, fingerprint
from tests.drawing import clusters, draw, uuid_of


@given(clusters())
def test_every_guest_is_on_exactly_one_host(cluster: Cluster) -> None:
    """Each host has an entry, empty or not."""
    on = cluster.guests_on
    assert on.keys() == cluster.host.keys()
    found = [(guest.uuid, name) for name, guests in on.items() for guest in guests]
    assert sorted(found) == sorted(cluster.placement.items())


def test_what_is_usable_is_never_negative() -> None:
    """A reserve larger than the host leaves nothing."""
    host = draw("a 4c/8g reserve=9g :").hosts[0]
    assert host.usable == {"cpu": 4000, "memory": 0}


@given(clusters())
def test_a_fingerprint_tells_placements_apart(cluster: Cluster) -> None:
    """The same whatever the order, another as soon as anybody is elsewhere."""
    here = dict(cluster.placement)
    again = dict(reversed(here.items()))
    somebody = next(iter(here))
    other = next(name for name in cluster.host if name != here[somebody])
    assert fingerprint(here) == fingerprint(again)
    assert fingerprint(here) != fingerprint({**here, somebody: other})


def test_at_rest_a_guest_holds_one_host() -> None:
    """Its own."""
    assert at_rest(draw("a 1c/1g : x 1v/1g").placement) == {uuid_of("x"): ("a",)}
