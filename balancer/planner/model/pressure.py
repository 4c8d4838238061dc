"""Whether what a host says of its pressure is borne out by what else was measured there."""

from typing import Final

from balancer.planner.model.cluster import GuestState
from balancer.planner.model.observation import Observation
from balancer.planner.model.resources import MEMORY

CPU_PRESSURE: Final = "cpu.pressure"
MEMORY_PRESSURE: Final = "memory.pressure"
PER_MILLE: Final = 1000
FELT: Final = 0.5
"""Share of the waiting that pressure speaks of which guests must have felt, for it to be theirs."""
FULL: Final = 0.75
"""Share of its memory that a host must measure as used, for tasks to wait for memory."""


def borne_out(observation: Observation, host: str, metric: str) -> bool | None:
    """Return if the newest pressure of a host fits what else is known there; None if that is nothing.

    PSI's "some" is the share of the time in which one task or more waited, so all tasks together
    waited at least that long: what vCPUs waited has to make up half of it. Tasks wait for memory
    where little is left.
    """
    pressure = observation.history.hosts[host][-1].values[metric]
    if metric == CPU_PRESSURE:
        delay = _delay(observation, host)
        return None if delay is None else delay >= FELT * pressure
    used = observation.history.hosts[host][-1].values.get("memory.used")
    has = observation.cluster.host[host].capacity.get(MEMORY, 0)
    return None if used is None else used >= FULL * has


def _delay(observation: Observation, host: str) -> int | None:
    """Return how long vCPUs of the host's running guests waited, millicores; None if not known of all."""
    running = (
        guest
        for guest in observation.cluster.guests_on.get(host, ())
        if guest.state is GuestState.RUNNING
    )
    taken = (observation.history.guests.get(guest.uuid, ()) for guest in running)
    delays = [samples[-1].values.get("cpu.delay") if samples else None for samples in taken]
    known = [delay for delay in delays if delay is not None]
    return sum(known) if len(known) == len(delays) else None
