"""One day in the model: ticks, migrations that take their time, and what is counted."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.planetlab import kernel
from benchmarks.planetlab.deciding import HISTORY
from benchmarks.planetlab.machines import (
    FIRST_TICK,
    HOSTS,
    MIB_PER_SECOND,
    TICK_SECONDS,
    WATTS,
    Machines,
)

END = 86_400.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What the published tables count, and the overall violation that they leave out."""

    energy: float
    """kWh."""
    migrations: int
    SLATAH: float
    """Share of hosts' active time in which they gave less than was asked for."""
    PDM: float
    """Share of the work asked for that was lost to migrations."""
    SLAV: float
    ESV: float
    overall: float
    """Share of the work asked for that was not done."""
    destroyed: int


@dataclass(slots=True)
class Day:
    """The state of a day; `faithful` keeps guests that ask for nothing, as real ones are."""

    machines: Machines
    where: np.ndarray
    """[guests] host, -1 once destroyed."""
    faithful: bool = False
    lag: int = 0
    """Ticks by which demand is seen late."""
    at: float = 0.0
    tick: int = 0
    lists: np.ndarray = field(init=False)
    incoming: np.ndarray = field(init=False)
    counts: np.ndarray = field(init=False)
    moving: np.ndarray = field(init=False)
    asked: np.ndarray = field(init=False)
    used: np.ndarray = field(init=False)
    seen: np.ndarray = field(init=False)
    """[guests] MIPS asked for, as a planner may know it."""
    past: np.ndarray = field(init=False)
    """[guests, 30] the same at past ticks, as a share of MIPS, newest first."""
    _given: np.ndarray = field(init=False)
    _guest: np.ndarray = field(init=False)
    _host: np.ndarray = field(init=False)
    _joules: float = 0.0
    _migrations: int = 0
    _destroyed: int = 0

    def __post_init__(self) -> None:
        guests = len(self.machines.mips)
        self.lists = np.zeros((HOSTS, 2 * guests), dtype=np.int32)
        self.incoming = np.zeros((HOSTS, 2 * guests), dtype=np.bool_)
        self.counts = np.zeros(HOSTS, dtype=np.int64)
        for v, h in enumerate(self.where):
            self.lists[h, self.counts[h]] = v
            self.counts[h] += 1
        self.moving = np.zeros(guests, dtype=np.bool_)
        self.asked = np.zeros(guests)
        self.used = np.zeros(HOSTS)
        self.seen = np.zeros(guests)
        self.past = np.zeros((guests, HISTORY))
        self._given = np.zeros(2 * guests)
        self._guest = np.zeros((guests, 7))
        self._guest[:, 0] = -1
        self._host = np.zeros((HOSTS, 5))
        self._host[:, 0] = -1

    def run(self, decide: Callable[["Day"], np.ndarray] | None) -> Figures:
        """Live through the day; `decide` returns moves [n, guest and host] at each tick."""
        at = FIRST_TICK + TICK_SECONDS
        while at < END:
            self.tick += 1
            self._pass_to(at)
            self._look(at - self.lag * TICK_SECONDS)
            if decide is not None:
                self._migrate(decide(self))
            at += TICK_SECONDS
        return self._figures()

    def _look(self, at: float) -> None:
        """Let the planner know what was asked for at second `at`."""
        m = self.machines
        kernel.demand(m.load, m.mips, max(FIRST_TICK, at), self.seen)
        self.past[:, 1:] = self.past[:, :-1].copy()
        self.past[:, 0] = self.seen / m.mips

    def believed_use(self) -> np.ndarray:
        """Return [hosts] MIPS given, were demand now what the planner knows."""
        m = self.machines
        return kernel.given(
            self.lists, self.incoming, self.counts, self.moving, self.seen, m.core, m.total
        )

    def _migrate(self, moves: np.ndarray) -> None:
        m, n = self.machines, len(moves)
        if not n:
            return
        self._migrations += n
        kernel.start(moves, n, self.lists, self.incoming, self.counts, self.moving)
        self._update()
        began = self.at
        for size in np.unique(m.memory[moves[:, 0]]):
            self._pass_to(began + size / MIB_PER_SECOND)
            kernel.arrive(
                moves,
                n,
                m.memory,
                size,
                self.lists,
                self.incoming,
                self.counts,
                self.moving,
                self.where,
            )
            self._update()
            self._drop()

    def _pass_to(self, at: float) -> None:
        m = self.machines
        before = self.used.copy()
        lasted, self.at = at - self.at, at
        kernel.demand(m.load, m.mips, at, self.asked)
        self._update()
        self._joules += kernel.energy(before, self.used, m.total, m.kind, WATTS, lasted)
        self._drop()

    def _update(self) -> None:
        m = self.machines
        kernel.update(
            self.at,
            self.lists,
            self.incoming,
            self.counts,
            self.moving,
            self.asked,
            m.core,
            m.total,
            self._given,
            self.used,
            self._guest,
            self._host,
        )

    def _drop(self) -> None:
        if not self.faithful:
            self._destroyed += kernel.drop(
                self.lists, self.incoming, self.counts, self.moving, self.asked, self.where
            )

    def _figures(self) -> Figures:
        given, asked, missed = self._guest[:, 4:].sum(axis=0)
        active, violated = self._host[:, 3:].sum(axis=0)
        kwh, slatah, pdm = self._joules / 3.6e6, violated / active, missed / asked
        return Figures(
            energy=kwh,
            migrations=self._migrations,
            SLATAH=slatah,
            PDM=pdm,
            SLAV=slatah * pdm,
            ESV=kwh * slatah * pdm,
            overall=(asked - given) / asked,
            destroyed=self._destroyed,
        )
