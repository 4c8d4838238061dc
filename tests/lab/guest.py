"""One guest: what it is made of, where it runs, and how to change its load while it runs."""

from __future__ import annotations

import contextlib
import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from xml.sax.saxutils import escape, quoteattr

from .binding import libvirt
from .settings import LOCAL, NAMESPACE, NETWORK, SHARED

if TYPE_CHECKING:
    from .cluster import Laboratory
    from .host import Host
    from .image import Image

KERNEL_ARGUMENTS = (
    "console=ttyS0 quiet nokaslr mitigations=off no_timer_check tsc=unstable panic=1"
    " cryptomgr.notests random.trust_cpu=on rcupdate.rcu_expedited=1"
    " memhp_default_state=online_movable"
)
READY = "laboratory guest ready"
LABELS_NAMESPACE = "urn:balancer:guest:1"
"""Where the product looks for labels in a domain's metadata."""

MIGRATE = (
    "VIR_MIGRATE_LIVE",
    "VIR_MIGRATE_PEER2PEER",
    "VIR_MIGRATE_PERSIST_DEST",
    "VIR_MIGRATE_UNDEFINE_SOURCE",
)
"""Flags of an ordinary move: the guest, running and defined, changes hosts."""


@dataclass(frozen=True)
class Load:
    """What a guest does. All zero: it idles at about 2 % of a core."""

    dirty: float = 0
    """MiB/s of memory written, sweeping the working set."""
    set: float = 0
    """MiB of working set, filled with incompressible data (40 at most in a 128 MiB guest)."""
    cpu: float = 0
    """Percent of every vCPU."""
    io: float = 0
    """KiB/s written to the disk."""


@dataclass(frozen=True)
class GuestSpec:
    """A guest to be made."""

    name: str
    host: str = "h1"
    memory_mib: int = 128
    """64 MiB panics under TCG; 128 is right for working sets up to 40 MiB."""
    most_mib: int = 0
    """More than ``memory_mib``: the rest can be plugged by virtio-mem, none of which is at first."""
    vcpus: int = 1
    max_vcpus: int | None = None
    """More than ``vcpus``: vCPUs can be plugged (costs 128 MiB, see ``tb_cache_mib``)."""
    load: Load = Load()
    disk: Literal["none", "shared", "local"] = "none"
    disk_mib: int = 64
    passthrough: bool = False
    """Give it a ``<hostdev>``, a USB device. libvirt would move it, and leave the device behind."""
    shmem: bool = False
    """Share memory with the host: libvirt itself refuses to migrate it."""
    cpu_model: str = "qemu64"
    machine: str = "pc"
    labels: Mapping[str, str] = field(default_factory=dict)
    """Written into <metadata> as an operator writes them for the product."""
    metadata: str = ""
    """XML to be put into <metadata> as it is."""
    nic: bool = True
    tb_cache_mib: int | None = None
    """TCG's translation cache; QEMU crashes when vCPUs are plugged into a small one."""
    autodeflate: bool = False
    """Let it deflate its balloon by itself before it runs out of memory."""
    devices: str = ""
    """XML of further devices."""


class Guest:
    """A guest of a laboratory, wherever it runs now: anybody may move it at any time."""

    def __init__(self, lab: Laboratory, spec: GuestSpec) -> None:
        """Nothing happens until ``start``."""
        self.lab = lab
        self.spec = spec

    @property
    def name(self) -> str:
        """Name of the domain."""
        return self.spec.name

    @property
    def uuid(self) -> str:
        """UUID of the domain; the same at every run, so that traces can be compared."""
        return str(uuid.uuid5(NAMESPACE, f"guest/{self.name}"))

    # --- life ------------------------------------------------------------------------------

    def start(self) -> Guest:
        """Define it on its host and switch it on; does not wait for its kernel."""
        host = self.lab[self.spec.host]
        if self.spec.disk != "none":
            folder = host.shared if self.spec.disk == "shared" else host.local
            with (folder / f"{self.name}.raw").open("wb") as file:
                file.truncate(self.spec.disk_mib << 20)
        domain = host.connection().defineXML(domain_xml(self.spec, self.uuid, self.lab.image))
        domain.create()
        return self

    def wait_ready(self, patience: float = 60) -> Guest:
        """Wait until its load program runs."""
        log = self.lab[self.spec.host].folder / f"log/qemu/{self.name}-console.log"
        deadline = time.monotonic() + patience
        while READY not in (log.read_text(errors="replace") if log.exists() else ""):
            if time.monotonic() > deadline:
                raise TimeoutError(f"guest {self.name} has not booted in {patience} s, see {log}")
            time.sleep(0.05)
        return self

    def destroy(self) -> None:
        """Switch it off and undefine it, wherever it is, with its disk."""
        for host in self.lab.running_hosts():
            with contextlib.suppress(libvirt.libvirtError):
                remove(host.connection().lookupByUUIDString(self.uuid))
            for folder in (host.shared, host.local):
                (folder / f"{self.name}.raw").unlink(missing_ok=True)

    # --- whereabouts -----------------------------------------------------------------------

    def whereabouts(self) -> dict[str, int]:
        """Host name to libvirt's state, for every host that knows it: two during a migration."""
        found = {}
        for host in self.lab.running_hosts():
            with contextlib.suppress(libvirt.libvirtError):
                domain = host.connection().lookupByUUIDString(self.uuid)
                found[host.name] = domain.state()[0]
        return found

    def running_on(self) -> list[str]:
        """Names of the hosts on which it runs: one, unless something is badly wrong."""
        return [n for n, s in self.whereabouts().items() if s == libvirt.VIR_DOMAIN_RUNNING]

    def host(self) -> Host:
        """The one host it runs on."""
        names = self.running_on()
        if len(names) != 1:
            raise LookupError(f"guest {self.name} runs on {names or 'no host'}")
        return self.lab[names[0]]

    def domain(self) -> Any:
        """Its virDomain on the host it runs on."""
        return self.host().connection().lookupByUUIDString(self.uuid)

    # --- load ------------------------------------------------------------------------------

    def set_load(self, **knobs: float) -> dict[str, float]:
        """Change some of dirty, set, cpu, io; returns all values now in force."""
        return self.tell(*(f"{name} {value:g}" for name, value in knobs.items()))

    def load(self) -> dict[str, float]:
        """Its load, how many pages it has ``swept`` and KiB it has ``written`` so far, its ``cpus``."""
        return self.tell("get")

    def tell(self, *orders: str, patience: float = 10) -> dict[str, float]:
        """Send orders over the serial line and wait for the last answer."""
        path = self.host().folder / "run/load" / self.name
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(patience)
            line.connect(str(path))
            line.sendall("".join(f"{order}\n" for order in orders).encode())
            said = b""
            while said.count(b"ok ") < len(orders) or not said.endswith(b"\n"):
                more = line.recv(4096)
                if not more:
                    raise ConnectionError(f"guest {self.name} hung up: {said!r}")
                said += more
        words = said.decode().rsplit("ok ", 1)[1].split()
        return {name: float(value) for name, value in (word.split("=") for word in words)}

    # --- moving ----------------------------------------------------------------------------

    def migrate(
        self,
        to: str,
        *,
        mbit: float | None = None,
        flags: int | None = None,
        also: int = 0,
        **parameters: Any,
    ) -> float:
        """Move it, peer to peer over the migration link; returns the seconds it took.

        ``flags`` replaces the ordinary ones, ``also`` adds to them.
        """
        target = self.lab[to]
        if flags is None:
            flags = 0
            for name in MIGRATE:
                flags |= getattr(libvirt, name)
        parameters.setdefault("migrate_uri", f"tcp://{target.migration_address}")
        if mbit is not None:
            parameters.setdefault("bandwidth", max(1, round(mbit / 8.388608)))  # MiB/s
        # A connection of its own: the caller may want to watch, or abort, over the usual one.
        with contextlib.closing(libvirt.open(self.host().uri)) as connection:
            domain = connection.lookupByUUIDString(self.uuid)
            begin = time.monotonic()
            domain.migrateToURI3(target.peer_uri, parameters, flags | also)
            return time.monotonic() - begin


def remove(domain: Any) -> None:
    """Switch off and undefine a domain, whatever state it is in."""
    with contextlib.suppress(libvirt.libvirtError):
        domain.abortJob()
    with contextlib.suppress(libvirt.libvirtError):
        domain.destroy()
    with contextlib.suppress(libvirt.libvirtError):
        domain.undefine()


def domain_xml(spec: GuestSpec, identity: str, image: Image) -> str:
    """The libvirt domain of a guest."""
    load = " ".join(f"load.{name}={value:g}" for name, value in vars(spec.load).items())
    most = spec.max_vcpus or spec.vcpus
    cache = spec.tb_cache_mib or (128 if most > spec.vcpus else 32)
    return f"""\
<domain type='qemu'>
  <name>{escape(spec.name)}</name>
  <uuid>{identity}</uuid>
  <metadata>{_labels(spec.labels)}{spec.metadata}</metadata>
  {_most_memory(spec)}<memory unit='MiB'>{spec.memory_mib}</memory>
  <vcpu current='{spec.vcpus}'>{most}</vcpu>
  <os>
    <type arch='x86_64' machine='{spec.machine}'>hvm</type>
    <kernel>{image.kernel}</kernel>
    <initrd>{image.initramfs}</initrd>
    <cmdline>{KERNEL_ARGUMENTS} {load}</cmdline>
  </os>
  <features><acpi/><tcg><tb-cache unit='MiB'>{cache}</tb-cache></tcg></features>
  <cpu mode='custom' match='exact' check='none'>
    <model fallback='forbid'>{spec.cpu_model}</model>{_cell(spec, most)}
  </cpu>
  <on_reboot>restart</on_reboot>
  <on_crash>restart</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    {_controller(spec)}
    {_disk(spec)}
    {_nic(spec)}
    <serial type='pty'>
      <log file='/var/log/libvirt/qemu/{spec.name}-console.log' append='off'/>
      <target port='0'/>
    </serial>
    <serial type='unix'>
      <source mode='bind' path='/run/libvirt/load/{spec.name}'/>
      <target port='1'/>
    </serial>
    {_passthrough(spec)}
    {_shmem(spec)}
    {_pluggable(spec)}
    {spec.devices}
    <memballoon model='virtio'{" autodeflate='on'" * spec.autodeflate}>
      <stats period='{1 if spec.autodeflate or spec.most_mib else 2}'/>
    </memballoon>
  </devices>
</domain>
"""


def _most_memory(spec: GuestSpec) -> str:
    if not spec.most_mib:
        return ""
    return f"<maxMemory slots='1' unit='MiB'>{spec.most_mib}</maxMemory>\n  "


def _cell(spec: GuestSpec, cpus: int) -> str:
    """Return the one NUMA cell without which libvirt before 9.6 plugs no memory."""
    if not spec.most_mib:
        return ""
    size = f"memory='{spec.memory_mib}' unit='MiB'"
    return f"<numa><cell id='0' cpus='0-{cpus - 1}' {size}/></numa>"


def _pluggable(spec: GuestSpec) -> str:
    if not spec.most_mib:
        return ""
    return (
        f"<memory model='virtio-mem'><target><size unit='MiB'>{spec.most_mib - spec.memory_mib}</size>"
        "<node>0</node><block unit='MiB'>2</block><requested unit='MiB'>0</requested></target></memory>"
    )


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    inner = "".join(
        f"<balancer:label name={quoteattr(name)} value={quoteattr(value)}/>"
        for name, value in labels.items()
    )
    return f"<balancer:guest xmlns:balancer='{LABELS_NAMESPACE}'>{inner}</balancer:guest>"


def _controller(spec: GuestSpec) -> str:
    # A USB controller wakes an idle guest a hundred times a second: only where it is needed.
    model = "qemu-xhci" if spec.passthrough else "none"
    return f"<controller type='usb' model='{model}'/>"


def _disk(spec: GuestSpec) -> str:
    if spec.disk == "none":
        return ""
    folder = SHARED if spec.disk == "shared" else LOCAL
    return (
        "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/>"
        f"<source file='{folder}/{spec.name}.raw'/><target dev='vda' bus='virtio'/></disk>"
    )


def _nic(spec: GuestSpec) -> str:
    if not spec.nic:
        return ""
    return (
        f"<interface type='network'><source network='{NETWORK}'/>"
        "<model type='virtio'/><rom enabled='no'/></interface>"
    )


def _passthrough(spec: GuestSpec) -> str:
    # The device does not exist and may be absent, so it starts; the running domain shows the
    # <hostdev> nevertheless. PCI, SCSI and mediated devices do not start without hardware.
    if not spec.passthrough:
        return ""
    return (
        "<hostdev mode='subsystem' type='usb'><source startupPolicy='optional'>"
        "<vendor id='0x1d6b'/><product id='0x1ab0'/></source></hostdev>"
    )


def _shmem(spec: GuestSpec) -> str:
    if not spec.shmem:
        return ""
    return (
        f"<shmem name='{spec.name}'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>"
    )
