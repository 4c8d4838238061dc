"""Which guests or hosts a rule speaks of, as operators write it.

A pattern is a name glob, or `label:role=broker`, `group:kafka`, `uuid:…`, `owner:pacemaker`,
`meta:nova/project=x`, `host:kvm0*` (guests by where they run); `!` in front excludes.
Values may be globs. A selector is a union of its plain patterns less its excluded ones;
with exclusions alone it starts from everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from balancer.planner.model.cluster import Cluster, Guest, Host

GUEST_KINDS = ("label", "group", "uuid", "owner", "meta", "host", "name")
HOST_KINDS = ("label", "name")


@dataclass(frozen=True, slots=True)
class Selector:
    """Patterns as written, in order."""

    patterns: tuple[str, ...]
    may_be_empty: bool = False

    @property
    def text(self) -> str:
        """The patterns as one phrase."""
        return ", ".join(self.patterns)

    def guests(self, cluster: Cluster, groups: Mapping[str, "Selector"]) -> tuple[str, ...]:
        """Return the uuids of the guests selected, sorted.

        Raises KeyError naming a `group:` that is not in `groups`, ValueError for groups that
        contain themselves.
        """
        return tuple(
            sorted(g.uuid for g in cluster.guests if _selects(self, g, cluster, groups, ()))
        )

    def hosts(self, cluster: Cluster) -> tuple[str, ...]:
        """Return the names of the hosts selected, in the cluster's order."""
        return tuple(
            host.name
            for host in cluster.hosts
            if _combined([(p, _host_matches(p.removeprefix("!"), host)) for p in self.patterns])
        )


EVERYTHING = Selector(("*",), may_be_empty=True)


def split(pattern: str, kinds: tuple[str, ...]) -> tuple[str, str]:
    """Return (kind, rest) of a pattern without its `!`; a plain glob is of kind `name`."""
    kind, colon, rest = pattern.partition(":")
    return (kind, rest) if colon and kind in kinds else ("name", pattern)


def _combined(verdicts: list[tuple[str, bool]]) -> bool:
    wanted = [hit for pattern, hit in verdicts if not pattern.startswith("!")]
    barred = [hit for pattern, hit in verdicts if pattern.startswith("!")]
    return (any(wanted) if wanted else bool(barred)) and not any(barred)


def _selects(
    selector: Selector,
    guest: Guest,
    cluster: Cluster,
    groups: Mapping[str, Selector],
    within: tuple[str, ...],
) -> bool:
    return _combined(
        [
            (p, _guest_matches(p.removeprefix("!"), guest, cluster, groups, within))
            for p in selector.patterns
        ]
    )


def _guest_matches(
    pattern: str,
    guest: Guest,
    cluster: Cluster,
    groups: Mapping[str, Selector],
    within: tuple[str, ...],
) -> bool:
    kind, rest = split(pattern, GUEST_KINDS)
    if kind == "group":
        if rest in within:
            raise ValueError(f"group {rest} contains itself")
        return _selects(groups[rest], guest, cluster, groups, (*within, rest))
    pairs = {"label": guest.labels, "meta": guest.metadata}
    if kind in pairs:
        return _pair_matches(rest, pairs[kind])
    words = {
        "uuid": guest.uuid,
        "owner": guest.owner,
        "host": cluster.placement[guest.uuid],
        "name": guest.name,
    }
    return bool(words[kind]) and fnmatchcase(words[kind], rest)


def _host_matches(pattern: str, host: Host) -> bool:
    kind, rest = split(pattern, HOST_KINDS)
    return _pair_matches(rest, host.labels) if kind == "label" else fnmatchcase(host.name, rest)


def _pair_matches(pair: str, values: Mapping[str, str]) -> bool:
    """`key=glob`, or `key` alone for any value."""
    key, equals, glob = pair.partition("=")
    return key in values and (not equals or fnmatchcase(values[key], glob))
