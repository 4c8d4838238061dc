"""What of a running guest can be changed, how that stands, and what its XML lacks for the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

USUAL_SHARES: Final = 1000
"""The weight a guest has that nobody gave another: shares are told in per mille of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """Settings of a running guest, and what it has for more of them."""

    shares: int = USUAL_SHARES
    """Weight where CPU is short, per mille of the usual one."""
    quota: int = 0
    """The most CPU its vCPUs get together, millicores; 0 for no limit."""
    balloon: int = 0
    """Memory that its balloon leaves it, MiB; 0: it has none that may be used."""
    plugged: int = 0
    """Memory plugged by virtio-mem, MiB: what was asked for, or what the guest still has if that
    is more. Its allocation holds this, and nothing of what could still be plugged."""
    most_plugged: int = 0
    """Memory that can be plugged in all, MiB; 0: it has no device for that."""
    plug_block: int = 1
    """MiB: such memory is plugged in multiples of it."""
    most_vcpus: int = 0
    """Virtual processors that it can be brought to while it runs; 0: it can be given none."""
    plugged_vcpus: int = 0
    """Those of its virtual processors that were plugged while it ran: only these can be taken."""
    block: int = 0
    """The most traffic all its disks have together, KiB/s; 0 for no limit."""
    network: int = 0
    """The most traffic all its network devices have together, each way, KiB/s; 0 for no limit."""
    disks: tuple[str, ...] = ()
    """Names of its disks, as `vda`, which share the limit of their traffic."""
    nics: tuple[str, ...] = ()
    """Addresses of its network devices, likewise."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """What cannot be changed of it, by the name of the resize, and the change to its XML that
    would allow it from its next start on."""
