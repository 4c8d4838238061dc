"""One look at the cluster, in one sentence."""

from collections import Counter

from rich.text import Text

from balancer.planner.model.observation import Observation
from balancer.render.words import count


def summary(seen: Observation) -> Text:
    """Return how many hosts and guests were seen, and how many are tied to their host by what."""
    cluster = seen.cluster
    hosts = count(len(cluster.hosts), "host")
    unseen = f" ({len(seen.unseen):,} more not seen)" if seen.unseen else ""
    ties = Counter(kind for guest in cluster.guests for kind in {tie.kind for tie in guest.ties})
    tied = sum(bool(guest.ties) for guest in cluster.guests)
    why = ", ".join(f"{kind} {number:,}" for kind, number in sorted(ties.items()))
    held = f"; {tied:,} cannot be moved: {why}" if tied else ""
    return Text(f"{hosts}{unseen}, {count(len(cluster.guests), 'guest')}{held}.", "bold")
