"""How a migration is asked of libvirt, and what its refusals mean."""

from collections.abc import Mapping
from typing import Final

import libvirt

from balancer.adapters.libvirt.errors import message
from balancer.config.host import HostConfig
from balancer.planner.model.plan import Migration, RungKind

FLAGS: Final[int] = (
    libvirt.VIR_MIGRATE_LIVE
    | libvirt.VIR_MIGRATE_PEER2PEER  # goes on if this program dies
    | libvirt.VIR_MIGRATE_ABORT_ON_ERROR
    | libvirt.VIR_MIGRATE_CHANGE_PROTECTION
)


def flags(action: Migration, *, persistent: bool, slowed: bool = False) -> int:
    """Return the flags: a defined guest is defined at the target and no longer at the source.

    `slowed`: with auto-converge, which libvirt takes only from the beginning.
    """
    chosen = FLAGS
    if persistent:
        chosen |= libvirt.VIR_MIGRATE_PERSIST_DEST | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
    if slowed:
        chosen |= libvirt.VIR_MIGRATE_AUTO_CONVERGE
    if any(rung.kind is RungKind.POST_COPY for rung in action.rungs):
        chosen |= libvirt.VIR_MIGRATE_POSTCOPY  # only allows it: execution switches where needed
    if action.unsafe_storage:
        chosen |= libvirt.VIR_MIGRATE_UNSAFE
    if action.copies:
        chosen |= libvirt.VIR_MIGRATE_NON_SHARED_DISK
    return chosen


def parameters(
    action: Migration, target: HostConfig, rate_kib_s: int = 0
) -> Mapping[str, str | int | list[str]]:
    """Return libvirt's typed parameters: bandwidth in MiB/s, at least 1, and the network to use.

    `rate_kib_s` where it is to go faster than the plan says. Each disk that is copied may take the
    bandwidth given: where there are several, they get their part of it.
    """
    found: dict[str, str | int | list[str]] = {}
    if rate := rate_kib_s or action.rate_kib_s:
        found[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = mib_s(rate // max(1, len(action.copies)))
    if action.copies:
        found[libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS] = list(action.copies)
    if target.migration_address:
        address = target.migration_address
        numeric = f"[{address}]" if address.count(":") > 1 and "[" not in address else address
        found[libvirt.VIR_MIGRATE_PARAM_URI] = f"tcp://{numeric}"
    return found


def mib_s(rate_kib_s: int) -> int:
    """Return a rate as libvirt takes it: whole MiB/s, at least 1."""
    return max(1, rate_kib_s // 1024)


def peer_uri(target: HostConfig) -> str:
    """Return how other hypervisors reach `target`; empty if its URI works only from here."""
    uri = target.peer_uri or target.uri
    return "" if ":///" in uri else uri


_MEANINGS: Final[Mapping[int, str]] = {
    libvirt.VIR_ERR_OPERATION_ABORTED: "somebody else aborted it",
    libvirt.VIR_ERR_MIGRATE_UNSAFE: (
        "libvirt calls it unsafe: its disk's cache mode needs cache='none', "
        "or `[allow] unsafe_storage` for this guest"
    ),
    libvirt.VIR_ERR_CPU_INCOMPATIBLE: "{target} cannot give it the CPU that it has",
    libvirt.VIR_ERR_CONFIG_UNSUPPORTED: "{target} cannot run it as it is configured",
    libvirt.VIR_ERR_OPERATION_INVALID: "libvirt refuses it",
    libvirt.VIR_ERR_OPERATION_TIMEOUT: "libvirt is busy with another job on it",
    libvirt.VIR_ERR_RESOURCE_BUSY: "libvirt is busy with it",
    libvirt.VIR_ERR_RPC: "the connection to {target} broke",
    libvirt.VIR_ERR_SYSTEM_ERROR: "{source} cannot reach {target}",
    libvirt.VIR_ERR_NO_DOMAIN: "it is not on {source} any more",
    libvirt.VIR_ERR_AUTH_FAILED: "{target} refuses the login of {source}",
    libvirt.VIR_ERR_ACCESS_DENIED: "access denied",
}

_TEXTS: Final[tuple[tuple[str, str], ...]] = (
    ("guest CPU doesn't match", "{target} cannot give it the CPU that it has"),
    ("unexpectedly closed the monitor", "its QEMU died on {target}"),
    ("job is already running", "somebody else's job runs on it"),
    ("socket is closed", "the connection to {target} broke"),
    ("Connection reset", "the connection to {target} broke"),
    ("Unable to write to socket", "its transfer to {target} broke off"),
)


def blame(error: libvirt.libvirtError, action: Migration) -> str:
    """Return in one sentence why libvirt ended a migration, its own words last."""
    text = message(error)
    meaning = next((m for part, m in _TEXTS if part in text), "") or _MEANINGS.get(
        error.get_error_code() or 0, ""
    )
    said = meaning.format(source=action.source, target=action.target)
    return f"{said} ({text})" if said else text
