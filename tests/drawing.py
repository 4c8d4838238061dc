"""Clusters drawn as text, so that a test shows what it is about.

    a 16c/64g rack=r1     : web-1 4v/8g cpu=3.5 | db-1 8v/16g cpu=1 used=12
    b 16c/64g rack=r2     :
    c 16c/64g state=draining :

One line is one host: name, cores and memory, then `key=value` words, a colon, and its guests,
parted by bars: name, vCPUs and memory, then `key=value` words. A key that is no special word
below is a label. `g` is GiB, `m` is MiB. CPU in use is given in cores by `cpu=` (idle if absent),
memory in use in GiB by `used=` (all that is allocated if absent).

Host words: state, link (MiB/s), reserve (memory), pages (of 2 MiB), cells (so many NUMA cells that
share all evenly), networks, storage, devices,
machines, models, cpu-model, features, arch, qemu, accelerators, emulates (architectures, machine `virt`),
images (GiB free for local disks at `/local`). Guest words: cpu, used, peak
(cores), dirty (MiB/s), pages, owner, tie (kinds), moving (target), networks, storage, devices,
machine, mode, model, features, arch, accelerator, disk (GiB of a local disk at `/local`), shares (per mille), quota (cores), balloon
(memory), most-vcpus, plugged-vcpus, plugged and most-plugged (memory, in blocks of 128 MiB); and the bare words `paused`, `unknown` (no trustworthy data) and `knobs` (it can be
resized; so can whoever has one of these seven). Lists are parted by commas.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import NAMESPACE_DNS, uuid5

from hypothesis import strategies as st

from balancer.planner.constraints import CONSTRAINTS
from balancer.planner.constraints.apart import Apart
from balancer.planner.constraints.avoid import Avoid
from balancer.planner.constraints.barred import Barred
from balancer.planner.constraints.blackout import Blackout
from balancer.planner.constraints.budget import Budget
from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.careful import Careful
from balancer.planner.constraints.changing import Changing
from balancer.planner.constraints.compatible import Compatible
from balancer.planner.constraints.cooling import Cooling
from balancer.planner.constraints.disk_room import DiskRoom
from balancer.planner.constraints.drain import Drain
from balancer.planner.constraints.headroom import Headroom
from balancer.planner.constraints.held import Held
from balancer.planner.constraints.licence import Licence
from balancer.planner.constraints.never_move import NeverMove
from balancer.planner.constraints.numa import Numa
from balancer.planner.constraints.only_on import OnlyOn
from balancer.planner.constraints.places import Places
from balancer.planner.constraints.prefer import Prefer
from balancer.planner.constraints.quiet import Quiet
from balancer.planner.constraints.reachable import Reachable
from balancer.planner.constraints.returning import Returning
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.stay import Stay
from balancer.planner.constraints.survive import Survive
from balancer.planner.constraints.tied import Tied
from balancer.planner.constraints.together import Together
from balancer.planner.constraints.unknown_data import UnknownData
from balancer.planner.model.cluster import (
    Cluster,
    Guest,
    GuestCpu,
    GuestState,
    Host,
    HostState,
    LocalDisk,
    NumaCell,
    Tie,
)
from balancer.planner.model.demand import Demand
from balancer.planner.model.knobs import Knobs
from balancer.planner.model.observation import History, Observation, Sample
from balancer.planner.model.placement import Placement
from balancer.planner.model.policy import Allow, Constraint, Limits, Objective, Policy
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import Resources
from balancer.planner.model.selector import EVERYTHING, NOBODY, Selector
from balancer.planner.objectives import OBJECTIVES

NOON = 1_750_000_000.0
"""Time of every drawn observation, seconds since the epoch."""

HOST_WORDS = {
    "state", "link", "reserve", "pages", "cells", "networks", "storage", "devices", "machines", "models",
    "cpu-model", "features", "arch", "qemu", "accelerators", "emulates", "images",
}  # fmt: skip
GUEST_WORDS = {
    "cpu", "used", "peak", "dirty", "pages", "owner", "tie", "moving", "networks", "storage",
    "devices", "machine", "mode", "model", "features", "arch", "accelerator", "shares", "quota",
    "balloon", "disk", "most-vcpus", "plugged-vcpus",
    "plugged", "most-plugged",
}  # fmt: skip
KNOB_WORDS = {
    "shares", "quota", "balloon", "most-vcpus", "plugged-vcpus", "plugged", "most-plugged",
}  # fmt: skip


def uuid_of(name: str) -> str:
    """Return the uuid of the drawn guest of that name."""
    return str(uuid5(NAMESPACE_DNS, name))


def select(*patterns: str, may_be_empty: bool = True) -> Selector:
    """Return the selector of these patterns."""
    return Selector(patterns, may_be_empty=may_be_empty)


@dataclass(frozen=True)
class Usage:
    """What a drawn guest uses: millicores, MiB, MiB/s."""

    cpu: int
    memory: int
    peak: int
    dirty: int | None = None
    unknown: bool = False


@dataclass(frozen=True)
class Drawing:
    """A drawn cluster and what its guests use, by uuid."""

    cluster: Cluster
    usage: Mapping[str, Usage] = field(default_factory=dict)

    @property
    def demand(self) -> Demand:
        """The usage as a demand; guests without data weigh as their allocation."""
        known = {u: use for u, use in self.usage.items() if not use.unknown}
        blind = frozenset(self.usage.keys() - known.keys())
        full = {u: _full(self.cluster.guest[u]) for u in blind}
        return Demand(
            mean={**full, **{u: {"cpu": x.cpu, "memory": x.memory} for u, x in known.items()}},
            peak={**full, **{u: {"cpu": x.peak, "memory": x.memory} for u, x in known.items()}},
            basis=dict.fromkeys(known, "rss") | dict.fromkeys(blind, "allocation"),
            unknown=blind,
            dirty_mib_s={u: x.dirty for u, x in known.items() if x.dirty is not None},
        )


def _full(guest: Guest) -> Resources:
    return {"cpu": guest.allocation["vcpus"] * 1000, "memory": guest.allocation["memory"]}


def parse(text: str) -> Drawing:
    """Return what `text` draws."""
    hosts, guests, placement, in_flight = [], [], {}, {}
    usage = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        left, _, right = line.partition(":")
        host = _host(left.split())
        hosts.append(host)
        for part in filter(None, map(str.strip, right.split("|"))):
            words = part.split()
            guest = _guest(words)
            guests.append(guest)
            placement[guest.uuid] = host.name
            usage[guest.uuid] = _usage(guest, words)
            if target := _keyed(words).get("moving"):
                in_flight[guest.uuid] = target
    return Drawing(Cluster(tuple(hosts), tuple(guests), placement, in_flight), usage)


def draw(text: str) -> Cluster:
    """Return the cluster that `text` draws."""
    return parse(text).cluster


def policy(
    *constraints: Constraint, objectives: Sequence[Objective] = (), **fields: object
) -> Policy:
    """Return a policy of these rules and goals; other fields by keyword."""
    base = Policy(name="drawn", constraints=constraints, objectives=tuple(objectives))
    return replace(base, **fields)  # type: ignore[arg-type]


def problem(
    text: str,
    *constraints: Constraint,
    objectives: Sequence[Objective] = (),
    rules: Policy | None = None,
    cooling: Iterable[str] = (),
    changing: Iterable[str] = (),
    relieve: Iterable[str] = (),
    **fields: object,
) -> Problem:
    """Return the problem of the drawn cluster under these rules; `cooling`, `changing` are guest names."""
    drawing = parse(text)
    return Problem(
        drawing.cluster,
        replace(drawing.demand, changing=frozenset(map(uuid_of, changing))),
        rules or policy(*constraints, objectives=objectives, **fields),
        cooling=frozenset(map(uuid_of, cooling)),
        relieve=frozenset(relieve),
    )


def observation(text: str, at: float = NOON) -> Observation:
    """Return the observation of a drawn cluster: one sample of each guest that has data."""
    drawing = parse(text)
    samples = {
        uuid: (Sample(at, 30.0, _values(drawing.cluster.guest[uuid], use)),)
        for uuid, use in drawing.usage.items()
        if not use.unknown
    }
    return Observation(at, drawing.cluster, History(guests=samples))


def placed(cluster: Cluster, **where: str) -> Placement:
    """Return the cluster's placement with some guests elsewhere; `_` in a name stands for `-`."""
    moved = {uuid_of(name.replace("_", "-")): host for name, host in where.items()}
    return {**cluster.placement, **moved}


def _values(guest: Guest, use: Usage) -> dict[str, int]:
    unplugged = guest.knobs.most_plugged - guest.knobs.plugged if guest.knobs else 0
    values = {"cpu": use.cpu, "memory.assigned": guest.allocation["memory"] + unplugged}
    values["memory.rss"] = use.memory
    return values if use.dirty is None else values | {"dirty": use.dirty}


def _keyed(words: list[str]) -> dict[str, str]:
    return dict(w.split("=", 1) for w in words if "=" in w)


def _labels(keyed: Mapping[str, str], special: set[str]) -> dict[str, str]:
    return {key: value for key, value in keyed.items() if key not in special}


def _list(value: str | None) -> tuple[str, ...]:
    return tuple(sorted(value.split(","))) if value else ()


def _mib(word: str) -> int:
    return round(float(word[:-1]) * {"g": 1024, "m": 1}[word[-1]])


def _host(words: list[str]) -> Host:
    name, size, *_ = words
    keyed = _keyed(words)
    cores, memory = size.split("/")
    pages = {"hugepages-2048": int(keyed["pages"])} if "pages" in keyed else {}
    return Host(
        name=name,
        capacity={"cpu": round(float(cores[:-1]) * 1000), "memory": _mib(memory), **pages},
        reserve={"memory": _mib(keyed["reserve"])} if "reserve" in keyed else {},
        state=HostState(keyed.get("state", "up")),
        labels=_labels(keyed, HOST_WORDS),
        architecture=keyed.get("arch", "x86_64"),
        accelerators=_list(keyed.get("accelerators", "kvm,tcg")),
        emulates=dict.fromkeys(_list(keyed.get("emulates")), ("virt",)),
        cpu_models=_list(keyed.get("models")),
        cpu_model=keyed.get("cpu-model", ""),
        cpu_features=_list(keyed.get("features")),
        machines=_list(keyed.get("machines")),
        qemu_version=int(keyed.get("qemu", "7002000")),
        networks=_list(keyed.get("networks")),
        storage=_list(keyed.get("storage")),
        devices=_list(keyed.get("devices")),
        numa=_cells(int(keyed.get("cells", "0")), cores, memory, pages),
        link_kib_s=int(keyed.get("link", "0")) * 1024,
        images={"/local": _mib(keyed["images"] + "g")} if "images" in keyed else {},
    )


def _cells(count: int, cores: str, memory: str, pages: Resources) -> tuple[NumaCell, ...]:
    return tuple(
        NumaCell(
            id=number,
            cpus=int(float(cores[:-1])) // count,
            memory_mib=_mib(memory) // count,
            hugepages={size: amount // count for size, amount in pages.items()},
        )
        for number in range(count)
    )


def _guest(words: list[str]) -> Guest:
    name, size, *_ = words
    keyed = _keyed(words)
    vcpus, memory = size.split("/")
    pages = {"hugepages-2048": int(keyed["pages"])} if "pages" in keyed else {}
    disks = _disks(name, keyed.get("disk", ""))
    return Guest(
        uuid=uuid_of(name),
        name=name,
        allocation={"vcpus": int(vcpus[:-1]), "memory": _mib(memory), **pages},
        state=GuestState.PAUSED if "paused" in words else GuestState.RUNNING,
        labels=_labels(keyed, GUEST_WORDS),
        owner=keyed.get("owner", ""),
        knobs=_knobs(words),
        architecture=keyed.get("arch", "x86_64"),
        accelerator=keyed.get("accelerator", "kvm"),
        cpu=GuestCpu(
            mode=keyed.get("mode", "custom"),
            model=keyed.get("model", ""),
            features=_list(keyed.get("features")),
        ),
        machine=keyed.get("machine", ""),
        networks=_list(keyed.get("networks")),
        storage=(*_list(keyed.get("storage")), *(disk.storage for disk in disks)),
        devices=_list(keyed.get("devices")),
        disks=disks,
        ties=(
            *(Tie(kind=k, detail=f"{k} of {name}") for k in _list(keyed.get("tie"))),
            *(Tie(kind="local-disk", detail="vda", disk="vda") for _ in disks),
        ),
    )


def _knobs(words: list[str]) -> Knobs | None:
    keyed = _keyed(words)
    if "knobs" not in words and not keyed.keys() & KNOB_WORDS:
        return None
    return Knobs(
        shares=int(keyed.get("shares", "1000")),
        quota=round(float(keyed.get("quota", "0")) * 1000),
        balloon=_mib(keyed["balloon"]) if "balloon" in keyed else 0,
        plugged=_mib(keyed.get("plugged", "0g")),
        most_plugged=_mib(keyed.get("most-plugged", "0g")),
        plug_block=128 if "most-plugged" in keyed else 1,
        most_vcpus=int(keyed.get("most-vcpus", "0")),
        plugged_vcpus=int(keyed.get("plugged-vcpus", "0")),
    )


def _disks(name: str, size: str) -> tuple[LocalDisk, ...]:
    if not size:
        return ()
    mib, stored = _mib(size + "g"), f"unknown:/local/{name}"
    return (LocalDisk(name="vda", place="/local", storage=stored, size_mib=mib, used_mib=mib),)


def _usage(guest: Guest, words: list[str]) -> Usage:
    keyed = _keyed(words)
    cpu = round(float(keyed.get("cpu", "0")) * 1000)
    return Usage(
        cpu=cpu,
        memory=_mib(keyed["used"] + "g") if "used" in keyed else guest.allocation["memory"],
        peak=round(float(keyed["peak"]) * 1000) if "peak" in keyed else cpu,
        dirty=int(keyed["dirty"]) if "dirty" in keyed else None,
        unknown="unknown" in words,
    )


@st.composite
def texts(draw: st.DrawFn, max_hosts: int = 5, max_guests: int = 10, min_guests: int = 1) -> str:
    """Draw a small cluster's text: 2 to 5 unequal hosts, memory now and then over its limit."""
    lines = []
    count = draw(st.integers(2, max_hosts))
    homes = draw(st.lists(st.integers(0, count - 1), min_size=min_guests, max_size=max_guests))
    guests = [_guest_text(draw, number) for number in range(len(homes))]
    for number in range(count):
        size = draw(st.sampled_from(["8c/32g", "16c/64g", "16c/48g", "32c/128g"]))
        rack = draw(st.sampled_from(["rack=r1", "rack=r2", ""]))
        state = draw(st.sampled_from(["up"] * 8 + ["draining", "down"]))
        here = " | ".join(g for g, home in zip(guests, homes, strict=True) if home == number)
        offer = draw(
            st.sampled_from(["", "images=50", "networks=n1", "qemu=8000000", "cells=2", "cells=2"])
        )
        lines.append(f"h{number} {size} {rack} {offer} state={state} : {here}")
    return "\n".join(lines)


def _guest_text(draw: st.DrawFn, number: int) -> str:
    kind = draw(st.sampled_from(["web", "db", "job"]))
    vcpus = draw(st.sampled_from([1, 2, 4, 8]))
    memory = draw(st.sampled_from([2, 4, 8, 16, 24]))
    cpu = draw(st.integers(0, vcpus * 4)) / 4
    extra = draw(
        st.sampled_from(
            [""] * 12
            + ["unknown", "tie=local-disk", "tie=passthrough", "owner=nova"]
            + ["disk=20", "disk=40"]
            + ["networks=n1", "networks=n1", "mode=host-passthrough"]
        )
    )
    return f"{kind}-{number} {vcpus}v/{memory}g cpu={cpu} role={kind} {extra}"


def clusters(
    max_hosts: int = 5, max_guests: int = 10, min_guests: int = 1
) -> st.SearchStrategy[Cluster]:
    """Small clusters."""
    return texts(max_hosts, max_guests, min_guests).map(draw)


def placements(cluster: Cluster) -> st.SearchStrategy[Placement]:
    """Any placement of the cluster's guests, sensible or not."""
    names = st.sampled_from([host.name for host in cluster.hosts])
    return st.fixed_dictionaries({guest.uuid: names for guest in cluster.guests})


def selectors() -> st.SearchStrategy[Selector]:
    """Guests of a drawn small cluster: by name, by role, several, all but some."""
    return st.sampled_from(
        [
            select("web-*"),
            select("db-*", "job-*"),
            select("label:role=job"),
            select("!web-*"),
            select("*"),
            select("*-1", "*-2", "*-3"),
            select("nobody"),
        ]
    )


def host_selectors() -> st.SearchStrategy[Selector]:
    """Hosts of a drawn small cluster."""
    return st.sampled_from(
        [select("h0"), select("h1", "h2"), select("label:rack=r1"), select("!h1"), select("none")]
    )


ACROSS = st.sampled_from(["host", "rack"])

WINDOWS = st.sampled_from([("daily 14:00-16:00",), ("daily 01:00-05:00",)])
"""One that is open at NOON, and one that is not."""

RULES: Mapping[type, st.SearchStrategy[Constraint]] = {
    Capacity: st.builds(
        Capacity,
        vcpus_per_core=st.sampled_from([1.0, 4.0]),
        memory_overcommit=st.sampled_from([1.0, 1.5]),
        keep_for_hypervisor=st.sampled_from([0, 8192]),
        hosts=st.sampled_from([EVERYTHING, EVERYTHING, select("label:rack=r1"), select("h0")]),
        hard=st.booleans(),
    ),
    Headroom: st.builds(
        Headroom,
        cpu=st.sampled_from([0.0, 0.3]),
        memory=st.sampled_from([0.0, 0.4]),
        hosts=host_selectors(),
        hard=st.booleans(),
    ),
    OnlyOn: st.builds(OnlyOn, guests=selectors(), hosts=host_selectors(), hard=st.booleans()),
    Avoid: st.builds(Avoid, guests=selectors(), hosts=host_selectors(), hard=st.booleans()),
    Spread: st.builds(
        Spread,
        guests=selectors(),
        across=ACROSS,
        at_most=st.integers(1, 3),
        each_group_alone=st.booleans(),
        evenly=st.booleans(),
        hard=st.booleans(),
    )
    | st.builds(
        Spread, guests=selectors(), across=ACROSS, quorum=st.just(True), hard=st.booleans()
    ),
    Together: st.builds(Together, guests=selectors(), across=ACROSS, hard=st.booleans()),
    Apart: st.builds(
        Apart, guests=selectors(), others=selectors(), across=ACROSS, hard=st.booleans()
    ),
    Places: st.builds(
        Places,
        guests=selectors(),
        across=ACROSS,
        at_least=st.integers(0, 2),
        at_most=st.integers(2, 3),
        hard=st.booleans(),
    ),
    Licence: st.builds(Licence, guests=selectors(), at_most=st.integers(1, 3), hard=st.booleans()),
    Numa: st.builds(
        Numa,
        guests=selectors(),
        vcpus_per_core=st.sampled_from([0.5, 1.0, 2.0]),
        hard=st.booleans(),
    ),
    Survive: st.builds(Survive, hosts_lost=st.integers(1, 2), across=ACROSS, hard=st.booleans()),
    Prefer: st.builds(
        Prefer,
        guests=selectors(),
        hosts=host_selectors(),
        fallback_hosts=host_selectors(),
        hard=st.booleans(),
    ),
    Stay: st.builds(Stay, guests=selectors(), hard=st.booleans()),
    NeverMove: st.builds(NeverMove, guests=selectors()),
    DiskRoom: st.just(DiskRoom()),
    Drain: st.builds(Drain, hosts=host_selectors()),
    Compatible: st.just(Compatible()),
    Tied: st.just(Tied()),
    Reachable: st.just(Reachable()),
    UnknownData: st.just(UnknownData()),
    Changing: st.just(Changing()),
    Cooling: st.just(Cooling()),
    Returning: st.just(Returning()),
    Budget: st.just(Budget()),
    Barred: st.just(Barred()),
    Held: st.just(Held()),
    Careful: st.builds(
        Careful,
        guests=selectors(),
        moving_at_once=st.integers(1, 2),
        wait_between=st.sampled_from([0.0, 900.0]),
        pause_at_most=st.sampled_from([0, 100]),
        each_group_alone=st.booleans(),
    ),
    Blackout: st.builds(Blackout, when=WINDOWS, guests=selectors()),
    Quiet: st.builds(Quiet, when=WINDOWS, guests=selectors()),
}
"""How to draw a rule of every class there is."""

OWN_RULES = st.one_of([RULES[kind] for kind in CONSTRAINTS.values()])
"""A rule that an operator can write."""


@st.composite
def problems(  # noqa: PLR0913 - how small, each by its name
    draw: st.DrawFn,
    rules: st.SearchStrategy[Constraint] = OWN_RULES,
    max_hosts: int = 5,
    max_guests: int = 10,
    most_rules: int = 4,
    *,
    min_guests: int = 1,
    min_rules: int = 0,
) -> Problem:
    """Draw a small problem: some rules, all goals, tight budgets now and then, a resting guest."""
    drawing = parse(draw(texts(max_hosts, max_guests, min_guests)))
    drawn = draw(st.lists(rules, min_size=min_rules, max_size=most_rules))
    names = [host.name for host in drawing.cluster.hosts]
    moves, gib = draw(st.sampled_from([(20, 300), (20, 300), (2, 300), (20, 12)]))
    uuids = st.sampled_from(sorted(drawing.usage))
    return Problem(
        drawing.cluster,
        replace(drawing.demand, changing=frozenset(draw(st.sets(uuids, max_size=1)))),
        policy(
            *{rule.label: rule for rule in drawn}.values(),
            objectives=[goal() for goal in OBJECTIVES.values()],
            aggressiveness=draw(st.integers(1, 5)),
            limits=Limits(moves_per_hour=moves, data_per_hour=gib * 1024),
            allow=Allow(
                copy_local_disks=draw(st.sampled_from([NOBODY, EVERYTHING])),
                cold_moves=draw(st.sampled_from([NOBODY, NOBODY, EVERYTHING])),
            ),
        ),
        cooling=frozenset(draw(st.sets(st.sampled_from(sorted(drawing.usage)), max_size=1))),
        left=draw(
            st.dictionaries(
                st.sampled_from([*sorted(drawing.usage), "gone"]),
                st.frozensets(st.sampled_from([*names, "nowhere"]), max_size=2),
                max_size=2,
            )
        ),
        relieve=frozenset(draw(st.sets(st.sampled_from(names), max_size=1))),
        held=dict.fromkeys(
            draw(st.sets(st.sampled_from(sorted(drawing.usage)), max_size=1)), "so"
        ),
        ordered=frozenset(draw(st.sets(st.sampled_from(sorted(drawing.usage)), max_size=1))),
        barred=dict.fromkeys(
            draw(
                st.sets(
                    st.tuples(
                        st.sampled_from([*sorted(drawing.usage), "gone"]),
                        st.sampled_from([*names, "nowhere"]),
                    ),
                    max_size=2,
                )
            ),
            "so",
        ),
        at=NOON,
    )
