"""How much of their virtual processors guests used of late: which of them were needed."""

from collections.abc import Mapping
from math import ceil

from balancer.planner.model.observation import Observation
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.resources import CPU
from balancer.planner.model.rollups import STEP
from balancer.planner.model.spare import FRESH, all_along


def busiest(observation: Observation, tables: Mapping[str, Resizing]) -> Mapping[str, int]:
    """Return the most CPU that guests used within their table's `idle`, millicores, by uuid.

    Of those that the policy lets have vCPUs taken, that have any which can be, and of which it is
    known for long enough.
    """
    asked = [
        guest
        for guest in observation.cluster.guests
        if guest.knobs and guest.knobs.plugged_vcpus and guest.uuid in tables
        if tables[guest.uuid].vcpus and not tables[guest.uuid].dedicated
    ]
    if not asked:
        return {}
    rollups = observation.rollups
    last = max(0, (int(observation.at) - rollups.start) // STEP)
    rows = rollups.guest_rows(CPU, [guest.uuid for guest in asked])[:, :last]
    found = {}
    for guest, row in zip(asked, rows, strict=True):
        samples = observation.history.guests.get(guest.uuid, ())
        known = all_along(row, tables[guest.uuid].idle)
        if known is None or not samples or observation.at - samples[-1].at > FRESH:
            continue
        if CPU in samples[-1].values:
            found[guest.uuid] = ceil(max(samples[-1].values[CPU], *known, 0))
    return found
