"""One look at the cluster, in one sentence."""

from dataclasses import replace

from balancer.planner.model.observation import Unseen
from balancer.render.observation import summary
from tests.drawing import observation


def test_what_was_seen_and_what_was_not() -> None:
    """Hosts, guests, what is tied by what, and how many hosts went unseen."""
    seen = observation("a 4c/8g : x 1v/1g | y 1v/1g tie=passthrough\nb 4c/8g :")
    assert summary(seen).plain == "2 hosts, 2 guests; 1 cannot be moved: passthrough 1."
    free = observation("a 4c/8g : x 1v/1g")
    unseen = replace(free, unseen=(Unseen("b", "no answer"),))
    assert summary(unseen).plain == "1 host (1 more not seen), 1 guest."
