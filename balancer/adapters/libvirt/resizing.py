"""Changes one setting of a running domain, reads it back, and says why it is not as wanted.

Only what is live is changed: at its next start the guest is what its XML says.
"""

from collections.abc import Mapping
from typing import Any, Final

import libvirt

from balancer.adapters.libvirt import vcpus
from balancer.adapters.libvirt.balloon import ANSWERING, deflate, inflate
from balancer.adapters.libvirt.document import Unreadable
from balancer.adapters.libvirt.domain_xml import DomainFacts, read_domain
from balancer.adapters.libvirt.traffic import limit
from balancer.adapters.libvirt.tuning import USUAL_PERIOD, usual_shares
from balancer.planner.model.knobs import USUAL_SHARES
from balancer.planner.model.resize import TRAFFIC, Resize, What
from balancer.planner.model.resources import VCPUS

LEAST_SHARES: Final = 2
MOST_SHARES: Final = 10_000
"""The bounds that both versions of cgroups take."""
LEAST_QUOTA: Final = 1000
"""Microseconds of each period: less libvirt does not take."""
PER_CORE: Final = 1000
CLOSE: Final = 0.02
"""Share by which what is read back may differ from what was asked for."""
LIVE: Final[int] = libvirt.VIR_DOMAIN_AFFECT_LIVE


def takes_at_most(wanted: Resize) -> float:
    """Return the seconds a change may take beside what any answer may take."""
    if wanted.what is What.VCPUS:
        return vcpus.takes_at_most(wanted)
    if not wanted.of_memory:
        return 0.0
    steps = abs(wanted.before - wanted.after) / (wanted.step or wanted.before or 1)
    return 2 * ANSWERING * (1 + steps)


def resize(connection: libvirt.virConnect, wanted: Resize) -> str:
    """Make it so; return why it is not, empty once it is. Raises libvirtError."""
    domain = connection.lookupByUUIDString(wanted.guest)
    if not domain.isActive():
        return f"{wanted.name} does not run on {wanted.host}"
    facts = _facts(domain)
    if isinstance(facts, str):
        return facts
    if wanted.of_memory:
        return inflate(domain, wanted) if wanted.shrinks else deflate(domain, wanted)
    if wanted.what in TRAFFIC:
        return limit(domain, facts.tuning.traffic, wanted.what, wanted.after)
    if wanted.what is What.VCPUS:
        return vcpus.set_vcpus(domain, wanted, LEAST_QUOTA)
    asked = _parameters(connection, facts, wanted)
    domain.setSchedulerParametersFlags(asked, LIVE)
    return _differs(asked, domain.schedulerParametersFlags(LIVE))


def _facts(domain: libvirt.virDomain) -> DomainFacts | str:
    try:
        return read_domain(domain.XMLDesc())
    except Unreadable as fault:
        return str(fault)


def _parameters(
    connection: libvirt.virConnect, facts: DomainFacts, wanted: Resize
) -> dict[str, int]:
    """Return the scheduler's parameters that bring it about."""
    if wanted.what is What.SHARES:
        running = connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
        untouched = (domain for domain in running if not _shares(domain))
        shares = round(wanted.after * usual_shares(untouched) / USUAL_SHARES)
        return {"cpu_shares": min(MOST_SHARES, max(LEAST_SHARES, shares))}
    if not wanted.after:
        return {"vcpu_quota": -1, "global_quota": -1}
    each = wanted.after * USUAL_PERIOD / PER_CORE / max(1, facts.allocation.get(VCPUS, 1))
    return {
        "vcpu_period": USUAL_PERIOD,
        "vcpu_quota": max(LEAST_QUOTA, round(each)),
        "global_quota": -1,
    }


def _shares(domain: libvirt.virDomain) -> int:
    facts = _facts(domain)
    return facts.tuning.shares if isinstance(facts, DomainFacts) else 1


def _differs(asked: Mapping[str, int], found: Mapping[str, Any]) -> str:
    """Return the first parameter that did not become what was asked for."""
    for name, amount in asked.items():
        now = int(found.get(name, 0))
        if amount < 0 and now <= 0:
            continue
        if abs(now - amount) > CLOSE * max(abs(now), abs(amount)):
            return f"{name} is {now} and not {amount}: the host takes no such setting"
    return ""
