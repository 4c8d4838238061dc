"""The laboratory's cables: three links per host, which can be slowed down and cut one by one.

::

    namespace lab-wire                      namespace lab-h1
    bridge mgmt  ── h1-mgmt  ════════════  mgmt   10.77.1.1   h1
    bridge mig   ── h1-mig   ════════════  mig    10.77.2.1   h1-mig
    bridge guest ── h1-guest ════════════  uplink ── bridge br-guest ── guests

The bridges live in a namespace of their own and the machine has no route to any of it, so a
laboratory cannot collide with the machine's networks nor with another laboratory.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .command import CommandError, run

Link = Literal["mgmt", "mig", "guest"]
LINKS: tuple[Link, ...] = ("mgmt", "mig", "guest")

BURST = 131072
"""Bytes the token bucket holds: less than a 64 KiB segment plus headroom would drop everything."""


@dataclass(frozen=True)
class Wire:
    """The namespace with the bridges, and one namespace per host plugged into them."""

    lab: str

    @property
    def switch(self) -> str:
        """Namespace of the bridges."""
        return f"{self.lab}-wire"

    def namespace(self, index: int) -> str:
        """Network namespace of a host."""
        return f"{self.lab}-h{index}"

    def create(self) -> None:
        """Make the bridges."""
        run(["ip", "netns", "add", self.switch])
        _quiet(self.switch)
        _ip(self.switch, (f"link add {link} type bridge" for link in LINKS))
        _ip(self.switch, (f"link set {link} up" for link in ("lo", *LINKS)))

    def plug(self, index: int) -> None:
        """Make a host's namespace and its three links.

        The MAC addresses are fixed: a host that comes back with other addresses would meet its
        neighbours' stale ARP entries for a quarter of a minute.
        """
        inside = self.namespace(index)
        run(["ip", "netns", "add", inside])
        _quiet(inside)
        _ip(self.switch, (
            f"link add h{index}-{link} address 02:77:{n}:0:1:{index:x} type veth"
            f" peer name {_inner(link)} address 02:77:{n}:0:0:{index:x} netns {inside}"
            for n, link in enumerate(LINKS, 1)
        ))  # fmt: skip
        _ip(self.switch, (f"link set h{index}-{link} master {link} up" for link in LINKS))
        _ip(inside, (
            f"addr add 10.77.1.{index}/24 dev mgmt",
            f"addr add 10.77.2.{index}/24 dev mig",
            "link add br-guest type bridge",
            "link set uplink master br-guest",
            *(f"link set {name} up" for name in ("lo", "mgmt", "mig", "uplink", "br-guest")),
        ))  # fmt: skip

    def shape(self, index: int, link: Link, mbit: float | None) -> None:
        """Limit a link to so many Mbit/s in either direction; None takes the limit off."""
        ends = ((self.switch, f"h{index}-{link}"), (self.namespace(index), _inner(link)))
        for namespace, device in ends:
            tc = ["tc", "-n", namespace, "qdisc"]
            if mbit is None:
                with contextlib.suppress(CommandError):  # there was no limit
                    run([*tc, "del", "dev", device, "root"])
            else:
                run([*tc, "replace", "dev", device, "root", "tbf",
                     "rate", f"{round(mbit * 1000)}kbit",
                     "burst", str(BURST), "latency", "50ms"])  # fmt: skip

    def repair(self, index: int) -> None:
        """Take the limits off all links of a host, and plug all its cables in."""
        for namespace, devices in (
            (self.switch, [f"h{index}-{link}" for link in LINKS]),
            (self.namespace(index), [_inner(link) for link in LINKS]),
        ):
            lines = "".join(f"qdisc del dev {device} root\n" for device in devices)
            with contextlib.suppress(CommandError):  # some had no limit
                run(["tc", "-n", namespace, "-force", "-batch", "-"], lines)
        _ip(self.switch, [f"link set h{index}-{link} up" for link in LINKS])

    def cut(self, index: int, link: Link) -> None:
        """Pull the cable: nobody is told, packets just stop."""
        _ip(self.switch, [f"link set h{index}-{link} down"])

    def mend(self, index: int, link: Link) -> None:
        """Plug the cable in again."""
        _ip(self.switch, [f"link set h{index}-{link} up"])

    def is_cut(self, index: int, link: Link) -> bool:
        """Whether the cable is pulled."""
        shown = run(["ip", "-n", self.switch, "-o", "link", "show", "dev", f"h{index}-{link}"])
        return ",UP" not in shown.split(">")[0]

    def remove(self) -> None:
        """Remove all namespaces of this laboratory, and with them every link and bridge."""
        for name in self.existing():
            run(["ip", "netns", "del", name])

    def existing(self) -> list[str]:
        """Network namespaces of this laboratory that exist now."""
        names = (path.name for path in Path("/run/netns").glob(f"{self.lab}-*"))
        return sorted(n for n in names if n == self.switch or n[len(self.lab) + 2 :].isdigit())


def _inner(link: Link) -> str:
    return "uplink" if link == "guest" else link


def _ip(namespace: str, lines: Iterable[str]) -> None:
    run(["ip", "-n", namespace, "-batch", "-"], "\n".join(lines) + "\n")


def _quiet(namespace: str) -> None:
    # Without IPv6 a new link is usable at once: no duplicate address detection.
    switches = "/proc/sys/net/ipv6/conf/*/disable_ipv6"
    script = f"for switch in {switches}; do echo 1 > $switch; done"
    with contextlib.suppress(CommandError):  # a kernel without IPv6 has no such switch
        run(["ip", "netns", "exec", namespace, "sh", "-c", script])
