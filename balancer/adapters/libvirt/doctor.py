"""Read-only checks of an installation: what stands in the way of moving guests, and the remedy."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from balancer.adapters.libvirt import migration
from balancer.adapters.libvirt.assemble import Assembly, assemble
from balancer.adapters.libvirt.document import Unreadable
from balancer.adapters.libvirt.inventory import LibvirtInventory, View
from balancer.adapters.libvirt.resolve import UNKNOWN_NETWORK, UNKNOWN_STORAGE
from balancer.adapters.libvirt.sighting import DomainSighting, HostSighting
from balancer.adapters.libvirt.statistics import has_balloon_statistics
from balancer.config.host import HostConfig
from balancer.planner.model.cluster import Cluster, Guest
from balancer.planner.model.observation import Unseen
from balancer.ports import Clock, Finding, Grade

SKEW: Final = 3.0
"""Seconds that clocks may differ before it is worth a word; statistics are whole seconds."""


def examine(hosts: Sequence[HostConfig], clock: Clock) -> tuple[Finding, ...]:
    """Return all findings, worst first within each check. Nothing is changed anywhere.

    Raises UsageError where no host is configured.
    """
    inventory = LibvirtInventory(hosts, clock, sample_gap=0.0, read_only=True)
    try:
        view = inventory.view()
    finally:
        inventory.close()
    return conclude(hosts, view)


def conclude(hosts: Sequence[HostConfig], view: View) -> tuple[Finding, ...]:
    """Return what a view of the hosts tells; where none is seen, nothing but why."""
    if not view.glances:
        return tuple(_reachable(len(hosts), view.unseen))
    assembly = assemble(view.sightings)
    return (
        *_reachable(len(hosts), view.unseen),
        *_versions(view.sightings),
        *_clocks(view.sightings),
        *_trust(hosts),
        *_undeclared(assembly.cluster),
        *_guests(assembly.cluster),
        *_balloons(view.sightings),
        *_doubts(assembly),
    )


def _finding(check: str, subject: str, grade: Grade, sentence: str, remedy: str = "") -> Finding:
    return Finding(check=check, subject=subject, grade=grade, sentence=sentence, remedy=remedy)


def _reachable(count: int, unseen: Sequence[Unseen]) -> Iterator[Finding]:
    grade = Grade.FAULT if unseen else Grade.OK
    missing = f", {len(unseen)} not" if unseen else ""
    yield _finding("reachable", "", grade, f"{count} hosts: {count - len(unseen)} ok{missing}")
    for lost in unseen:
        yield _finding("reachable", lost.host, Grade.FAULT, lost.reason, lost.remedy)


def _versions(sightings: Sequence[HostSighting]) -> Iterator[Finding]:
    libvirts = _tally(version(s.libvirt_version) for s in sightings)
    qemus = Counter(s.qemu_version for s in sightings)
    sentence = f"libvirt {libvirts}; QEMU {_tally(version(s.qemu_version) for s in sightings)}"
    if len(qemus) > 1:
        yield _finding(
            "versions",
            "",
            Grade.NOTE,
            f"{sentence}: guests move only to an equal or newer QEMU",
            "bring all hosts to one version, the emptiest first",
        )
    else:
        yield _finding("versions", "", Grade.OK, sentence)
    modular = [s.config.name for s in sightings if _is_modular(s)]
    yield _finding(
        "versions",
        "",
        Grade.OK,
        f"{len(modular)} of {len(sightings)} hosts certainly use modular daemons; "
        "of the others libvirt does not tell",
    )


def _is_modular(sighting: HostSighting) -> bool:
    told = (sighting.config.uri, *sighting.doubts)
    return any(
        name in text for name in ("virtqemud", "virtnetworkd", "virtstoraged") for text in told
    )


def version(number: int) -> str:
    """Return libvirt's count of a version as people write it."""
    return f"{number // 10**6}.{number // 1000 % 1000}.{number % 1000}" if number else "unknown"


def _tally(values: Iterable[str]) -> str:
    return ", ".join(f"{value} on {count}" for value, count in sorted(Counter(values).items()))


def _clocks(sightings: Sequence[HostSighting]) -> Iterator[Finding]:
    """Compare clocks by the time stamps that hosts put on their guests' balloon statistics.

    libvirt has no call for a host's time. A stamp lies in the past by up to the statistics'
    period: a host may be said to be ahead with certainty, and behind only if nothing else explains it.
    """
    untold = []
    for sighting in sightings:
        offset = clock_offset(sighting)
        if offset is None:
            untold.append(sighting.config.name)
        elif abs(offset) > SKEW:
            way = "ahead" if offset > 0 else "behind"
            yield _finding(
                "clock",
                sighting.config.name,
                Grade.NOTE,
                f"its clock seems {way} by {abs(offset):.0f} s",
                "check NTP there and here",
            )
    if untold:
        yield _finding(
            "clock",
            "",
            Grade.OK,
            f"on {len(untold)} of {len(sightings)} hosts no guest has fresh balloon statistics: "
            "how their clocks are cannot be told over libvirt",
        )


def clock_offset(sighting: HostSighting) -> float | None:
    """Return by how many seconds a host's clock is ahead of ours, at least; None if untold."""
    stamps = [
        (int(domain.stats["balloon.last-update"]), domain.facts.balloon_period)
        for domain in sighting.domains
        if not isinstance(domain.facts, Unreadable)
        and domain.facts.balloon_period
        and has_balloon_statistics(domain.stats)
    ]
    if not stamps:
        return None
    newest, period = max(stamps)
    late = newest - sighting.reading.at
    if late > 0:
        return late
    behind = -late - period - 1
    return 0.0 if behind <= 0 else -behind


def _trust(hosts: Sequence[HostConfig]) -> Iterator[Finding]:
    """Say what can be told from here of how hosts reach each other."""
    sharing: dict[str, list[str]] = defaultdict(list)
    for host in hosts:
        uri = migration.peer_uri(host)
        sharing[uri].append(host.name)
        if fault := _peer_fault(host, uri):
            remedy = "set `peer_uri` in the hosts file: a URI that works on the other hosts"
            yield _finding("trust", host.name, Grade.FAULT, fault, remedy)
        elif not host.migration_address:
            yield _finding(
                "trust",
                host.name,
                Grade.NOTE,
                "no `migration_address`: data goes wherever its host name leads",
                "name its address on the migration network in the hosts file",
            )
    for uri, names in sharing.items():
        if uri and len(names) > 1:
            sentence = f"{', '.join(names)} have the same peer URI {uri}"
            yield _finding("trust", names[0], Grade.FAULT, sentence, "correct the hosts file")
    yield _finding(
        "trust",
        "",
        Grade.OK,
        "whether hosts accept each other's guests shows only in practice",
        "try a pair: balancer doctor --probe A B",
    )


def _peer_fault(host: HostConfig, uri: str) -> str:
    if not uri:
        return f"other hosts cannot reach it as {host.uri}"
    try:
        parts = urlsplit(uri)
    except ValueError:
        return f"its peer URI {uri} is malformed"
    if not parts.scheme or not parts.hostname:
        return f"its peer URI {uri} names no host"
    if parts.hostname in ("localhost", "127.0.0.1", "::1"):
        return f"its peer URI {uri} leads every host to itself"
    return ""


def _undeclared(cluster: Cluster) -> Iterator[Finding]:
    """Group what nobody declared: one finding for each place or network, not for each guest."""
    checks = {UNKNOWN_STORAGE: "storage", UNKNOWN_NETWORK: "networks"}
    for kind, check in checks.items():
        where: dict[str, set[str]] = defaultdict(set)
        count: Counter[str] = Counter()
        for guest in cluster.guests:
            for subject in {_place(t.detail, check) for t in guest.ties if t.kind == kind}:
                where[subject].add(cluster.placement[guest.uuid])
                count[subject] += 1
        for subject, hosts in sorted(where.items()):
            yield _finding(
                check,
                subject,
                Grade.FAULT,
                f"cannot tell if it is the same elsewhere: {count[subject]} guests "
                f"on {_some(sorted(hosts))} stay",
                f"declare it under `{check}` in the hosts file, on the hosts where it is",
            )
        if not where:
            yield _finding(check, "", Grade.OK, f"all {check} in use can be told apart")


def _place(detail: str, check: str) -> str:
    """Return the folder, pool or network that a tie's phrase speaks of."""
    phrase = detail.split(": ", maxsplit=1)[0]
    if check == "networks":
        return phrase.removeprefix("network ")
    place = phrase.split(" (pool ")[0].rpartition(" ")[2]
    return place.rpartition("/")[0] or place


def _some(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _guests(cluster: Cluster) -> Iterator[Finding]:
    tied = [guest for guest in cluster.guests if guest.ties]
    kinds = Counter(kind for guest in tied for kind in {tie.kind for tie in guest.ties})
    most_first = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    causes = ", ".join(f"{kind} {count}" for kind, count in most_first)
    yield _finding(
        "guests",
        "",
        Grade.NOTE if tied else Grade.OK,
        f"{len(cluster.guests)} guests running: {len(cluster.guests) - len(tied)} movable"
        + (f"; not: {causes}" if tied else ""),
    )
    for guest in tied:
        yield _finding("guests", guest.name, Grade.NOTE, _bound(guest, cluster.placement))


def _bound(guest: Guest, placement: Mapping[str, str]) -> str:
    details = "; ".join(tie.detail for tie in guest.ties)
    copied = all(tie.disk for tie in guest.ties)
    unless = " unless [allow] copy_local_disks names it" if copied else ""
    return f"stays on {placement[guest.uuid]}{unless}: {details}"


def _balloons(sightings: Sequence[HostSighting]) -> Iterator[Finding]:
    silent = [d.name for s in sightings for d in s.domains if _is_silent(d)]
    if silent:
        yield _finding(
            "guests",
            "",
            Grade.NOTE,
            f"{len(silent)} guests without balloon statistics ({_some(sorted(silent))}): "
            "resident memory is used",
            "<memballoon model='virtio'><stats period='10'/></memballoon>, "
            "or `virsh dommemstat GUEST --period 10 --live`",
        )


def _is_silent(domain: DomainSighting) -> bool:
    return not has_balloon_statistics(domain.stats)


def _doubts(assembly: Assembly) -> Iterator[Finding]:
    for doubt in assembly.doubts:
        sentence, _, remedy = doubt.rpartition(": ")
        subject = next(
            (h.name for h in assembly.cluster.hosts if doubt.startswith(f"{h.name}: ")), ""
        )
        check = "hosts" if subject else "twice"
        grade = Grade.NOTE if subject else Grade.FAULT
        yield _finding(check, subject, grade, sentence.removeprefix(f"{subject}: "), remedy)
    if not assembly.doubts:
        yield _finding("twice", "", Grade.OK, "no guest is defined in two places")
