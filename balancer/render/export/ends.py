"""How the hosts of a plan are reached by whoever carries it out without us."""

from dataclasses import dataclass


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


def mib_s(rate_kib_s: int) -> int:
    """Return a rate as libvirt takes it: whole MiB/s, at least 1."""
    return max(1, rate_kib_s // 1024)
