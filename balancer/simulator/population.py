"""The hosts and guests of a scenario, by hand or drawn: `[[hosts]]` and `[[guests]]`.

Where a guest's key holds a list, each guest of the table draws one of the values, by the
scenario's seed: the same file and seed give the same cluster everywhere.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, TypeVar, cast
from uuid import NAMESPACE_DNS, uuid5
from zlib import crc32

from balancer.config.hosts import watts as declared_watts
from balancer.config.names import expand
from balancer.config.reading import Table, nearest
from balancer.config.units import COUNT, FACTOR, KIB_S, MIB, MILLICORES, RATIO, SECONDS, Unit
from balancer.planner.model.cluster import (
    NATIVE,
    TRANSLATED,
    Cluster,
    Guest,
    GuestCpu,
    Host,
    HostState,
    LocalDisk,
    Tie,
)
from balancer.planner.model.knobs import Knobs
from balancer.planner.model.resize import What
from balancer.planner.model.resources import CPU, DISK, MEMORY, NETWORK, VCPUS
from balancer.simulator.counting.power import DEFAULT_WATTS
from balancer.simulator.workloads import (
    DAY,
    SHAPES,
    Burst,
    Constant,
    Diurnal,
    Noisy,
    Phases,
    Step,
    Workload,
    chance,
)
from balancer.simulator.world import SimulatedGuest, SimulatedHost, World

T = TypeVar("T")

HOST_KEYS: Final = (
    "names", "cpu", "memory", "reserve", "link", "labels", "networks", "storage", "state",
    "qemu", "cpu_models", "power", "local_storage", "architecture", "accelerators", "emulates",
    "slowdown", "disk", "network",
)  # fmt: skip
GUEST_KEYS: Final = (
    "names", "on", "vcpus", "memory", "used", "cpu", "noise", "dirty", "hot_set", "labels",
    "networks", "storage", "owner", "tie", "cpu_model", "local_disk", "patient",
    "quota", "working", "max_vcpus", "max_memory", "architecture", "accelerator", "disk", "network",
)  # fmt: skip
NATIVE_HERE: Final = "x86_64"
"""The architecture of hosts and guests that name none."""
PLUGS: Final = "where memory is plugged, that is how some is taken"
"""What a guest's balloon says into which memory can be plugged."""
LOCAL: Final = "/var/lib/libvirt/images"
"""Where local disks lie."""
SHAPE_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "constant": ("cpu",),
    "step": ("before", "after", "at"),
    "diurnal": ("low", "high", "peak"),
    "burst": ("low", "high", "every", "lasting"),
    "phases": ("low", "high", "every", "lasting"),
}


class Dice:
    """Draws that depend on the seed and on nothing else."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._number = count()

    def one_of(self, options: Sequence[T]) -> T:
        """Return one of `options`."""
        return options[int(chance(self._seed, next(self._number)) * len(options))]


@dataclass(slots=True)
class Population:
    """Hosts and guests as they are added, and where each guest starts."""

    start: float
    seed: int
    hosts: dict[str, Host] = field(default_factory=dict)
    guests: dict[str, SimulatedGuest] = field(default_factory=dict)
    placement: dict[str, str] = field(default_factory=dict)
    watts: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Power curve by host, where one is given."""
    slowdowns: dict[str, float] = field(default_factory=dict)
    """What each host makes of guests of other architectures."""
    happenings: list[tuple[float, Callable[[World], None]]] = field(default_factory=list)
    """What its guests do at set times, whatever the file's events are."""
    later: dict[str, SimulatedHost] = field(default_factory=dict)
    """Hosts that events bring."""
    _room: dict[str, int] = field(default_factory=dict)
    """Memory not allocated yet, MiB by host."""

    @property
    def cluster(self) -> Cluster:
        """The hosts and guests as the planner knows such things."""
        guests = tuple(guest.spec for guest in self.guests.values())
        return Cluster(tuple(self.hosts.values()), guests, self.placement)

    def add_hosts(self, table: Table) -> None:
        """Add the hosts of one `[[hosts]]`."""
        table.only(HOST_KEYS)
        for host in self.described(table):
            self.add_host(host.spec)
            self.watts[host.spec.name] = host.watts
            self.slowdowns[host.spec.name] = host.slowdown

    def add_host(self, host: Host) -> None:
        """Add one host."""
        self.hosts[host.name] = host
        self._room[host.name] = host.usable[MEMORY]

    def described(self, table: Table) -> tuple[SimulatedHost, ...]:
        """Return the hosts that a table describes; none may have a name that is known already."""
        found: dict[str, SimulatedHost] = {}
        for name in names(table):
            if name in {**self.hosts, **self.later, **found}:
                table.fail("names", f"{name} is given twice")
            slowdown = table.amount("slowdown", FACTOR, 1.0)
            found[name] = SimulatedHost(_host(table, name), watts=watts(table), slowdown=slowdown)
        return tuple(found.values())

    def add_guest(self, guest: SimulatedGuest, home: str) -> None:
        """Add one guest where it runs."""
        self.guests[guest.spec.uuid] = guest
        self.placement[guest.spec.uuid] = home
        self._room[home] -= guest.spec.allocation[MEMORY]

    def add_guests(self, table: Table, number: int) -> None:
        """Add the guests of one `[[guests]]`, the `number`th of the file."""
        table.only(GUEST_KEYS)
        dice = Dice(self.seed * 1009 + number)
        homes = table.texts("on")
        for home in homes:
            if home not in self.hosts:
                table.fail("on", f"no host {home}{nearest(home, self.hosts)}")
        for index, name in enumerate(names(table)):
            guest = self.guest(drawn(table, dice), name)
            if guest.spec.uuid in self.guests:
                table.fail("names", f"{name} is given twice")
            memory = guest.spec.allocation[MEMORY]
            home = homes[index % len(homes)] if homes else self._home(table, name, memory, dice)
            self.add_guest(guest, home)

    def _home(self, table: Table, name: str, memory: int, dice: Dice) -> str:
        roomy = [host for host, room in self._room.items() if room >= memory]
        if not roomy:
            table.fail("names", f"{name} fits on no host: give more hosts, or memory to them")
        return dice.one_of(roomy)

    def guest(self, table: Table, name: str) -> SimulatedGuest:
        """Return the guest that a table describes, from which everything is drawn already."""
        memory = int(table.amount("memory", MIB, 4096))
        disks = tuple(_disks(table, name))
        most = int(table.amount("max_memory", MIB, 0))
        used = int(memory * min(1.0, table.amount("used", RATIO, 0.75)))
        spec = Guest(
            uuid=str(uuid5(NAMESPACE_DNS, name)),
            name=name,
            allocation={VCPUS: int(table.amount("vcpus", COUNT, 2)), MEMORY: memory},
            labels=table.strings("labels"),
            owner=table.text("owner"),
            architecture=table.text("architecture", NATIVE_HERE),
            accelerator=table.choice("accelerator", (NATIVE, TRANSLATED), NATIVE),
            cpu=GuestCpu(model=table.text("cpu_model")),
            networks=tuple(sorted(table.texts("networks"))),
            storage=tuple(sorted((*table.texts("storage"), *(disk.storage for disk in disks)))),
            disks=disks,
            ties=(
                *(Tie(kind=kind, detail=f"{kind} of {name}") for kind in table.texts("tie")),
                *(Tie(kind="local-disk", detail=f"vda {LOCAL}", disk=d.name) for d in disks),
            ),
            knobs=Knobs(
                quota=int(table.amount("quota", MILLICORES, 0)),
                balloon=0 if most > memory else memory,
                most_plugged=max(0, most - memory),
                missing={What.BALLOON: PLUGS} if most > memory else {},
                disks=("vda",),
                nics=("eth0",),
                most_vcpus=int(table.amount("max_vcpus", COUNT, 0)),
            ),
        )
        return SimulatedGuest(
            spec=spec,
            cpu=workload(table, self.start, self.seed ^ crc32(name.encode())),
            memory_mib=used,
            dirty_mib_s=int(table.amount("dirty", KIB_S, 0)) // 1024,
            hot_set_mib=int(used * min(1.0, table.amount("hot_set", RATIO, 0.05))),
            working_mib=int(used * min(1.0, table.amount("working", RATIO, 1.0))),
            disk_kib_s=int(table.amount("disk", KIB_S, 0)),
            network_kib_s=int(table.amount("network", KIB_S, 0)),
            patient=table.flag("patient", default=False),
        )


def _disks(table: Table, name: str) -> Iterator[LocalDisk]:
    """Yield the guest's local disk, full to its last byte, where it has one."""
    if size := int(table.amount("local_disk", MIB, 0)):
        where = f"unknown:{LOCAL}/{name}"
        yield LocalDisk(name="vda", place=LOCAL, storage=where, size_mib=size, used_mib=size)


def names(table: Table) -> tuple[str, ...]:
    """Return the names that `names` stands for."""
    if "names" not in table.values:
        table.fail("names", 'missing: give a name or a range such as "web-[01-12]"')
    try:
        return tuple(name for pattern in table.texts("names") for name in expand(pattern))
    except ValueError as error:
        table.fail("names", str(error))


def drawn(table: Table, dice: Dice) -> Table:
    """Return `table` with one value drawn from each list that is to be drawn from."""
    plain = {"at", "what", "boot_for", "names", "on", "networks", "storage", "tie"}
    values = {
        key: dice.one_of(cast("list[object]", value))
        if isinstance(value, list) and value and key not in plain
        else value
        for key, value in table.values.items()
    }
    return Table(table.file, table.path, values)


def workload(table: Table, start: float, seed: int) -> Workload:
    """Return what `cpu` says: a number of cores, or a table with a shape; `noise` on top."""
    calm = _calm(table, start, seed)
    noise = table.amount("noise", RATIO, 0.0)
    return Noisy(calm=calm, noise=noise, seed=seed) if noise else calm


def _calm(table: Table, start: float, seed: int) -> Workload:
    if not isinstance(table.values.get("cpu"), dict):
        return Constant(cpu=int(table.amount("cpu", MILLICORES, 50)))
    shape = table.table("cpu")
    kind = shape.choice("shape", SHAPES, "constant")
    shape.only(("shape", *SHAPE_KEYS[kind]))
    for key in SHAPE_KEYS[kind]:
        if key not in shape.values:
            shape.fail(key, f"missing: a {kind} needs {', '.join(SHAPE_KEYS[kind])}")
    return _shaped(kind, shape, start, seed)


def _shaped(kind: str, shape: Table, start: float, seed: int) -> Workload:
    def cores(key: str) -> int:
        return int(shape.amount(key, MILLICORES, 0))

    match kind:
        case "step":
            moment = start + shape.amount("at", SECONDS, 0)
            return Step(before=cores("before"), after=cores("after"), moment=moment)
        case "diurnal":
            peak = shape.amount("peak", SECONDS, 0) % DAY
            return Diurnal(low=cores("low"), high=cores("high"), peak=peak)
        case "phases":
            return Phases(
                low=cores("low"),
                high=cores("high"),
                every=_positive(shape, "every", SECONDS),
                lasting=_positive(shape, "lasting", SECONDS),
                origin=start,
            )
        case "burst":
            return Burst(
                low=cores("low"),
                high=cores("high"),
                every=_positive(shape, "every", SECONDS),
                lasting=_positive(shape, "lasting", SECONDS),
                seed=seed,
            )
        case _:
            return Constant(cpu=cores("cpu"))


def _positive(table: Table, key: str, unit: Unit) -> float:
    amount = table.amount(key, unit, 0)
    return amount if amount > 0 else table.fail(key, f"must be more, for example {unit.example}")


def _host(table: Table, name: str) -> Host:
    for key in ("cpu", "memory"):
        if key not in table.values:
            table.fail(key, "missing: a host needs cpu (cores) and memory")
    return Host(
        name=name,
        capacity={
            CPU: int(table.amount("cpu", MILLICORES, 0)),
            MEMORY: int(table.amount("memory", MIB, 0)),
            **{n: int(table.amount(n, KIB_S, 0)) for n in (DISK, NETWORK) if n in table.values},
        },
        reserve={MEMORY: int(table.amount("reserve", MIB, 0))},
        state=HostState(table.choice("state", ("up", "draining"), "up")),
        labels=table.strings("labels"),
        networks=tuple(sorted(table.texts("networks"))),
        storage=tuple(sorted(table.texts("storage"))),
        link_kib_s=int(table.amount("link", KIB_S, 0)),
        qemu_version=_version(table),
        cpu_models=tuple(sorted(table.texts("cpu_models"))),
        power=declared_watts(table) if "power" in table.values else (),
        architecture=table.text("architecture", NATIVE_HERE),
        accelerators=_accelerators(table),
        emulates=dict.fromkeys(sorted(table.texts("emulates")), ()),
        images={LOCAL: int(table.amount("local_storage", MIB, 0))}
        if "local_storage" in table.values
        else {},
    )


def _accelerators(table: Table) -> tuple[str, ...]:
    """Return what runs guests' code there: both, unless it is said."""
    given = table.texts("accelerators") or (NATIVE, TRANSLATED)
    for one in given:
        if one not in (NATIVE, TRANSLATED):
            table.fail("accelerators", f'must be "{NATIVE}" or "{TRANSLATED}", not {one}')
    return tuple(sorted(given))


def watts(table: Table) -> tuple[int, ...]:
    """Return the power curve of `power`: watts from idle to busy, two or more; else the usual."""
    return declared_watts(table) if "power" in table.values else DEFAULT_WATTS


def _version(table: Table) -> int:
    """Return the version `qemu` names as libvirt counts it: 7.2 is 7002000."""
    text = table.text("qemu", "7.2")
    if not re.fullmatch(r"\d{1,3}\.\d{1,3}(\.\d{1,3})?", text):
        table.fail("qemu", 'must be a version in quotes, as "7.2" or "8.1.5"')
    major, minor, release = [int(part) for part in (*text.split("."), "0")][:3]
    return major * 1_000_000 + minor * 1000 + release
