"""Hosts files: ranges, defaults and overrides, expanded to one HostConfig for each hypervisor."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from balancer.config.fields import read_resources
from balancer.config.host import HostConfig
from balancer.config.keys import Entry
from balancer.config.names import expand
from balancer.config.paths import named
from balancer.config.reading import Table, nearest, read_toml
from balancer.config.units import KIB_S, SECONDS
from balancer.planner.model.power import LEAST_POINTS
from balancer.ports import UsageError

NAMES: Final[Mapping[str, Entry]] = {
    "names": Entry("names", "must be given", '`"kvm[001-040]"` is forty hosts; a list is joined'),
    "name": Entry("names", "none", "the same, for one"),
}
DECLARED: Final[Mapping[str, Entry]] = {
    "uri": Entry("libvirt URI", "must be given", "how the planner reaches it; `{name}` is filled in"),
    "peer_uri": Entry("libvirt URI", "the `uri`", "how other hypervisors reach it to hand guests over"),
    "migration_address": Entry("address", "left to libvirt", "where guests' memory goes: chooses the network card"),
    "labels": Entry("table of text", "none", '`{ rack = "r1" }`: what rules speak of'),
    "networks": Entry("names", "libvirt's active networks", "what is really reachable there: one bridge name may be two networks"),
    "storage": Entry("names", "nothing is shared", "what is really shared: one path may be two exports"),
    "storage_paths": Entry("table of paths", "the libvirt pool of that name", 'what each storage name means: a path, a pool, `"rbd:pool"`'),
    "capacity": Entry("table of amounts", "as the hypervisor reports", 'overrides: `{ memory = "240GiB", cpu = 48 }`'),
    "link": Entry('rate, as `"10Gbit"`', "the policy's default_link", "migration link each way"),
    "power": Entry(
        "list of watts", "unknown", "drawn at evenly spaced loads from idle to busy, as `[150, 350]`"
    ),
    "answer_within": Entry('duration, as `"10s"`', '"10s"', "longest silence until it counts as not answering"),
}  # fmt: skip
SCHEME: Final = re.compile(r"(?:qemu|test)(?:\+(?:ssh|libssh2?|tls|tcp|unix))?")
PASSWORD: Final = re.compile(r"//[^/?#]*:[^/?#]*@")
TEMPLATE: Final = HostConfig(name="", uri="")


def read_hosts(tops: Iterable[Table]) -> tuple[HostConfig, ...]:
    """Return the hosts of all these files together, in order.

    [defaults] of a file are for its own hosts. [[overrides]] change hosts of any file, last.
    Raises UsageError naming file, table and key; also for a host that occurs twice.
    """
    found: dict[str, tuple[HostConfig, Table]] = {}
    overrides: list[Table] = []
    for top in tops:
        template = _declared(top.table("defaults"), TEMPLATE)
        overrides.extend(top.tables("overrides"))
        for table in top.tables("hosts"):
            for name in _names(table):
                if name in found:
                    _twice(table, name, found[name][1])
                found[name] = (_declared(table, template), table)
    for table in overrides:
        for name in _names(table):
            if name not in found:
                table.fail(_key(table), f'there is no host "{name}"{nearest(name, found)}')
            found[name] = (_declared(table, found[name][0]), table)
    return tuple(_filled(host, name, table) for name, (host, table) in found.items())


def hosts_files(names: Iterable[str], folder: Path) -> Iterator[Table]:
    """Yield the top table of each file named; of a folder, of each *.toml in it, sorted.

    Names are relative to `folder`. Raises UsageError where one is not there.
    """
    for name in names:
        path = named(name, folder)
        for file in sorted(path.glob("*.toml")) if path.is_dir() else [path]:
            top = read_toml(file)
            top.only(["defaults", "hosts", "overrides"])
            yield top


def _names(table: Table) -> tuple[str, ...]:
    table.only((*NAMES, *DECLARED))
    patterns = table.texts(_key(table))
    if not patterns or ("name" in table.values and "names" in table.values):
        table.fail("names", 'say which hosts these are, for example names = "kvm[001-040]"')
    try:
        return tuple(dict.fromkeys(name for pattern in patterns for name in expand(pattern)))
    except ValueError as error:
        table.fail(_key(table), str(error))


def _key(table: Table) -> str:
    return "name" if "name" in table.values else "names"


def _twice(table: Table, name: str, first: Table) -> None:
    where = first.path if first.file == table.file else f"{first.path} of {first.file}"
    table.fail(
        _key(table),
        f'host "{name}" is in {where} already; name it once and change single keys in [[overrides]]',
    )


def _declared(table: Table, base: HostConfig) -> HostConfig:
    """Return `base` with what the table declares; tables within are joined key by key."""
    table.only((*NAMES, *DECLARED) if table.path != "defaults" else DECLARED)
    said: dict[str, Any] = {
        key: table.text(key)
        for key in ("uri", "peer_uri", "migration_address")
        if key in table.values
    }
    for key in ("networks", "storage"):
        if key in table.values:
            said[key] = table.texts(key)
    if "link" in table.values:
        said["link_kib_s"] = int(table.amount("link", KIB_S, 0))
    if "power" in table.values:
        said["power"] = watts(table)
    if "answer_within" in table.values:
        said["answer_within"] = _patience(table)
    return replace(
        base,
        **said,
        labels={**base.labels, **table.strings("labels")},
        storage_paths={**base.storage_paths, **table.strings("storage_paths")},
        capacity={**base.capacity, **read_resources(table, "capacity")},
    )


def watts(table: Table) -> tuple[int, ...]:
    """Return the power curve of `power`: watts from idle to busy, two or more.

    Raises UsageError for anything else.
    """
    listed = table.values["power"]
    if not isinstance(listed, list) or len(listed) < LEAST_POINTS:
        table.fail("power", "must list two or more watts, from idle to busy, as [150, 350]")
    if not all(isinstance(w, int) and not isinstance(w, bool) and w >= 0 for w in listed):
        table.fail("power", "must be whole watts from 0 on, as [150, 350]")
    return tuple(listed)


def _patience(table: Table) -> float:
    seconds = float(table.amount("answer_within", SECONDS, 0))
    if seconds <= 0:
        table.fail("answer_within", 'must be longer than nothing, for example "10s"')
    return seconds


def _filled(host: HostConfig, name: str, table: Table) -> HostConfig:
    """Return the host under its name, every `{name}` filled in, its addresses checked."""
    paths = _fill_all(host.storage_paths, name)
    storage = host.storage if host.storage is not None or not paths else tuple(paths)
    full = replace(
        host,
        name=name,
        uri=_fill(host.uri, name),
        peer_uri=_fill(host.peer_uri, name),
        migration_address=_fill(host.migration_address, name),
        labels=_fill_all(host.labels, name),
        storage=storage,
        storage_paths=paths,
    )
    if not full.uri:
        table.fail("uri", 'missing; for example uri = "qemu+ssh://balancer@{name}/system"')
    _check_uri(table, "uri", full.uri)
    if full.peer_uri and not _check_uri(table, "peer_uri", full.peer_uri).hostname:
        table.fail("peer_uri", f'"{full.peer_uri}" names no host: others would reach themselves')
    _check_address(table, full.migration_address)
    for lost in sorted(paths.keys() - set(storage or ())):
        table.fail("storage_paths", f'"{lost}" is not among the storage declared; add it there')
    return full


def _fill(text: str, name: str) -> str:
    return text.replace("{name}", name)


def _fill_all(texts: Mapping[str, str], name: str) -> Mapping[str, str]:
    return {key: _fill(text, name) for key, text in texts.items()}


def _check_uri(table: Table, key: str, uri: str) -> SplitResult:
    """Return the parts of a URI that libvirt could understand; refuse any other."""
    if PASSWORD.search(uri):
        place = f"{table.file}: {table.dotted(key)}"  # and not the value, which may be logged
        raise UsageError(f"{place}: holds a password; use SSH keys or TLS certificates instead")
    try:
        parts = urlsplit(uri)
        _ = parts.port  # reading it is the check
    except ValueError as error:
        table.fail(key, f'"{uri}" is no address: {error}')
    if any(c.isspace() or not c.isprintable() for c in uri):
        table.fail(key, f"{uri!r} holds blanks or control characters; remove them")
    if "{" in uri or "}" in uri:
        table.fail(key, f'"{uri}": {{name}} is the only placeholder')
    if not SCHEME.fullmatch(parts.scheme):
        table.fail(
            key, f'"{uri}" is no address of a hypervisor; write it as qemu+ssh://user@host/system'
        )
    return parts


def _check_address(table: Table, address: str) -> None:
    bad = not address.isprintable() or any(c.isspace() or c in "{}/@" for c in address)
    if bad:
        table.fail("migration_address", f"{address!r} is no host name or IP address")
