"""Which host a guest is on when several show it: during a migration two do, and it is one guest."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import libvirt

from balancer.adapters.libvirt.sighting import DomainSighting, HostSighting


class Role(Enum):
    """What an active domain is to its host."""

    HERE = auto()
    LEAVING = auto()
    ARRIVING = auto()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one guest is, by all that was seen."""

    host: str
    domain: DomainSighting
    role: Role
    target: str = ""
    """Where it is being migrated to, if it is and that host was seen."""
    doubt: str = ""
    """A sentence, if it seems to run twice."""


def role(domain: DomainSighting) -> Role:
    """Tell whether a domain runs here, is leaving, or is the shell an arriving guest will fill."""
    if domain.job == libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT:
        return Role.LEAVING
    if domain.job == libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN:
        return Role.ARRIVING
    shell = (libvirt.VIR_DOMAIN_PAUSED_MIGRATION, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP)
    paused = domain.state == libvirt.VIR_DOMAIN_PAUSED and domain.state_reason in shell
    return Role.ARRIVING if paused else Role.HERE


def standings(sightings: Sequence[HostSighting]) -> Mapping[str, Standing]:
    """Return where each guest is, by uuid."""
    copies: dict[str, list[Standing]] = defaultdict(list)
    for host in sightings:
        for domain in host.domains:
            copies[domain.uuid].append(Standing(host.config.name, domain, role(domain)))
    return {uuid: _settle(found) for uuid, found in copies.items()}


def _settle(copies: Sequence[Standing]) -> Standing:
    if len(copies) == 1:
        return copies[0]
    arriving = [copy for copy in copies if copy.role is Role.ARRIVING]
    holding = [copy for copy in copies if copy.role is not Role.ARRIVING]
    if len(holding) == 1:
        source, target = holding[0], arriving[0]
        return Standing(source.host, source.domain, source.role, target=target.host)
    first = min(holding or arriving, key=_running_first)
    hosts = " and ".join(copy.host for copy in copies)
    return Standing(
        first.host,
        first.domain,
        first.role,
        doubt=f"guest {first.domain.name} is active on {hosts} at once: "
        "stop one copy before both write to its disks",
    )


def _running_first(copy: Standing) -> int:
    return 0 if copy.domain.state == libvirt.VIR_DOMAIN_RUNNING else 1


def namesakes(sightings: Sequence[HostSighting], found: Mapping[str, Standing]) -> tuple[str, ...]:
    """Return a sentence for each guest that is defined twice, and each name two guests share."""
    shut_off: dict[str, list[str]] = defaultdict(list)
    for host in sightings:
        for uuid in host.defined:
            shut_off[uuid].append(host.config.name)
    again = (_defined_again(found[u], hosts) for u, hosts in shut_off.items() if u in found)
    twice = (
        _defined_twice(sightings, uuid, hosts)
        for uuid, hosts in shut_off.items()
        if uuid not in found and len(hosts) > 1
    )
    return tuple(sorted((*again, *twice, *_shared_names(sightings, found))))


def _shared_names(
    sightings: Sequence[HostSighting], found: Mapping[str, Standing]
) -> tuple[str, ...]:
    names: dict[str, dict[str, str]] = defaultdict(dict)
    for uuid, standing in found.items():
        names[standing.domain.name][uuid] = standing.host
    for host in sightings:
        for uuid, name in host.defined.items():
            names[name].setdefault(uuid, host.config.name)
    return tuple(
        f"{len(owners)} guests are named {name} (on {', '.join(owners.values())}): "
        "none can move to a host that knows another of that name"
        for name, owners in names.items()
        if len(owners) > 1
    )


def _defined_again(standing: Standing, hosts: Sequence[str]) -> str:
    where = " and ".join(hosts)
    return (
        f"guest {standing.domain.name} runs on {standing.host} and is also defined on {where}: "
        "undefine it there, or it may be started twice"
    )


def _defined_twice(sightings: Sequence[HostSighting], uuid: str, hosts: Sequence[str]) -> str:
    name = next(h.defined[uuid] for h in sightings if uuid in h.defined)
    where = " and ".join(hosts)
    return f"guest {name}, shut off, is defined on {where}: undefine it on all but one"
