"""Guests together cannot use more than their host measures of itself, nor nothing while it works."""

from collections.abc import Mapping, Sequence
from typing import Final

from balancer.planner.model.cluster import Guest, GuestState
from balancer.planner.model.observation import Observation, Sample
from balancer.planner.model.resources import CPU

SLACK: Final = 0.25
"""Share by which guests may seem to use more than the host measured: windows differ a little."""
SLACK_MILLICORES: Final = 1000
BUSY: Final = 100
"""Millicores that a host uses for itself alone at most, while all its guests rest."""
LEAST_WINDOW: Final = 20.0
"""Seconds: readings over less are compared with nothing."""


def contradicted(observation: Observation) -> Mapping[str, str]:
    """Return why the guests of a host cannot be right together, by uuid."""
    found: dict[str, str] = {}
    for host, guests in observation.cluster.guests_on.items():
        measured = observation.history.hosts.get(host, ())
        here = [g for g in guests if observation.history.guests.get(g.uuid)]
        if measured and here and (why := _why(observation, measured[-1], here)):
            found |= dict.fromkeys((g.uuid for g in here), why)
    return found


def _why(observation: Observation, host: Sample, guests: Sequence[Guest]) -> str:
    samples = [observation.history.guests[g.uuid][-1] for g in guests]
    if CPU not in host.values or host.window < LEAST_WINDOW:
        return ""
    own, together = host.values[CPU], sum(sample.values[CPU] for sample in samples)
    if together > (1 + SLACK) * own + SLACK_MILLICORES:
        return f"its host's guests use {together} millicores, the host measures {own}"
    running = sum(guest.state is GuestState.RUNNING for guest in guests)
    if not together and running > 1 and own > BUSY:
        return f"none of its host's {running} guests uses any CPU, the host uses {own} millicores"
    return ""
