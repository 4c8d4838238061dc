"""What a host says it has must be possible."""

from collections.abc import Mapping
from typing import Final

from balancer.planner.model.cluster import Cluster, Host
from balancer.planner.model.resources import CPU, MEMORY

MOST_MILLICORES: Final = 8192 * 1000
MOST_MIB: Final = 64 * 1024 * 1024
"""64 TiB: larger than any machine that runs guests today."""
BEYOND: Final = 2
"""A host offering more than that many times what its memory nodes add up to is misread."""


def impossible_hosts(cluster: Cluster) -> Mapping[str, str]:
    """Return why a host's capacity cannot be true, by name."""
    found = {host.name: _why(host) for host in cluster.hosts}
    return {name: why for name, why in found.items() if why}


def _why(host: Host) -> str:
    cpu, memory = host.capacity.get(CPU, 0), host.capacity.get(MEMORY, 0)
    if not 0 < cpu <= MOST_MILLICORES:
        return f"it says it has {cpu / 1000:g} processors"
    if not 0 < memory <= MOST_MIB:
        return f"it says it has {memory} MiB of memory"
    if host.numa:
        cores = sum(cell.cpus for cell in host.numa)
        mib = sum(cell.memory_mib for cell in host.numa)
        if cores and cpu > BEYOND * cores * 1000:
            return f"it says it has {cpu / 1000:g} processors, its cells have {cores}"
        if mib and memory > BEYOND * mib:
            return f"it says it has {memory} MiB of memory, its cells have {mib}"
    return ""
