"""Which processors guests can be given on a host: asked once, for it changes only with its software."""

from contextlib import closing
from dataclasses import dataclass
from threading import Lock
from typing import Final

import libvirt

from balancer.adapters.libvirt.connection import open_one
from balancer.adapters.libvirt.document import Unreadable
from balancer.adapters.libvirt.host_xml import (
    Capabilities,
    Emulation,
    read_emulation,
    read_features,
)
from balancer.config.host import HostConfig

BETTER_OR_EQUAL: Final = (libvirt.VIR_CPU_COMPARE_IDENTICAL, libvirt.VIR_CPU_COMPARE_SUPERSET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """What guests can be given of a processor on one host."""

    models: tuple[str, ...]
    model: str
    features: tuple[str, ...]
    devices: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


class Processors:
    """Answers by host, kept while the host's libvirt and QEMU stay the same versions."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: dict[tuple[str, int, int], Processor] = {}
        self._lock = Lock()

    def of(
        self, config: HostConfig, connection: libvirt.virConnect, capabilities: Capabilities
    ) -> Processor:
        """Return what guests can be given on this host. Raises libvirtError if it went away."""
        key = (config.name, connection.getLibVersion(), _version(connection))
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = ask(config, connection, capabilities)
            with self._lock:
                self._known[key] = known
        return known


def _version(connection: libvirt.virConnect) -> int:
    try:
        return int(connection.getVersion())
    except libvirt.libvirtError:
        return 0


def ask(
    config: HostConfig, connection: libvirt.virConnect, capabilities: Capabilities
) -> Processor:
    """Return what guests can be given, by domain capabilities or, failing that, by comparison."""
    try:
        emulation = read_emulation(_domain_capabilities(config, connection, capabilities))
    except (libvirt.libvirtError, Unreadable) as fault:
        return _by_comparison(config, connection, capabilities, str(fault))
    return Processor(
        models=emulation.cpu_models,
        model=capabilities.cpu_model or emulation.host_model,
        features=_features(connection, capabilities, emulation),
        devices=emulation.devices,
    )


def _domain_capabilities(
    config: HostConfig, connection: libvirt.virConnect, capabilities: Capabilities
) -> str:
    kind = capabilities.accelerators[0] if capabilities.accelerators else None
    question = (None, capabilities.architecture, None, kind)
    try:
        return str(connection.getDomainCapabilities(*question))
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_OPERATION_DENIED:
            raise
    with closing(open_one(config.uri, read_only=False)) as ordinary:
        return str(ordinary.getDomainCapabilities(*question))


def _features(
    connection: libvirt.virConnect, capabilities: Capabilities, emulation: Emulation
) -> tuple[str, ...]:
    """Return every feature guests can have here, those that the model implies included."""
    cpu = emulation.host_model_xml or capabilities.cpu_xml
    return tuple(sorted(_expanded(connection, cpu) - emulation.disabled))


def _expanded(connection: libvirt.virConnect, cpu: str) -> frozenset[str]:
    if not cpu:
        return frozenset()
    try:
        flags = libvirt.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES
        return read_features(connection.baselineCPU([cpu], flags)) | read_features(cpu)
    except (libvirt.libvirtError, Unreadable):
        return read_features(cpu)


def _by_comparison(
    config: HostConfig, connection: libvirt.virConnect, capabilities: Capabilities, why: str
) -> Processor:
    """Judge each named model by the host's own processor: right for KVM, nothing else."""
    models = _models(connection, capabilities) if "kvm" in capabilities.accelerators else ()
    doubt = (
        f"{config.name}: libvirt does not tell which CPU models guests can have ({why.rstrip('.')}): "
        + ("judged by the host's processor alone" if models else "none is assumed")
    )
    return Processor(
        models=models,
        model=capabilities.cpu_model,
        features=tuple(sorted(_expanded(connection, capabilities.cpu_xml))),
        doubts=(doubt,),
    )


def _models(connection: libvirt.virConnect, capabilities: Capabilities) -> tuple[str, ...]:
    architecture = capabilities.architecture
    try:
        names = connection.getCPUModelNames(architecture)
    except libvirt.libvirtError:
        return ()
    return tuple(sorted(name for name in names if _can_be(connection, architecture, name)))


def _can_be(connection: libvirt.virConnect, architecture: str, model: str) -> bool:
    cpu = f"<cpu><arch>{architecture}</arch><model>{model}</model></cpu>"
    try:
        return connection.compareCPU(cpu) in BETTER_OR_EQUAL
    except libvirt.libvirtError:
        return False
