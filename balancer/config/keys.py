"""The vocabulary: each key of a policy, its unit, its range, and what it says.

A key means the same in whatever table it stands (or is listed as `table.key`). Keys that are not here are counts (int fields)
or ratios (float fields) from nought on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from balancer.config.units import (
    COUNT,
    FACTOR,
    KIB,
    KIB_S,
    MIB,
    MICROSECONDS,
    MILLICORES,
    MILLISECONDS,
    RATIO,
    SECONDS,
    Unit,
)
from balancer.planner.model.resources import HUGEPAGES


@dataclass(frozen=True, slots=True)
class Key:
    """One key."""

    sentence: str
    unit: Unit | None = None
    """None: a word, a selector, true or false, or a number of the field's own type."""
    least: float = 0
    """In the unit's own measure."""
    most: float = float("inf")


class Entry(NamedTuple):
    """One key of config.toml or of a hosts file, for the reference."""

    value: str
    """What a value looks like, its unit included."""
    default: str
    """As an operator would write it; in words where it is none."""
    sentence: str


KEYS: Final[Mapping[str, Key]] = {
    # of hot
    "cpu_pressure": Key("share of the time tasks may wait for a processor (PSI, where a source of metrics tells it) before a host counts as hot", RATIO, 0.01, 1),
    "memory_pressure": Key("the same for memory", RATIO, 0.01, 1),
    "cpu_used": Key("share of its processors a host may use before it counts as hot", RATIO, 0.01, 1),
    "memory_used": Key("share of its memory a host may use before it counts as hot", RATIO, 0.01, 1),
    "lasting": Key("how long load must have been too much before it is a reason to move", SECONDS, 0, 86_400),
    # of capacity
    "vcpus_per_core": Key("virtual processors that one core may carry", FACTOR, 0.01),
    "emulated_per_core": Key("virtual processors that one core may carry, of guests whose code is translated: never counted among the others", FACTOR, 0.01),
    "memory_overcommit": Key("allocated memory a host may carry, as a ratio to what it has", FACTOR, 0.01),
    "keep_for_hypervisor": Key("memory of each host that no guest gets", MIB),
    "numa.vcpus_per_core": Key("virtual processors that one processor of a cell may carry", FACTOR, 0.01),
    # of forecast
    "horizon": Key("how far ahead demand is expected", SECONDS, 300, 7 * 86_400),
    "quantile": Key("share of the time that a guest's peak covers", RATIO, 0.5, 0.999),
    "lookback": Key("how far back the history is read", SECONDS, 3600, 366 * 86_400),
    "slowdown": Key("times the CPU that a translated guest uses on hosts of another architecture than on hosts of its own; what guests that have moved showed takes its place", FACTOR, 0.1, 1000),
    "scenarios": Key("joint futures held against hosts: guests that peak together are kept apart", COUNT, 0, 100),
    # of limits
    "moves_per_hour": Key("migrations that may start in any hour", COUNT),
    "data_per_hour": Key("memory that may be sent in any hour", MIB),
    "moves_per_hour_per_host": Key("migrations that one host may take part in within any hour; looked at when each starts", COUNT, 1),
    "at_once_per_host": Key("migrations at a time that one host takes part in", COUNT, 1),
    "at_once_total": Key("migrations at a time in all", COUNT, 1),
    "migration_link_share": Key("share of a migration link that may be filled", RATIO, 0.01, 1),
    "default_link": Key("migration link assumed where a host declares none", KIB_S, 1),
    "same_guest_again_after": Key("rest of a guest between two moves for balance", SECONDS),
    "same_host_again_after": Key("how long a guest keeps off a host that load drove it from, unless going back pays clearly", SECONDS),
    "resizes_per_hour": Key("settings of guests that may be changed in any hour, by `[[resize]]`", COUNT),
    "resize_again_after": Key("rest of a setting after it was changed", SECONDS),
    "memory_taken_per_hour": Key("memory that may be taken in any hour, of all guests together", MIB),
    "pause_at_most": Key("longest pause of a guest at the end of a migration", MILLISECONDS, 1),
    "minimum_gain": Key("share of the imbalance that a plan must remove to be worth it", RATIO, 0, 1),
    "hotter_on_the_way": Key("share of one host by which hosts may be further beyond hot between two moves than before and after a plan", RATIO, 0, 10),
    # of distance
    "same_rack": Key("how long an answer takes, there and back, between two hosts of one rack (label `rack`)", MICROSECONDS),
    "same_room": Key("the same between two racks of one room (label `room`)", MICROSECONDS),
    "beyond": Key("the same between two rooms", MICROSECONDS),
    # of allow
    "post_copy": Key("let these go on at the target before all memory is there, where nothing milder helps: if the link or a host dies then, the guest is lost"),
    "auto_converge": Key("slow these down as far as it takes, where nothing milder helps"),
    "unsafe_storage": Key("move these though libvirt calls the cache mode of their disks unsafe: what the target reads too early, it reads wrong"),
    "copy_local_disks": Key("copy the local disks of these along, into the storage pool of the same folder on the target; the old copy is removed once they run there"),
    "cold_moves": Key("shut these down and start them on the target, where no live move brings them there: down for about 45 s, and for as long as they take to shut down and boot"),
    "emulation": Key("move these to hosts of another architecture, too, which translate theirs: many times slower"),
    "temporary_moves": Key("go through a third host where a direct order does not exist"),
    # of rules and goals
    "guests": Key("the guests it speaks of: a pattern or a list of them"),
    "hosts": Key("the hosts it speaks of: a pattern or a list of them"),
    "others": Key("the guests that these are kept away from: a pattern or a list of them"),
    "hosts_lost": Key("how many are lost at a time", COUNT, 1),
    "fallback_hosts": Key("the second choice, where `hosts` have no room: a pattern or a list of them"),
    "at_least": Key("places they use at least; 0: any number", COUNT),
    "places.at_most": Key("places they use at most; 0: any number", COUNT),
    "licence.at_most": Key("hosts they may run on at a time", COUNT),
    "across": Key("what counts as one place: `host`, or a label of hosts, as `rack`"),
    "at_most": Key("guests allowed in one place", COUNT),
    "when": Key("one window or a list: `daily 01:00-05:00`, `mon-fri 08:00-18:00`, `2026-12-23 to 2027-01-02`"),
    "hard": Key("false: may be broken, at a price"),
    "name": Key("what reports call it; needed where two rules would be called the same"),
    "each_group_alone": Key("true: every pattern of `guests` is a group of its own"),
    "quorum": Key("true: the loss of any one place leaves most of them; `at_most` is not looked at"),
    "rate": Key("what they send each other in all, both ways together, on average", KIB_S, 1),
    "request": Key("what is sent before somebody waits for an answer", KIB, 1),
    "traffic.others": Key("whom `guests` talk to: a pattern or a list of them; none: each other"),
    "evenly": Key("true: no place holds more than its even share, rounded up; `at_most` is not looked at"),
    "cpu": Key("share of its processors that stays free", None, 0, 1),
    "memory": Key("share of its memory that stays free", None, 0, 1),
    "balance.cpu": Key("whether use of processors is balanced"),
    "balance.memory": Key("whether use of memory is balanced"),
    "even.cpu": Key("weight of even use of processors; 0 for none", COUNT),
    "even.memory": Key("weight of even use of memory; 0 for none", COUNT),
    "even.guests": Key("weight of an even number of guests on each host; 0 for none", COUNT),
    "points_per_host": Key("price of a host that has any guest; 0: none is emptied", COUNT),
    "vcpus_free": Key("virtual processors of the guest that is to fit; 0: any", COUNT),
    "memory_free": Key("memory of the guest that is to fit; 0: any", MIB),
    "on_hosts": Key("hosts that are each to have such a hole", COUNT, 1),
    "points_per_gib": Key("price of each GiB a move sends; 0: as aggressiveness says", COUNT),
    "minimise": Key("`data`: moves cost by what they send; `moves`: the fewest moves, then the least data"),
    "within": Key("how far above the cluster's mean a host may be", RATIO, 0, 1),
    "margin": Key("how far below the limit a hot host is brought", RATIO, 0, 1),
    "moving_at_once": Key("of these at most so many move at a time", COUNT, 1),
    "share_at_once": Key("in place of `moving_at_once`: so large a part of the group, rounded down, but always one; nought: a number", RATIO, 0, 1),
    "wait_between": Key("how long after one has moved the next may", SECONDS, 0, 7 * 86_400),
    "careful.pause_at_most": Key("longest pause of these, where that is less than `limits` says; nought: as there", MILLISECONDS, 1),
    # of resize
    "shares": Key("weight where CPU is short, against guests that nobody gave another; 1 is usual", RATIO, 0, 100),
    "reserve": Key("what each gets of CPU, in cores, before anybody gets by shares", MILLICORES),
    "limit": Key("what each gets of CPU at most, in cores; 0: no limit", MILLICORES),
    "priority": Key("what a second of its waiting beyond `reserve` counts: 1 as anybody's, 0 nothing at all, so that it is no reason to move", RATIO, 0, 1),
    "dedicated": Key("true: nothing is ever taken from them"),
    "resizing.memory": Key("true: memory that they do not use may be taken by balloon, or unplugged where it was plugged by virtio-mem; they get it back, or more, when they need it"),
    "floor": Key("memory below which they are never brought", MIB),
    "disk_limit": Key("what the disks of each read and write at most; 0: no limit", KIB_S),
    "disk_least": Key("what the disks of each read and write at least where their host's `capacity` has not enough `disk` for all: they give way by shares, and are held no longer than needed; 0: to nobody", KIB_S),
    "network_limit": Key("what the network devices of each carry at most, each way; 0: no limit", KIB_S),
    "network_least": Key("the same as `disk_least` of the host's `network`", KIB_S),
    "idle": Key("how long memory, or a virtual processor, must have been unused before it is taken", SECONDS, 0, 7 * 86_400),
    "vcpus": Key("true: virtual processors are plugged into those that use all they have, and taken back once unused"),
    "most_vcpus": Key("virtual processors that are never exceeded; 0: as many as its XML allows", COUNT),
    "least_vcpus": Key("virtual processors below which none is taken back", COUNT),
    "step": Key("memory that is taken at a time", MIB),
    "resizing.margin": Key("share of what a guest works with that it keeps on top of that", RATIO, 0, 10),
    "may_be_empty": Key("true: no fault if its patterns match nothing"),
}  # fmt: skip

SPELT: Final[Mapping[str, str]] = {"default_link_kib_s": "default_link"}
"""Field to key, where they differ: no key names a unit."""

RESOURCE_UNITS: Final[Mapping[str, Unit]] = {
    "cpu": MILLICORES,
    "vcpus": COUNT,
    "memory": MIB,
    "disk": KIB_S,
    "network": KIB_S,
}
"""Dimension to the unit its amounts are written in."""


def resource_unit(name: str) -> Unit | None:
    """Return the unit of a resource, or None if there is no such resource."""
    if name.startswith(HUGEPAGES) and name.removeprefix(HUGEPAGES).isdecimal():
        return COUNT
    return RESOURCE_UNITS.get(name)
