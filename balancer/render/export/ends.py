"""How the hosts of a plan are reached by whoever carries it out without us."""

from dataclasses import dataclass

from balancer.planner.model.plan import Action
from balancer.planner.model.resize import Resize, What


@dataclass(frozen=True, slots=True)
class End:
    """One host."""

    uri: str
    """From where the script runs."""
    peer_uri: str
    """From other hosts."""
    migration_address: str = ""


def unknown(host: str) -> End:
    """Return the usual way to a host of which nothing is configured."""
    return End(f"qemu+ssh://{host}/system", f"qemu+ssh://{host}/system")


def migrate_uri(end: End) -> str:
    """Return where migration data goes; empty where libvirt chooses."""
    address = end.migration_address
    if not address:
        return ""
    return (
        f"tcp://[{address}]"
        if address.count(":") > 1 and "[" not in address
        else f"tcp://{address}"
    )


def copying(action: Action) -> tuple[str, ...]:
    """Return the words with which virsh copies local disks along: it makes them, and keeps the old."""
    if not action.copies:
        return ()
    return ("--copy-storage-all", f"--migrate-disks={','.join(action.copies)}")


def bandwidth(action: Action) -> str:
    """Return the option of virsh that holds it to its rate: each of several disks may take as much."""
    return f"--bandwidth={mib_s(action.rate_kib_s // max(1, len(action.copies)))}"


def mib_s(rate_kib_s: int) -> int:
    """Return a rate as libvirt takes it: whole MiB/s, at least 1."""
    return max(1, rate_kib_s // 1024)


def resizing(one: Resize) -> tuple[str, ...]:
    """Return the words after `virsh -c URI` that make a change; 1024 is the usual weight."""
    guest = f"--domain={one.guest}"
    if one.what is What.BALLOON:
        return ("setmem", guest, f"--size={one.after}MiB", "--live")
    if one.what is What.PLUGGED:
        return ("update-memory-device", guest, f"--requested-size={one.after}MiB", "--live")
    if one.what is What.VCPUS:
        return ("setvcpus", guest, f"--count={one.after}", "--live")
    words = ("schedinfo", guest, "--live")
    if one.what is What.SHARES:
        return (*words, "--set", f"cpu_shares={max(2, round(one.after * 1024 / 1000))}")
    quota = (
        (f"global_quota={one.after * 100}", "global_period=100000")
        if one.after
        else ("global_quota=-1",)
    )
    return (*words, *(word for s in ("vcpu_quota=-1", *quota) for word in ("--set", s)))


def commands(one: Resize) -> tuple[tuple[str, ...], ...]:
    """Return what `virsh -c URI` is told, one command after the other, to make a change."""
    if one.what is What.BLOCK:
        group = ("--group-name=balancer",) if len(one.devices) > 1 and one.after else ()
        limit = f"--total-bytes-sec={one.after * 1024}"
        return tuple(
            ("blkdeviotune", f"--domain={one.guest}", f"--device={disk}", limit, *group, "--live")
            for disk in one.devices
        )
    if one.what is What.NETWORK:
        each = max(1, one.after // max(1, len(one.devices))) if one.after else 0
        ways = (f"--inbound={each}", f"--outbound={each}")
        return tuple(
            ("domiftune", f"--domain={one.guest}", f"--interface={nic}", *ways, "--live")
            for nic in one.devices
        )
    return (resizing(one),)
