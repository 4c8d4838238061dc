# ruff: noqa: N802 - the names are libvirt's
"""Stand-ins for libvirt's connections and domains: just the calls that are used, in memory."""

import threading
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import libvirt

from tests.adapters.libvirt.reading import text
from tests.adapters.libvirt.test_host_xml import CAPABILITIES, EMULATION

RUNNING = (libvirt.VIR_DOMAIN_RUNNING, 1)
ARRIVING = (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION)
OUT = {"type": 2, "operation": libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT}


def error(code: int, words: str = "it failed", domain: int = libvirt.VIR_FROM_QEMU) -> Any:
    """An error as libvirt raises it."""
    made = libvirt.libvirtError(words)
    made.args = (words,)
    made.err = (code, domain, words, 2, None, None, None, -1, -1)
    return made


class FakeDomain:
    """A domain on one fake hypervisor."""

    def __init__(self, host: "FakeHost", xml: str = "", **known: Any) -> None:
        self.host = host
        self.xml = xml or text("debian")
        self.uuid, self._name = "1b4e28ba-2fa1-11d2-883f-0016d3cca427", "web-1"
        self.active, self.persistent, self._autostart = True, True, 0
        self.now: tuple[int, int] = RUNNING
        self.job: Mapping[str, Any] = {"type": 0}
        self.completed: Any = {"data_processed": 64 << 20, "downtime": 42}
        self.snapshots = 0
        self.block_job: Mapping[str, Any] = {}
        self.stats: dict[str, Any] = {"cpu.time": 10**9, "balloon.rss": 1024, "balloon.current": 1}
        self.downtime = 0
        self.dirtying: Any = None
        """The answers about its dirty rate, one after the other; None: it cannot be asked."""
        self.set_early = True
        """Whether the downtime can be set before the migration runs."""
        vars(self).update(known)

    def UUIDString(self) -> str:
        return self.uuid

    def name(self) -> str:
        return self._name

    def ID(self) -> int:
        return 7

    def XMLDesc(self, _flags: int = 0) -> str:
        if isinstance(self.xml, Exception):
            raise self.xml
        return self.xml

    def state(self) -> tuple[int, int]:
        return self.now

    def info(self) -> list[int]:
        return [self.now[0], 4194304, 2097152, 2, 0]

    def isActive(self) -> int:
        return int(self.active)

    def isPersistent(self) -> int:
        return int(self.persistent)

    def autostart(self) -> int:
        return self._autostart

    def setAutostart(self, on: int) -> None:
        self._autostart = on

    def snapshotNum(self) -> int:
        return self.snapshots

    def blockJobInfo(self, _disk: str) -> Mapping[str, Any]:
        return self.block_job

    def jobStats(self, flags: int = 0) -> Mapping[str, Any]:
        if flags and isinstance(self.completed, Exception):
            raise self.completed
        return self.completed if flags else self.job

    def migrateSetMaxDowntime(self, ms: int) -> None:
        if not self.set_early and not self.job.get("type"):
            raise error(libvirt.VIR_ERR_OPERATION_INVALID)
        self.downtime = ms

    def startDirtyRateCalc(self, _seconds: int) -> None:
        if self.dirtying is None:
            raise error(libvirt.VIR_ERR_OPERATION_UNSUPPORTED)
        self.host.asked.append(self.uuid)

    def abortJob(self) -> None:
        self.host.aborted.set()

    def undefineFlags(self, _flags: int) -> None:
        assert not self.active, "a running guest must never be undefined"
        self.host.domains.remove(self)

    def destroy(self) -> None:
        self.host.domains.remove(self)

    def migrateToURI3(self, uri: str, parameters: Mapping[str, Any], flags: int) -> None:
        self.host.asked.append((uri, parameters, flags))
        self.host.migrate(self)


class FakeHost:
    """A hypervisor in memory."""

    def __init__(self, name: str = "a", **known: Any) -> None:
        self._name = name
        self.domains: list[Any] = []
        self.capabilities = CAPABILITIES.replace("4c4c4544", f"{name:>08}".replace(" ", "0"))
        self.emulation: Any = EMULATION
        self.baseline: Any = "<cpu><feature name='sse2'/><feature name='hle'/></cpu>"
        self.memory: Any = {"total": 1 << 26, "free": 1 << 25, "buffers": 0, "cached": 0}
        self.pages = 4096
        self.volumes: Any = None
        """What its pools hold; None: whatever they are asked for."""
        self.listed: Any = None
        """What they saw of it when they last looked."""
        self.bridges: Any = None
        """Its bridges; None where it cannot show any."""
        self.networks_missing: tuple[str, ...] = ()
        self.networks_down: tuple[str, ...] = ()
        self.asked: list[Any] = []
        self.aborted = threading.Event()
        self.migrate: Callable[[FakeDomain], None] = lambda _domain: None
        self.created: list[str] = []
        self.opened: list[str] = []
        """How connections to it were opened."""
        self.kinds: list[Any] = []
        """Arguments of the questions for domain capabilities."""
        self.failing: dict[str, Exception] = {}
        """Call name to what it raises."""
        vars(self).update(known)

    def add(self, **known: Any) -> FakeDomain:
        self.domains.append(FakeDomain(self, **known))
        return self.domains[-1]

    def __getattribute__(self, name: str) -> Any:
        failing = object.__getattribute__(self, "__dict__").get("failing", {})
        if name in failing:

            def fail(*_: Any) -> None:
                raise failing[name]

            return fail
        return object.__getattribute__(self, name)

    def isAlive(self) -> int:
        return 1

    def close(self) -> None:
        pass

    def getHostname(self) -> str:
        return self._name

    def getCapabilities(self) -> str:
        return self.capabilities

    def getDomainCapabilities(self, *question: Any) -> str:
        self.kinds.append(question)
        if isinstance(self.emulation, Exception):
            raise self.emulation
        return self.emulation

    def compareHypervisorCPU(self, *_: Any) -> int:
        return libvirt.VIR_CPU_COMPARE_SUPERSET

    def networkLookupByName(self, name: str) -> Any:
        if name in self.networks_missing:
            raise error(libvirt.VIR_ERR_NO_NETWORK)
        return SimpleNamespace(isActive=lambda: name not in self.networks_down)

    def baselineCPU(self, _cpus: list[str], _flags: int) -> str:
        return self.baseline

    def baselineHypervisorCPU(self, *question: Any) -> str:
        self.asked.append(question)
        return self.baseline

    def getCPUModelNames(self, _architecture: str) -> list[str]:
        return ["EPYC", "qemu64"]

    def compareCPU(self, xml: str) -> int:
        if "EPYC" in xml:
            raise error(libvirt.VIR_ERR_INTERNAL_ERROR)
        return libvirt.VIR_CPU_COMPARE_SUPERSET

    def getInfo(self) -> list[Any]:
        return ["x86_64", 65536, 32, 2600, 2, 1, 16, 1]

    def getVersion(self) -> int:
        return 7_002_000

    def getLibVersion(self) -> int:
        return 9_000_000

    def listAllNetworks(self, _flags: int) -> list[Any]:
        return [Described("<network><name>lan</name><forward mode='bridge'/></network>")]

    def listAllStoragePools(self, _flags: int) -> list[Any]:
        path = "/var/lib/libvirt/images"
        pool = f"<pool type='dir'><name>images</name><target><path>{path}</path></target></pool>"
        return [Described(pool, self)]

    def storagePoolLookupByName(self, name: str) -> Any:
        if name != "images":
            raise error(libvirt.VIR_ERR_NO_STORAGE_POOL)
        return Described("", self)

    def interfaceLookupByName(self, name: str) -> None:
        if self.bridges is None:
            raise error(libvirt.VIR_ERR_NO_SUPPORT)
        if name not in self.bridges:
            raise error(libvirt.VIR_ERR_NO_INTERFACE)

    def listAllDomains(self, flags: int = 0) -> list[FakeDomain]:
        inactive = flags == libvirt.VIR_CONNECT_LIST_DOMAINS_INACTIVE
        return [d for d in self.domains if not flags or d.active != inactive]

    def getAllDomainStats(self, _stats: int, _flags: int) -> list[Any]:
        return [(domain, domain.stats) for domain in self.domains if domain.active]

    def domainListGetStats(self, domains: list[FakeDomain], _stats: int) -> list[Any]:
        return [(d, d.dirtying.pop(0) if d.dirtying[1:] else d.dirtying[0]) for d in domains]

    def getCPUStats(self, _number: int) -> dict[str, int]:
        return {"kernel": 1, "user": 1, "idle": 1}

    def getMemoryStats(self, _cell: int) -> dict[str, int]:
        return self.memory

    def getFreeMemory(self) -> int:
        return 1 << 30

    def getFreePages(self, sizes: list[int], _cell: int, _count: int) -> dict[int, dict[int, int]]:
        return {-1: {sizes[0]: self.pages}}

    def lookupByUUIDString(self, uuid: str) -> FakeDomain:
        for domain in self.domains:
            if domain.uuid == uuid:
                return domain
        raise error(libvirt.VIR_ERR_NO_DOMAIN, "Domain not found")

    def defineXML(self, _xml: str) -> None:
        for domain in self.domains:
            domain.persistent = True

    def createXML(self, xml: str) -> None:
        self.created.append(xml)
        uuid = xml.split("<uuid>")[1].split("<", maxsplit=1)[0]
        self.add(uuid=uuid, _name="probe", persistent=False, xml=xml)


class Described:
    """A network or a pool: its XML, and the volumes that a pool lists once it has looked."""

    def __init__(self, xml: str, host: Any = None) -> None:
        self.xml, self.host = xml, host

    def isActive(self) -> int:
        return 1

    def refresh(self) -> None:
        self.host.listed = self.host.volumes

    def storageVolLookupByName(self, name: str) -> None:
        if self.host.listed is not None and name not in self.host.listed:
            raise error(libvirt.VIR_ERR_NO_STORAGE_VOL)

    def XMLDesc(self) -> str:
        return self.xml


def arrives(target: FakeHost, **known: Any) -> Callable[[FakeDomain], None]:
    """Make migrations end well on `target`."""

    def migrate(domain: FakeDomain) -> None:
        domain.host.domains.remove(domain)
        target.add(**({"uuid": domain.uuid, "_name": domain.name()} | known))

    return migrate
