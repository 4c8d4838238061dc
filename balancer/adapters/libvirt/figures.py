"""What libvirt's statistics of a finished migration say of the link and of the guest's memory."""

from collections.abc import Mapping
from typing import Any, Final

import libvirt

from balancer.planner.model.plan import Passed

MIB: Final = 2**20
PAGE: Final = 4096


def passed(stats: Mapping[str, Any], *, plain: bool) -> Passed | None:
    """Return what can be learned; None where libvirt did not say, or the source forgot.

    `plain`: it went by pre-copy alone. A guest slowed down by auto-converge teaches nothing.
    """

    def number(name: str) -> int:
        value = stats.get(name, 0)
        return value if isinstance(value, int) else 0

    elapsed = number(libvirt.VIR_DOMAIN_JOB_TIME_ELAPSED) / 1000
    sent = number(libvirt.VIR_DOMAIN_JOB_DATA_PROCESSED) / MIB
    if elapsed <= 0 or sent <= 0:
        return None
    page = number(libvirt.VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE) or PAGE
    empty = number(libvirt.VIR_DOMAIN_JOB_MEMORY_CONSTANT) * page / MIB
    total = number(libvirt.VIR_DOMAIN_JOB_MEMORY_TOTAL) / MIB
    throttled = number(libvirt.VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE) > 0
    return Passed(
        seconds=max(0.001, elapsed - number(libvirt.VIR_DOMAIN_JOB_SETUP_TIME) / 1000),
        sent_mib=sent,
        first_mib=min(sent, max(0.0, total - empty)),
        rounds=max(1, number(libvirt.VIR_DOMAIN_JOB_MEMORY_ITERATION)),
        dirty_mib_s=number(libvirt.VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE) * page / MIB,
        downtime_ms=number(libvirt.VIR_DOMAIN_JOB_DOWNTIME),
        teaches=plain and not throttled,
        disk_mib=min(sent, number(libvirt.VIR_DOMAIN_JOB_DISK_PROCESSED) / MIB),
    )
