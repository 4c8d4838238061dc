"""The two ways in which a running guest is told how much memory to have: its balloon, and virtio-mem."""

from typing import Final, Protocol
from xml.etree.ElementTree import tostring

import libvirt

from balancer.adapters.libvirt.document import Unreadable, parse
from balancer.adapters.libvirt.tuning import PLUGGABLE, size_kib
from balancer.planner.model.resize import What

LIVE: Final[int] = libvirt.VIR_DOMAIN_AFFECT_LIVE
KIB: Final = 1024
CLOSE: Final = 0.03
"""Share of the memory, and MiB beside, by which a balloon may miss what it was told."""
CLOSE_MIB: Final = 2


class Tap(Protocol):
    """One guest's memory."""

    deaf: str
    """What is said of a guest that does not follow."""

    def tell(self, mib: int) -> None:
        """Tell it to have so much. Raises libvirtError."""

    def there(self, mib: int) -> bool:
        """Return whether it does. Raises libvirtError."""


class BalloonTap:
    """Counts all the memory that its balloon leaves a guest."""

    deaf = "its balloon does not answer"

    def __init__(self, domain: libvirt.virDomain) -> None:
        self._domain = domain

    def tell(self, mib: int) -> None:
        """Set it."""
        self._domain.setMemoryFlags(mib * KIB, LIVE)

    def there(self, mib: int) -> bool:
        """Balloons stop somewhere near."""
        now = int(self._domain.memoryStats().get("actual", 0)) // KIB
        return abs(now - mib) <= CLOSE_MIB + CLOSE * mib


class PluggedTap:
    """Counts the memory that is plugged into a guest, beside what it booted with."""

    deaf = "its kernel does not follow with the memory that is plugged"

    def __init__(self, domain: libvirt.virDomain) -> None:
        self._domain = domain

    def tell(self, mib: int) -> None:
        """Ask for it; the device as it is, but for that. Libvirt refuses what is no multiple of its blocks."""
        device = parse(self._domain.XMLDesc()).root.find(PLUGGABLE)
        requested = device.find("target/requested") if device is not None else None
        if device is None or requested is None:
            raise libvirt.libvirtError("it has no virtio-mem device any more")
        requested.set("unit", "MiB")
        requested.text = str(mib)
        self._domain.updateDeviceFlags(tostring(device, encoding="unicode"), LIVE)

    def there(self, mib: int) -> bool:
        """Return whether it has as much as was asked for, and no more."""
        try:
            device = parse(self._domain.XMLDesc()).root.find(PLUGGABLE)
            now = -1 if device is None else size_kib(device, "current")
        except Unreadable:
            return False
        return now == mib * KIB


def tap_of(domain: libvirt.virDomain, what: What) -> Tap:
    """Return how this kind of resize is made."""
    return PluggedTap(domain) if what is What.PLUGGED else BalloonTap(domain)
