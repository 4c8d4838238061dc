"""How one hypervisor is reached and what is declared of it: a line of hosts.toml, expanded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from balancer.planner.model.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class HostConfig:
    """One host by name; every `{name}` is filled in already."""

    name: str
    uri: str
    """Control URI: how the planner reaches it."""
    peer_uri: str = ""
    """How other hypervisors reach it to hand guests over; empty: the control URI."""
    migration_address: str = ""
    """Where migration data goes, chosen by NIC; empty: left to libvirt."""
    labels: Mapping[str, str] = field(default_factory=dict)
    networks: tuple[str, ...] | None = None
    """Networks really reachable there; None: undeclared, libvirt's active networks are offered."""
    storage: tuple[str, ...] | None = None
    """Storage really shared there by these names; None: undeclared, nothing is known as shared."""
    storage_paths: Mapping[str, str] = field(default_factory=dict)
    """Storage name to the path prefix, libvirt pool or `rbd:pool` it means; a name that is absent
    means the libvirt pool of that name."""
    capacity: Resources = field(default_factory=dict)
    """Overrides of what the hypervisor reports: millicores, MiB, KiB/s."""
    link_kib_s: int = 0
    """Migration link each way, KiB/s; 0: the policy's default."""
    power: tuple[int, ...] = ()
    """Watts at evenly spaced loads from idle to busy; empty: unknown."""
    answer_within: float = 10.0
    """Seconds until it counts as not answering."""
