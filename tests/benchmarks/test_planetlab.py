"""The published model, held to what must be true of any day."""

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.planetlab import ours
from benchmarks.planetlab.day import Day
from benchmarks.planetlab.machines import Machines, read
from benchmarks.planetlab.published import decider, first_placement

DATA = Path(os.environ.get("BALANCER_DATA", "nowhere")) / "planetlab"


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Machines:
    """A short day of sixty guests that rest now and then."""
    chance = np.random.default_rng(7)
    load = np.clip(chance.normal(25, 20, (60, 288)), 0, 100).astype(np.uint8)
    load[:20, 100:] = 0
    path = tmp_path_factory.mktemp("day") / "day.npz"
    np.savez(path, util=load, names=np.array([f"g{i}" for i in range(60)]))
    return read(path)


def placed(machines: Machines, *, faithful: bool = True, lag: int = 0) -> Day:
    return Day(machines, first_placement(machines, cheapest=True), faithful=faithful, lag=lag)


def test_a_day_without_a_policy_moves_nobody_and_gives_all(machines: Machines) -> None:
    """First fit by what guests may ever ask for leaves nobody wanting."""
    where = first_placement(machines, cheapest=False)
    figures = Day(machines, where, faithful=True).run(None)
    assert figures.migrations == 0
    assert figures.overall == pytest.approx(0)


def test_idle_guests_are_destroyed_only_in_the_mode_that_does(machines: Machines) -> None:
    """The simulator's artefact is a mode; the faithful one keeps every guest."""
    assert placed(machines, faithful=False).run(None).destroyed >= 20
    faithful = placed(machines)
    assert faithful.run(None).destroyed == 0
    assert (faithful.where >= 0).all()


@pytest.mark.parametrize("policy", ["thr", "lr", "lr-waking", "iqr", "mad", "ours"])
def test_every_guest_is_somewhere_once(machines: Machines, policy: str) -> None:
    """After a day of migrations each guest is in the list of the host where it is, and once."""
    day = placed(machines)
    day.run(ours.decider(machines) if policy == "ours" else decider(policy))
    listed = [(int(v), h) for h in range(len(day.counts)) for v in day.lists[h, : day.counts[h]]]
    assert sorted(listed) == [(v, int(h)) for v, h in enumerate(day.where)]


def test_a_planner_sees_nothing_that_is_to_come(machines: Machines) -> None:
    """Another afternoon changes no move of the morning."""
    other = read_with(machines, machines.load.copy())
    other.load[:, 150:] = 1 - other.load[:, 150:]
    assert moves_until(machines, 149) == moves_until(other, 149)
    assert moves_until(machines, 200) != moves_until(other, 200)


def test_a_lagged_planner_sees_even_less(machines: Machines) -> None:
    """With a lag of one tick the newest sample changes no move."""
    other = read_with(machines, machines.load.copy())
    other.load[:, 120:] = 1 - other.load[:, 120:]
    assert moves_until(machines, 119, lag=1) == moves_until(other, 119, lag=1)
    assert moves_until(machines, 120, lag=1) == moves_until(other, 120, lag=1)


def read_with(machines: Machines, load: np.ndarray) -> Machines:
    m = machines
    return Machines(m.kind, m.core, m.total, m.mips, m.memory, load)


def moves_until(machines: Machines, tick: int, lag: int = 0) -> list[list[list[int]]]:
    mine = ours.decider(machines)
    found: list[list[list[int]]] = []

    def spy(day: Day) -> np.ndarray:
        moves = mine(day)
        if day.tick <= tick:
            found.append(moves.tolist())
        return moves

    placed(machines, lag=lag).run(spy)
    return found


@pytest.mark.skipif(not DATA.is_dir(), reason="BALANCER_DATA names no folder with planetlab/*.npz")
@pytest.mark.parametrize(
    ("policy", "energy", "migrations", "slav"),
    [("dvfs", 802.75, 0, 0.0), ("thr", 192.62, 26_711, 0.00318), ("lr", 163.48, 27_859, 0.00464)],
)
def test_parity(policy: str, energy: float, migrations: int, slav: float) -> None:
    """Figures of 20110303 equal what CloudSim 3.0.3 prints, to the digits that it prints."""
    machines = read(DATA / "20110303.npz")
    where = first_placement(machines, cheapest=policy != "dvfs")
    figures = Day(machines, where).run(None if policy == "dvfs" else decider(policy))
    assert round(figures.energy, 2) == energy
    assert figures.migrations == migrations
    assert round(100 * figures.SLAV, 5) == slav
