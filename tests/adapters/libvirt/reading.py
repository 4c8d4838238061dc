"""The saved domains, and sightings put together from them without any hypervisor."""

from pathlib import Path
from typing import Any

import libvirt

from balancer.adapters.libvirt.document import Unreadable
from balancer.adapters.libvirt.domain_xml import read_domain
from balancer.adapters.libvirt.emulation import Processor
from balancer.adapters.libvirt.host_xml import Capabilities
from balancer.adapters.libvirt.sighting import DomainSighting, HostSighting
from balancer.adapters.libvirt.statistics import HostReading, Reading
from balancer.config.host import HostConfig

DOMAINS = Path(__file__).parent / "domains"
NAMES = sorted(path.stem for path in DOMAINS.glob("*.xml"))


def text(name: str) -> str:
    return (DOMAINS / f"{name}.xml").read_text()


def domain(name: str = "debian", **known: Any) -> DomainSighting:
    """An active domain from a saved one, or from `xml`."""
    xml = known.pop("xml", None) or text(name)
    try:
        facts: Any = read_domain(xml)
    except Unreadable as fault:
        facts = fault
    given = {
        "uuid": getattr(facts, "uuid", "") or "no-uuid",
        "name": getattr(facts, "name", "") or name,
        "id": 1,
        "state": libvirt.VIR_DOMAIN_RUNNING,
        "state_reason": 0,
        "facts": facts,
    }
    return DomainSighting(**(given | known))


def sighting(name: str = "a", *domains: DomainSighting, **known: Any) -> HostSighting:
    """A host that runs these domains."""
    given: dict[str, Any] = {
        "config": HostConfig(name=name, uri=f"qemu+ssh://{name}/system"),
        "hostname": name,
        "capabilities": Capabilities(
            uuid=f"uuid-{name}",
            architecture="x86_64",
            cpu_model="Cascadelake-Server",
            cpu_xml="",
            numa=(),
            hugepages={"hugepages-2048": 512},
            accelerators=("kvm", "qemu"),
            machines=("pc-q35-7.2", "q35"),
        ),
        "processor": Processor(models=("qemu64",), model="Cascadelake-Server", features=()),
        "cpus": 8,
        "memory_mib": 16384,
        "qemu_version": 7_002_000,
        "libvirt_version": 9_000_000,
        "networks": (),
        "pools": (),
        "domains": domains,
        "defined": {},
        "reading": HostReading(at=1000.0, ticks=0.0, host=Reading({}, {}), guests={}),
    }
    return HostSighting(**(given | known))
