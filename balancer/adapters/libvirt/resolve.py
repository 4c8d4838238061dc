"""Which declared network and storage a guest is on: what is not declared is not the same elsewhere.

The same bridge name is not the same VLAN and the same path is not the same export. So a name
counts across hosts only where the operator declared it, or where libvirt's own network says that
it leads outside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from balancer.adapters.libvirt.disks import Disk, Nic, lies_in, tidy
from balancer.adapters.libvirt.host_xml import NetworkFacts, PoolFacts
from balancer.adapters.libvirt.ties import LOCAL_DISK, tie
from balancer.config.host import HostConfig
from balancer.planner.model.cluster import Tie

UNKNOWN: Final = "unknown:"
UNKNOWN_STORAGE: Final = "unknown-storage"
UNKNOWN_NETWORK: Final = "unknown-network"

LOCAL_POOLS: Final = ("dir", "fs", "logical")
"""Kinds of pools that are on one host and in which disks can be made by name and size."""
LEADS_OUTSIDE: Final = ("bridge", "private", "vepa", "passthrough")
"""Modes of libvirt networks that are a part of the network outside; NAT and the like are not."""


@dataclass(frozen=True, slots=True)
class Offers:
    """What one host offers to guests, by names that mean the same on every host."""

    networks: tuple[str, ...]
    storage: tuple[str, ...]
    bridges: Mapping[str, str]
    """Bridge to the offered libvirt network on it."""
    modes: Mapping[str, str]
    """Active libvirt network to its mode."""
    places: Mapping[str, str]
    """Path or `rbd:pool` to the storage offered there."""
    pools: Mapping[str, str]
    """Target path to the libvirt pool there, declared or not."""
    storage_declared: bool
    images: Mapping[str, int]
    """Folder or `pool:name` where disks of one host alone can be made, to the MiB free there."""
    doubts: tuple[str, ...] = ()


def offers(
    config: HostConfig, networks: Sequence[NetworkFacts], pools: Sequence[PoolFacts]
) -> Offers:
    """Return what a host offers, by its declaration and by what is active there."""
    outside = tuple(sorted(n.name for n in networks if n.mode in LEADS_OUTSIDE))
    offered = outside if config.networks is None else config.networks
    places: dict[str, str] = {}
    doubts = []
    for storage in config.storage or ():
        found = _places(storage, config, pools)
        places |= dict.fromkeys(found, storage)
        if not found:
            doubts.append(
                f"{config.name}: storage {storage} is declared, but no libvirt pool of that name "
                f"is active there: start it, or name its path under `storage_paths`"
            )
    return Offers(
        networks=tuple(offered),
        storage=tuple(s for s in config.storage or () if s in places.values()),
        bridges={n.bridge: n.name for n in networks if n.bridge and n.name in offered},
        modes={n.name: n.mode for n in networks},
        places=places,
        pools={pool.target: pool.name for pool in pools if pool.target},
        storage_declared=config.storage is not None,
        images=_images(pools, places),
        doubts=tuple(doubts),
    )


def _places(storage: str, config: HostConfig, pools: Sequence[PoolFacts]) -> tuple[str, ...]:
    """Return where a storage's images are found on a host; nothing if it is not there."""
    meaning = config.storage_paths.get(storage, storage)
    if meaning.startswith("/"):
        return (tidy(meaning),)
    if ":" in meaning:
        return (meaning,)
    pool = next((p for p in pools if p.name == meaning), None)
    if pool is None:
        return ()
    remote = pool.source if pool.kind in ("rbd", "gluster") else ""
    return tuple(place for place in (f"pool:{meaning}", pool.target, remote) if place)


def _images(pools: Sequence[PoolFacts], places: Mapping[str, str]) -> Mapping[str, int]:
    """Return the pools of this host alone in which disks can be made, by folder and by name."""
    own = [
        pool
        for pool in pools
        if pool.kind in LOCAL_POOLS
        and pool.target
        and not any(lies_in(pool.target, place) for place in places)
    ]
    names = {f"pool:{pool.name}": pool.free_mib for pool in own}
    return {**names, **{pool.target: pool.free_mib for pool in own}}


def network(nic: Nic, there: Offers) -> tuple[str, Tie | None]:
    """Return the network a card needs, and a tie if nothing is known of it."""
    candidates = (nic.name, nic.bridge, there.bridges.get(nic.name, ""))
    known = next((name for name in candidates if name and name in there.networks), "")
    if known:
        return known, None
    name = f"{nic.name} ({there.modes.get(nic.name, nic.kind)})".strip()
    detail = f"network {name}: declare it in the hosts file where it is the same network"
    return f"{UNKNOWN}{nic.name or nic.kind}", tie(UNKNOWN_NETWORK, detail)


def storage(disk: Disk, there: Offers) -> tuple[str, Tie | None]:
    """Return the storage a disk needs, and a tie if it is on this host alone or not known."""
    matching = [place for place in there.places if lies_in(disk.locus, place)]
    if matching:
        return there.places[max(matching, key=len)], None
    return f"{UNKNOWN}{disk.locus}", _storage_tie(disk, there)


def _storage_tie(disk: Disk, there: Offers) -> Tie:
    where = f"{disk.target} {disk.locus}".strip()
    pool = next((p for path, p in there.pools.items() if lies_in(disk.locus, path)), "")
    if pool:
        where += f" (pool {pool})"
    if disk.medium:
        return tie(LOCAL_DISK, f"medium {where}: eject it, or declare its storage if it is shared")
    if there.storage_declared and disk.locus.startswith(("/", "pool:")):
        return tie(LOCAL_DISK, f"{where}: not on storage declared as shared")
    return tie(
        UNKNOWN_STORAGE, f"{where}: cannot tell if shared: declare its storage in the hosts file"
    )
