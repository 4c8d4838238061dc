"""Hadoop's rack-awareness script: guests' names and addresses to the rack they are in now.

Hadoop runs the program that `net.topology.script.file.name` names with up to a hundred addresses or names at
a time, and reads one location for each, parted by white space, all of the same depth
(https://hadoop.apache.org/docs/stable/hadoop-project-dist/hadoop-common/RackAwareness.html).
"""

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from balancer.planner.model.cluster import Cluster, Guest
from balancer.render.words import clean

ROOM: Final = "room"
RACK: Final = "rack"
ADDRESS: Final = "address"
"""Label of a guest that holds further names or addresses of it, parted by commas."""
SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
HEAD: Final = """\
#!/bin/sh
# Where each guest is, for net.topology.script.file.name of core-site.xml: run with addresses or
# names, it prints one location for each. Made by balancer from placement {fingerprint}.
# Hadoop remembers what it was told. Once guests have changed racks make this anew, and restart
# what asked: NameNode and ResourceManager.{groups}

place() {{
    case $1 in
"""
GROUPS: Final = """
# The last part is the host: for net.topology.nodegroup.aware = true with
# net.topology.impl = org.apache.hadoop.net.NetworkTopologyWithNodeGroup."""
FOOT: Final = """\
    *) return 1 ;;
    esac
}}

find_it() {{
    place "$1" && return
    case $1 in
    *[!0-9.]*) case $1 in *:*) ;; *) place "${{1%%.*}}" && return ;; esac ;;
    esac
    # an address that is not known by itself: by the names the system has for it
    for name in $(getent hosts "$1" 2>/dev/null); do
        case $name in
        *[!0-9.:]*) place "$name" && return; place "${{name%%.*}}" && return ;;
        esac
    done
    printf '%s\\n' {default}
}}

for node in "$@"; do
    find_it "$node"
done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """What a location is made of."""

    rooms: bool
    """Whether any host has a room: then all have one, for all locations must be as deep."""
    node_groups: bool
    """Whether the host is its last part: Hadoop's extension for guests that share hosts."""

    def default(self) -> str:
        """Return the location of a node that nobody knows."""
        parts = ["default-room"] * self.rooms + ["default-rack"] + ["nodegroup"] * self.node_groups
        return "/" + "/".join(parts)


def topology(
    cluster: Cluster, guests: Iterable[Guest], fingerprint: str, *, node_groups: bool = False
) -> str:
    """Return the script. Raises ValueError for labels, or names, that it cannot tell apart."""
    levels = Levels(
        rooms=any(ROOM in host.labels for host in cluster.hosts), node_groups=node_groups
    )
    names: dict[str, dict[str, None]] = {}
    for guest in sorted(guests, key=lambda g: (g.name, g.uuid)):
        there = _location(cluster, cluster.placement[guest.uuid], levels)
        for name in _names(guest):
            names.setdefault(name, {})[there] = None
    if twice := [name for name, places in names.items() if len(places) > 1]:
        raise ValueError(
            f"{len(names[twice[0]])} guests in different places are named {twice[0]}: "
            "choose some with --guests, or give them a label address of their own"
        )
    by_place: dict[str, list[str]] = {}
    for name, places in names.items():
        by_place.setdefault(next(iter(places)), []).append(name)
    head = HEAD.format(fingerprint=clean(fingerprint), groups=GROUPS if node_groups else "")
    return head + _cases(by_place) + FOOT.format(default=levels.default())


def _cases(by_place: Mapping[str, list[str]]) -> str:
    lines = [
        f"    {' | '.join(shlex.quote(name) for name in names)}) printf '%s\\n' {place} ;;\n"
        for place, names in sorted(by_place.items())
    ]
    return "".join(lines)


def _names(guest: Guest) -> tuple[str, ...]:
    """Return what the guest is known by: its name, and the addresses a label tells."""
    told = guest.labels.get(ADDRESS, "").split(",")
    words = (guest.name.replace("\0", ""), *(word.strip() for word in told))
    return tuple(dict.fromkeys(word for word in words if word))


def _location(cluster: Cluster, name: str, levels: Levels) -> str:
    host = cluster.host[name]
    label: Callable[[str], str] = lambda key: host.labels.get(key, f"default-{key}")  # noqa: E731 - a word for what follows
    parts = [(RACK, label(RACK))]
    if levels.rooms:
        parts = [(ROOM, label(ROOM)), *parts]
    if levels.node_groups:
        parts.append(("name", name))
    for key, part in parts:
        if not SAFE.fullmatch(part):
            raise ValueError(
                f"host {name}: {key} {part!r} cannot be part of a Hadoop location: "
                "letters, digits and . _ - only"
            )
    return "".join(f"/{part}" for _, part in parts)
