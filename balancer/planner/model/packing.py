"""Whether things fit into boxes: guests into NUMA cells, the guests of a lost host into the others.

Vector packing: a thing takes an amount of each of several resources, a box has so much of each.
Tried quickly first, then by depth-first search. Whoever relies on the answer can check it: it
says which thing goes where (`holds`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

Vector = tuple[int, ...]
NOWHERE: Final = -1
NODES: Final = 20_000
"""Steps after which a search gives up and takes the best it has."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Which thing goes into which box."""

    box: tuple[int, ...]
    """For each thing the number of its box, or NOWHERE."""
    proven: bool = True
    """False where the search was cut short: more might fit."""

    @property
    def left(self) -> int:
        """How many things go nowhere."""
        return self.box.count(NOWHERE)


def pack(
    things: Sequence[Vector],
    boxes: Sequence[Vector],
    may: Callable[[int, int], bool] = lambda _thing, _box: True,
) -> Packed:
    """Return how as many `things` as possible go into `boxes`; `may` tells which into which.

    Quickest where the roomiest boxes come first.
    """
    search = _Search(things, boxes, may)
    return search.run()


def holds(packed: Packed, things: Sequence[Vector], boxes: Sequence[Vector]) -> bool:
    """True if no box of `packed` is filled beyond what it has."""
    taken: dict[int, list[int]] = {}
    for thing, box in zip(things, packed.box, strict=True):
        if box != NOWHERE:
            sums = taken.setdefault(box, [0] * len(thing))
            for number, amount in enumerate(thing):
                sums[number] += amount
    return all(
        amount <= most
        for box, sums in taken.items()
        for amount, most in zip(sums, boxes[box], strict=True)
    )


@dataclass(slots=True)
class _Search:
    things: Sequence[Vector]
    boxes: Sequence[Vector]
    may: Callable[[int, int], bool]
    free: list[list[int]] = field(init=False)
    order: list[int] = field(init=False)
    kind: list[object] = field(init=False, default_factory=list)
    best: list[int] = field(init=False)
    nodes: int = 0

    def __post_init__(self) -> None:
        self.free = [list(box) for box in self.boxes]
        largest = [max(1, *amounts) for amounts in zip(*self.boxes, strict=True)]
        sizes = [
            max((amount / most for amount, most in zip(thing, largest, strict=False)), default=0.0)
            for thing in self.things
        ]
        self.order = sorted(range(len(self.things)), key=lambda i: (-sizes[i], i))
        self.best = [NOWHERE] * len(self.things)

    def run(self) -> Packed:
        for fullest in (False, True):
            if self._quickly(fullest=fullest):
                return Packed(tuple(self.best))
        self.kind = [
            tuple(self.may(thing, box) for thing in self.order) for box in range(len(self.boxes))
        ]
        self._deeper(0, [NOWHERE] * len(self.things), 0)
        return Packed(tuple(self.best), self.nodes <= NODES)

    def _fits(self, thing: int, box: int) -> bool:
        return self.may(thing, box) and all(
            a <= b for a, b in zip(self.things[thing], self.free[box], strict=True)
        )

    def _put(self, thing: int, box: int, sign: int) -> None:
        free = self.free[box]
        for number, amount in enumerate(self.things[thing]):
            free[number] -= sign * amount

    def _quickly(self, *, fullest: bool) -> bool:
        """Put each thing, largest first, into the first or the fullest box; True if all fit."""
        placed = [NOWHERE] * len(self.things)
        for thing in self.order:
            fitting = (box for box in range(len(self.free)) if self._fits(thing, box))
            placed[thing] = (
                min(fitting, key=lambda box: sum(self.free[box]), default=NOWHERE)
                if fullest
                else next(fitting, NOWHERE)
            )
            if placed[thing] != NOWHERE:
                self._put(thing, placed[thing], 1)
        for thing, box in enumerate(placed):
            if box != NOWHERE:
                self._put(thing, box, -1)
        if placed.count(NOWHERE) < self.best.count(NOWHERE):
            self.best = placed
        return NOWHERE not in placed

    def _deeper(self, depth: int, placed: list[int], left: int) -> None:
        if left >= self.best.count(NOWHERE):
            return
        if depth == len(self.order):
            self.best = list(placed)
            return
        self.nodes += 1
        if self.nodes > NODES:
            return
        thing = self.order[depth]
        seen: set[object] = set()
        for box in range(len(self.free)):
            alike = (tuple(self.free[box]), self.kind[box])
            if alike not in seen and self._fits(thing, box):
                seen.add(alike)
                self._put(thing, box, 1)
                placed[thing] = box
                self._deeper(depth + 1, placed, left)
                self._put(thing, box, -1)
                placed[thing] = NOWHERE
        self._deeper(depth + 1, placed, left + 1)
