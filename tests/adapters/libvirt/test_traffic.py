"""Limits of disk and network traffic, as a live XML tells them and as they are set."""

from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from balancer.adapters.libvirt.traffic import Traffic, limit, read_traffic
from balancer.planner.model.resize import What

BOTH = ("vda", "vdb")
MACS = ("52:54:00:00:00:01", "52:54:00:00:00:02")


def disk(name: str, tune: str = "", device: str = "disk") -> str:
    return f"<disk device='{device}'><target dev='{name}'/><iotune>{tune}</iotune></disk>"


def nic(mac: str, bandwidth: str = "", kind: str = "network") -> str:
    return f"<interface type='{kind}'><mac address='{mac}'/><bandwidth>{bandwidth}</bandwidth></interface>"


def read(*devices: str) -> Traffic:
    return read_traffic(fromstring(f"<domain><devices>{''.join(devices)}</devices></domain>"))


def test_what_is_limited_is_read() -> None:
    """Of a group once, of single disks added up; the narrower way of a network; a CD-ROM is no disk."""
    two = "<total_bytes_sec>2097152</total_bytes_sec>"
    grouped = f"{two}<group_name>balancer</group_name>"
    assert read(disk("vda", two), disk("sda", device="cdrom")).block == 2048
    assert read(disk("vda", two), disk("vdb", two)).block == 4096
    assert read(disk("vda", grouped), disk("vdb", grouped)).block == 2048
    assert read(disk("vda", two), disk("vdb")).block == 0
    ways = "<inbound average='500'/><outbound average='300'/>"
    known = read(nic(MACS[0], ways), nic(MACS[1], ways))
    assert (known.network, known.nics) == (600, MACS)
    assert read(nic(MACS[0], "<inbound average='500'/>")).network == 500
    assert read(nic(MACS[0], ways), nic(MACS[1])).network == 0


@pytest.mark.parametrize(
    ("devices", "what", "why"),
    [
        ((), "block", "no <disk"),
        ((disk("vda", "<read_iops_sec>5</read_iops_sec>"),), "block", "its <iotune> limits"),
        ((), "network", "no <interface>"),
        ((nic(MACS[0], kind="user"),), "network", "<interface type='user'> cannot be limited"),
    ],
)
def test_what_cannot_be_limited_says_what_would_help(
    devices: tuple[str, ...], what: str, why: str
) -> None:
    """A device that is missing, limits that others set, a device without a tap."""
    assert why in read(*devices).missing[what]


class Domain:
    """Takes limits, or ignores them."""

    def __init__(self, *, deaf: bool = False) -> None:
        self.deaf = deaf
        self.told: dict[str, dict[str, Any]] = {}

    def _set(self, device: str, asked: dict[str, Any], _: int) -> None:
        self.told[device] = dict(asked)

    def _get(self, device: str, _: int) -> dict[str, Any]:
        return {} if self.deaf else self.told[device]

    setBlockIoTune = setInterfaceParameters = _set  # noqa: N815 - libvirt's names
    blockIoTune = interfaceParameters = _get  # noqa: N815


def test_disks_share_one_limit_and_network_devices_have_even_parts() -> None:
    """Nought lifts it; a single disk needs no group."""
    known, domain = Traffic(disks=BOTH, nics=MACS, missing={}), Domain()
    assert limit(domain, known, What.BLOCK, 1000) == ""
    one = {"total_bytes_sec": 1_024_000, "group_name": "balancer"}
    assert domain.told == {"vda": one, "vdb": one}
    assert limit(domain, Traffic(disks=("vda",), missing={}), What.BLOCK, 0) == ""
    assert domain.told["vda"] == {"total_bytes_sec": 0}
    assert limit(domain, known, What.NETWORK, 1000) == ""
    assert domain.told[MACS[1]] == {"inbound.average": 500, "outbound.average": 500}


def test_what_the_host_does_not_take_is_said() -> None:
    """As read back."""
    known = Traffic(disks=("vda",), missing={})
    said = limit(Domain(deaf=True), known, What.BLOCK, 1000)
    assert said == "total_bytes_sec of vda is 0 and not 1024000: the host takes no such setting"
