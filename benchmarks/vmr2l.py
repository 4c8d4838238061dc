"""Opens room for large guests with few moves: the rescheduling problem of VMR2L.

    python -m benchmarks.vmr2l FILE --limit 50 --seconds 5 -o MOVES.json

FILE: hosts of two NUMA cells with guests on one or both, as JSON, gzipped or not. What counts is
the fragment rate: the share of free CPU that is of no use to guests of `fr_flavour_cpu` on one
cell. MOVES.json: a list of {vm, host, numa} in order, each feasible at its turn on each cell.

Guests of one size are interchangeable, so the model counts: how many of each size leave a cell,
how many join it. A host either gives or takes; so any order of the moves is feasible, and the
first ones are those that open the most.
"""

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

Size = tuple[int, int, int]
"""vCPUs, MiB and number of cells of a guest; both spread evenly over the cells."""
Seats = tuple[int, ...]
"""Cells of a host that a guest is on."""


@dataclass(frozen=True, slots=True)
class Guest:
    name: str
    size: Size
    host: str
    seats: Seats
    movable: bool


@dataclass(frozen=True, slots=True)
class Cluster:
    cpu: dict[tuple[str, int], int]
    """Free vCPUs of each cell."""
    memory: dict[tuple[str, int], int]
    """Free MiB likewise."""
    guests: tuple[Guest, ...]
    flavour: int

    def fragment_rate(self) -> float:
        free = sum(self.cpu.values())
        return 1 - self.flavour * sum(f // self.flavour for f in self.cpu.values()) / free

    def put(self, guest: Guest, host: str, seats: Seats, sign: int) -> None:
        for seat in seats:
            self.cpu[host, seat] -= sign * guest.size[0] // guest.size[2]
            self.memory[host, seat] -= sign * guest.size[1] // guest.size[2]

    def move(self, guest: Guest, host: str, seats: Seats) -> None:
        self.put(guest, guest.host, guest.seats, -1)
        self.put(guest, host, seats, 1)
        broken = [s for s in seats if min(self.cpu[host, s], self.memory[host, s]) < 0]
        if broken:
            raise click.ClickException(f"{guest.name} has no room on {host}: a fault of the model")


def read(path: Path) -> Cluster:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    document = json.loads(text)
    cluster = Cluster(
        cpu={(h["id"], n): c for h in document["hosts"] for n, c in enumerate(h["numa_cpu"])},
        memory={(h["id"], n): m for h in document["hosts"] for n, m in enumerate(h["numa_mem"])},
        guests=tuple(
            Guest(
                v["id"],
                (v["cpu"], v["mem"], len(v["numa"])),
                v["host"],
                tuple(v["numa"]),
                v["movable"],
            )
            for v in document["vms"]
        ),
        flavour=document["fr_flavour_cpu"],
    )
    for guest in cluster.guests:
        cluster.put(guest, guest.host, guest.seats, 1)
    return cluster


@dataclass(frozen=True, slots=True)
class Counts:
    """How many guests of a size leave and join the seats of a host."""

    leave: Counter[tuple[str, Seats, Size]]
    join: Counter[tuple[str, Seats, Size]]
    bound: float


def greedy(cluster: Cluster, limit: int) -> Counts:
    """Return single moves that each open a slot, into the room that is worth least."""
    cpu, memory = dict(cluster.cpu), dict(cluster.memory)
    counts = Counts(Counter(), Counter(), float("inf"))
    gives, takes, gone = set(), set(), set()
    flavour = cluster.flavour
    for guest in cluster.guests * 2:
        share, part = guest.size[0] // guest.size[2], guest.size[1] // guest.size[2]
        if not guest.movable or guest.host in takes or guest.name in gone or len(gone) == limit:
            continue
        if all(cpu[guest.host, s] % flavour + share < flavour for s in guest.seats):
            continue
        rooms = [
            (sum(cpu[host, s] % flavour for s in seats), host, seats)
            for host in {h for h, _ in cpu} - gives - {guest.host}
            for seats in _seats((0, 1), guest.size)
            if all(cpu[host, s] % flavour >= share and memory[host, s] >= part for s in seats)
        ]
        if not rooms:
            continue
        _, host, seats = min(rooms)
        counts.leave[guest.host, guest.seats, guest.size] += 1
        counts.join[host, seats, guest.size] += 1
        for cell, sign in [((guest.host, s), 1) for s in guest.seats] + [
            ((host, s), -1) for s in seats
        ]:
            cpu[cell] += sign * share
            memory[cell] += sign * part
        gives.add(guest.host)
        takes.add(host)
        gone.add(guest.name)
    return counts


def solve(cluster: Cluster, limit: int, seconds: float) -> Counts:
    """Return what opens the most slots with at most `limit` moves, and among that the fewest.

    Whatever the solver comes to, the greedy answer is there before it.
    """
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    here = Counter((g.host, g.seats, g.size) for g in cluster.guests if g.movable)
    hosts = sorted({host for host, _ in cluster.cpu})
    cells: dict[str, Seats] = {
        h: tuple(sorted(n for k, n in cluster.cpu if k == h)) for h in hosts
    }
    gives = {host: model.new_bool_var("") for host in hosts}
    cpu: dict[tuple[str, int], list[object]] = defaultdict(list)
    memory: dict[tuple[str, int], list[object]] = defaultdict(list)
    flow: dict[Size, list[object]] = defaultdict(list)
    leave, join = {}, {}
    for key, count in sorted(here.items()):
        host, seats, size = key
        leave[key] = model.new_int_var(0, count, "")
        model.add(leave[key] == 0).only_enforce_if(~gives[host])
        flow[size].append(leave[key])
        for seat in seats:
            cpu[host, seat].append(leave[key] * (size[0] // size[2]))
            memory[host, seat].append(leave[key] * (size[1] // size[2]))
    for size in sorted({size for _, _, size in here}):
        for host in hosts:
            for seats in _seats(cells[host], size):
                share = size[0] // size[2]
                most = min(cluster.cpu[host, s] // share for s in seats)
                if most <= 0:
                    continue
                key = host, seats, size
                join[key] = model.new_int_var(0, min(most, limit), "")
                model.add(join[key] == 0).only_enforce_if(gives[host])
                flow[size].append(-join[key])
                for seat in seats:
                    cpu[host, seat].append(-join[key] * share)
                    memory[host, seat].append(-join[key] * (size[1] // size[2]))
    for terms in flow.values():
        model.add(sum(terms) == 0)
    moves = sum(leave.values())
    model.add(moves <= limit)
    slots = []
    for cell, free in cluster.cpu.items():
        model.add(sum(memory[cell]) + cluster.memory[cell] >= 0)
        slots.append(model.new_int_var(0, 4 * cluster.flavour, ""))
        model.add(slots[-1] * cluster.flavour <= sum(cpu[cell]) + free)
    first = greedy(cluster, limit)
    for known, variables in ((first.leave, leave), (first.join, join)):
        for key, var in variables.items():
            model.add_hint(var, known[key])
    model.maximize(sum(slots) * (limit + 1) - moves)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = 2
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return first
    return Counts(
        Counter({key: solver.value(var) for key, var in leave.items() if solver.value(var)}),
        Counter({key: solver.value(var) for key, var in join.items() if solver.value(var)}),
        (solver.best_objective_bound + limit) // (limit + 1),
    )


def _seats(cells: Seats, size: Size) -> list[Seats]:
    return [cells] if size[2] > 1 else [(cell,) for cell in cells]


def moves(cluster: Cluster, counts: Counts) -> Iterator[tuple[Guest, str, Seats]]:
    """Yield moves, those first that finish a slot with the fewest; applies them to `cluster`."""
    leaving: dict[str, list[Guest]] = defaultdict(list)
    left = counts.leave.copy()
    for guest in cluster.guests:
        key = guest.host, guest.seats, guest.size
        if guest.movable and left[key] > 0:
            left[key] -= 1
            leaving[guest.host].append(guest)
    room: dict[Size, list[tuple[str, Seats]]] = defaultdict(list)
    for (host, seats, size), count in sorted(counts.join.items()):
        room[size] += [(host, seats)] * count
    for host in sorted(
        leaving, key=lambda h: (len(leaving[h]) / max(1, _opens(cluster, leaving[h])), h)
    ):
        for guest in leaving[host]:
            yield guest, *room[guest.size].pop()


def _opens(cluster: Cluster, guests: list[Guest]) -> int:
    """Return how many slots open where these guests leave."""
    gain: Counter[tuple[str, int]] = Counter()
    for guest in guests:
        for seat in guest.seats:
            gain[guest.host, seat] += guest.size[0] // guest.size[2]
    flavour = cluster.flavour
    return sum(
        (cluster.cpu[c] + g) // flavour - cluster.cpu[c] // flavour for c, g in gain.items()
    )


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--limit", default=50, show_default=True, help="Moves at most.")
@click.option("--seconds", default=5.0, show_default=True, help="For the solver, wall clock.")
@click.option("-o", "--output", type=click.Path(path_type=Path))
def main(file: Path, limit: int, seconds: float, output: Path | None) -> None:
    """Print the fragment rate before, after, and after every tenth move."""
    cluster = read(file)
    before = cluster.fragment_rate()
    counts = solve(cluster, limit, seconds)
    free = sum(cluster.cpu.values())
    done, curve = [], [round(before, 4)]
    for guest, host, seats in moves(cluster, counts):
        cluster.move(guest, host, seats)
        done.append({"vm": guest.name, "host": host, "numa": list(seats)})
        curve.append(round(cluster.fragment_rate(), 4))
    if output:
        output.write_text(json.dumps(done, indent=1))
    found = {
        "moves": len(done),
        "before": round(before, 4),
        "after": curve[-1],
        "at_least": round(max(0.0, 1 - cluster.flavour * counts.bound / free), 4),
        "every_tenth": curve[::10],
        "worst": max(curve),
    }
    click.echo(json.dumps(found))


if __name__ == "__main__":
    main()
