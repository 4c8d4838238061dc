"""Plugs virtual processors into a running domain and takes plugged ones away; all vCPUs' quota stays."""

from typing import Any, Final

import libvirt

from balancer.planner.model.resize import Resize

LIVE: Final[int] = libvirt.VIR_DOMAIN_AFFECT_LIVE
LETTING_GO: Final = 5.0
"""Seconds for which libvirt waits for a guest's kernel to let a vCPU go."""
NEXT_BOOT: Final = (
    "its kernel does not let the vCPUs go: they are gone at its next boot, and count until then"
)
KEPT: Final = frozenset({libvirt.VIR_ERR_OPERATION_TIMEOUT, libvirt.VIR_ERR_OPERATION_FAILED})


def takes_at_most(wanted: Resize) -> float:
    """Return the seconds it may take beside what any answer may take."""
    return (LETTING_GO + 1) * max(0, wanted.before - wanted.after)


def set_vcpus(domain: libvirt.virDomain, wanted: Resize, least_quota: int) -> str:
    """Make it so; return why it is not, empty once it is. Raises libvirtError.

    libvirt's quota is each vCPU's own: it is divided anew, so that all together may use what they
    could before. It is lowered before any are plugged, and raised after some are gone.
    """
    now = domain.vcpusFlags(LIVE)
    each = int(_parameters(domain).get("vcpu_quota", 0))
    anew = max(least_quota, round(each * now / wanted.after)) if each > 0 else 0
    if anew and not wanted.shrinks:
        _set_quota(domain, anew)
    try:
        domain.setVcpusFlags(wanted.after, LIVE)
    except libvirt.libvirtError as error:
        if anew and not wanted.shrinks:
            _set_quota(domain, each)
        if wanted.shrinks and error.get_error_code() in KEPT:
            return NEXT_BOOT
        raise
    if anew and wanted.shrinks:
        _set_quota(domain, anew)
    then = domain.vcpusFlags(LIVE)
    return "" if then == wanted.after else f"it has {then} vCPUs and not {wanted.after}"


def _parameters(domain: libvirt.virDomain) -> dict[str, Any]:
    found: dict[str, Any] = domain.schedulerParametersFlags(LIVE)
    return found


def _set_quota(domain: libvirt.virDomain, each: int) -> None:
    domain.setSchedulerParametersFlags({"vcpu_quota": each}, LIVE)
