"""What the hypervisor lets be set, and what the policy wants set, kind by kind, as the judge has it.

Each kind of resize has one entry in each table; each entry returns what is wrong, empty for nothing.
"""

from collections.abc import Callable, Mapping
from typing import Final

from balancer.planner.model.cluster import Guest
from balancer.planner.model.knobs import Knobs
from balancer.planner.model.resize import TRAFFIC, Resize, What
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.resources import MEMORY, VCPUS

LEAST_TRAFFIC: Final = 64
"""KiB/s below which no limit is set."""
LEAST_QUOTA: Final = 10
"""Millicores for each vCPU: less the hypervisors do not take."""
DEDICATED: Final = "it is dedicated: nothing is taken from it"


def impossible(resize: Resize, guest: Guest) -> str:
    """Return why the hypervisor would not do it."""
    return POSSIBLE[resize.what](resize, guest)


def unwanted(resize: Resize, guest: Guest, table: Resizing | None) -> str:
    """Return that no `[[resize]]` of the policy wants it so."""
    if table is None:
        return "no [[resize]] of the policy names it"
    return WANTED[resize.what](resize, guest, table)


def _shares(resize: Resize, _: Guest) -> str:
    return "" if resize.after > 0 else "shares must be more than nought"


def _quota(resize: Resize, guest: Guest) -> str:
    vcpus = guest.allocation.get(VCPUS, 0)
    wrong = resize.after < 0 or 0 < resize.after < LEAST_QUOTA * vcpus
    return f"a limit of {resize.after} millicores for {vcpus} vCPUs" if wrong else ""


def _balloon(resize: Resize, guest: Guest) -> str:
    most = guest.allocation.get(MEMORY, 0)
    return "" if 0 < resize.after <= most else f"{resize.after} MiB of {most}"


def _plugged(resize: Resize, guest: Guest) -> str:
    knobs = guest.knobs or Knobs()
    if not 0 <= resize.after <= knobs.most_plugged:
        return f"{resize.after} MiB plugged where its XML allows {knobs.most_plugged}"
    wrong = resize.after % max(1, knobs.plug_block)
    return (
        f"{resize.after} MiB is no multiple of its blocks of {knobs.plug_block}" if wrong else ""
    )


def _vcpus(resize: Resize, guest: Guest) -> str:
    knobs = guest.knobs or Knobs()
    if not 0 < resize.after <= max(resize.before, knobs.most_vcpus):
        return f"{resize.after} vCPUs where its XML allows {knobs.most_vcpus}"
    if resize.before - resize.after > knobs.plugged_vcpus:
        return f"only {knobs.plugged_vcpus} of its vCPUs were plugged while it ran: no more can be taken"
    return ""


def _by_shares(resize: Resize, _: Guest, table: Resizing) -> str:
    return DEDICATED if table.dedicated and resize.shrinks else ""


def _by_quota(resize: Resize, _: Guest, table: Resizing) -> str:
    if table.dedicated and resize.shrinks:
        return DEDICATED
    if resize.after and resize.after != table.limit:
        return f"a limit of {resize.after} millicores where the policy says {table.limit}"
    return ""


def _by_balloon(resize: Resize, _: Guest, table: Resizing) -> str:
    return _of_memory(resize.after if resize.shrinks else table.floor, table)


def _by_plugged(resize: Resize, guest: Guest, table: Resizing) -> str:
    left = guest.allocation.get(MEMORY, 0) - resize.before + resize.after
    return _of_memory(left if resize.shrinks else table.floor, table)


def _of_memory(left: int, table: Resizing) -> str:
    """Return what speaks against leaving a guest so much, MiB."""
    if not table.memory:
        return "the policy does not let its memory be taken (memory = true)"
    return f"less than its floor of {table.floor} MiB" if left < table.floor else ""


def _by_vcpus(resize: Resize, _: Guest, table: Resizing) -> str:
    if not table.vcpus:
        return "the policy does not let its vCPUs be changed (vcpus = true)"
    if not resize.shrinks:
        over = 0 < table.most_vcpus < resize.after
        return f"more than most_vcpus = {table.most_vcpus}" if over else ""
    if table.dedicated:
        return DEDICATED
    under = resize.after < table.least_vcpus
    return f"less than least_vcpus = {table.least_vcpus}" if under else ""


def _traffic(resize: Resize, _: Guest) -> str:
    wrong = resize.after < 0 or 0 < resize.after < LEAST_TRAFFIC
    return f"a limit of {resize.after} KiB/s of {TRAFFIC[resize.what]} traffic" if wrong else ""


def _by_traffic(resize: Resize, _: Guest, table: Resizing) -> str:
    name = TRAFFIC[resize.what]
    least, most = {
        What.BLOCK: (table.disk_least, table.disk_limit),
        What.NETWORK: (table.network_least, table.network_limit),
    }[resize.what]
    wrong = {
        f"the policy does not let its {name} traffic be limited ({name}_least, {name}_limit)": not (
            least or most
        ),
        f"more than its {name}_limit of {most} KiB/s": most and not 0 < resize.after <= most,
        f"{resize.after} KiB/s where it gives way to nobody ({name}_least)": not least
        and resize.after != most,
        f"less than its {name}_least of {least} KiB/s": 0 < resize.after < least,
    }
    return next((said for said, is_so in wrong.items() if is_so), "")


POSSIBLE: Final[Mapping[What, Callable[[Resize, Guest], str]]] = {
    What.SHARES: _shares,
    What.QUOTA: _quota,
    What.BALLOON: _balloon,
    What.PLUGGED: _plugged,
    What.VCPUS: _vcpus,
    What.BLOCK: _traffic,
    What.NETWORK: _traffic,
}
WANTED: Final[Mapping[What, Callable[[Resize, Guest, Resizing], str]]] = {
    What.SHARES: _by_shares,
    What.QUOTA: _by_quota,
    What.BALLOON: _by_balloon,
    What.PLUGGED: _by_plugged,
    What.VCPUS: _by_vcpus,
    What.BLOCK: _by_traffic,
    What.NETWORK: _by_traffic,
}
