"""Reads the contest's files: whitespace-separated integers, plain or gzipped."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Instance:
    """One instance, in the words of the problem's definition."""

    transient: Ints
    """[resources]: 1 where a process that leaves still counts on its first machine."""
    load_weight: Ints
    neighbourhood: Ints
    """[machines]"""
    location: Ints
    capacity: Ints
    """[machines, resources]"""
    safety: Ints
    machine_move: Ints
    """[machines, machines]"""
    spread: Ints
    """[services]: locations needed at least."""
    needs: tuple[tuple[int, int], ...]
    """(service, the service it depends on)"""
    service: Ints
    """[processes]"""
    requirement: Ints
    """[processes, resources]"""
    process_move: Ints
    balance: Ints
    """[balance costs, 4]: resource, resource, target, weight."""
    weights: tuple[int, int, int]
    """Of process moves, of service moves, of machine moves."""
    start: Ints
    """[processes]: machine."""


def read(model: Path, initial: Path) -> Instance:
    """Return the instance in these two files."""
    numbers, at = _numbers(model), 0

    def take(count: int) -> Ints:
        nonlocal at
        at += count
        return numbers[at - count : at]

    resources = int(take(1)[0])
    kinds = take(2 * resources).reshape(resources, 2)
    machines = int(take(1)[0])
    rows = take(machines * (2 + 2 * resources + machines)).reshape(machines, -1)
    services = int(take(1)[0])
    spread = np.zeros(services, dtype=np.int64)
    needs: list[tuple[int, int]] = []
    for service in range(services):
        spread[service], count = take(2)
        needs += [(service, other) for other in take(int(count)).tolist()]
    processes = int(take(1)[0])
    lines = take(processes * (resources + 2)).reshape(processes, resources + 2)
    balance = take(4 * int(take(1)[0])).reshape(-1, 4)
    process, service, machine = take(3).tolist()
    return Instance(
        transient=kinds[:, 0],
        load_weight=kinds[:, 1],
        neighbourhood=rows[:, 0],
        location=rows[:, 1],
        capacity=rows[:, 2 : 2 + resources],
        safety=rows[:, 2 + resources : 2 + 2 * resources],
        machine_move=rows[:, 2 + 2 * resources :],
        spread=spread,
        needs=tuple(needs),
        service=lines[:, 0],
        requirement=lines[:, 1:-1],
        process_move=lines[:, -1],
        balance=balance,
        weights=(process, service, machine),
        start=_numbers(initial),
    )


def _numbers(path: Path) -> Ints:
    text = path.read_bytes()
    if path.suffix == ".gz":
        text = gzip.decompress(text)
    return np.fromstring(text.decode("ascii"), dtype=np.int64, sep=" ")
