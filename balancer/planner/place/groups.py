"""Primitives over groups of guests, kept up to date while guests are shifted one by one."""

from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from balancer.planner.formulation import (
    Apart,
    AtMostPerDomain,
    Bools,
    DomainCount,
    Flow,
    Formulation,
    Ints,
    Level,
    Near,
    Packing,
    Primitive,
)
from balancer.planner.model.packing import pack
from balancer.planner.place.evaluate import held, price


class Group(Protocol):
    """One such primitive."""

    members: Ints
    level: Level

    def shift(self, guest: int, site: int) -> tuple[Ints, Bools]:
        """Return [sites]: what moving `guest` away from `site` to each would add, and may it."""
        ...

    def best(self, guest: int, site: int) -> int:
        """Return a bound from below of what any shift of `guest` can add."""
        ...

    def moved(self, guest: int, source: int, target: int) -> None:
        """Take note that `guest` was shifted."""
        ...

    def lawful(self) -> bool:
        """True if it is broken no further than at the start."""
        ...


def groups(formulation: Formulation) -> list[Group]:
    """Return the state of each group primitive, guests placed as at the start."""
    found = (_group(formulation, primitive) for primitive in formulation.primitives)
    return [group for group in found if group is not None and len(group.members)]


def _group(  # noqa: PLR0911 - one for each primitive
    formulation: Formulation, primitive: Primitive
) -> Group | None:
    match primitive:
        case AtMostPerDomain():
            return Crowds(primitive, formulation.start)
        case DomainCount():
            return Domains(primitive, formulation.start)
        case Near():
            return Neighbours(primitive, formulation.start)
        case Apart():
            return Sides(primitive, formulation.start)
        case Flow():
            return Streams(primitive, formulation.start)
        case Packing():
            return Boxes(primitive, formulation.start)
        case _:
            return None


@dataclass(eq=False)
class Crowds:
    """At most so many in each domain."""

    rule: AtMostPerDomain
    start: Ints
    members: Ints = field(init=False)
    level: Level = field(init=False)

    def __post_init__(self) -> None:
        self.members, self.level = self.rule.members, self.rule.penalty.level
        self.count = np.zeros(int(self.rule.domain.max()) + 1, dtype=np.int64)
        np.add.at(self.count, self.rule.domain[self.start[self.members]], 1)
        self.cap = (
            np.maximum(self.rule.most, self.count)
            if self.rule.hard
            else np.full_like(self.count, len(self.members))
        )

    def _steps(self) -> Ints:
        """[domains]: what one more would add."""
        now, more = self.count - self.rule.most, self.count + 1 - self.rule.most
        penalty = self.rule.penalty
        return price(penalty, np.maximum(0, more)) - price(penalty, np.maximum(0, now))

    def best(self, guest: int, site: int) -> int:
        """One less in its domain, at best: the same for every member there."""
        del guest
        over = int(self.count[self.rule.domain[site]]) - self.rule.most
        penalty = self.rule.penalty
        return penalty.price(max(0, over - 1)) - penalty.price(max(0, over))

    def shift(self, guest: int, site: int) -> tuple[Ints, Bools]:
        """One less here, one more there."""
        here = self.rule.domain[site]
        added = self._steps() + self.best(guest, site)
        may = self.count + 1 <= self.cap
        added[here], may[here] = 0, True
        return added[self.rule.domain], may[self.rule.domain]

    def moved(self, guest: int, source: int, target: int) -> None:
        """Count anew."""
        del guest
        self.count[self.rule.domain[source]] -= 1
        self.count[self.rule.domain[target]] += 1

    def lawful(self) -> bool:
        """True if no domain holds more than it may, or than it did."""
        return bool((self.count <= self.cap).all())


@dataclass(eq=False)
class Domains:
    """At least and at most so many domains in use."""

    rule: DomainCount
    start: Ints
    members: Ints = field(init=False)
    level: Level = field(init=False)

    def __post_init__(self) -> None:
        self.members, self.level = self.rule.members, self.rule.penalty.level
        self.count = np.zeros(int(self.rule.domain.max()) + 1, dtype=np.int64)
        np.add.at(self.count, self.rule.domain[self.start[self.members]], 1)
        now = int(self._excess(np.array([self._used()]))[0])
        self.cap = now if self.rule.hard else len(self.members) + self.rule.least

    def _used(self) -> int:
        return int(np.count_nonzero(self.count))

    def _excess(self, used: Ints) -> Ints:
        return np.maximum(0, np.maximum(self.rule.least - used, used - self.rule.most))

    def best(self, guest: int, site: int) -> int:
        """At best all that is broken is mended."""
        del guest, site
        return -int(price(self.rule.penalty, self._excess(np.array([self._used()])))[0])

    def shift(self, guest: int, site: int) -> tuple[Ints, Bools]:
        """One domain less in use if it was alone there, one more if it is the first elsewhere."""
        here = self.rule.domain[site]
        used = self._used() - int(self.count[here] == 1) + (self.count == 0)
        used[here] = self._used()
        excess = self._excess(used)
        added = price(self.rule.penalty, excess) + self.best(guest, site)
        return added[self.rule.domain], (excess <= self.cap)[self.rule.domain]

    def moved(self, guest: int, source: int, target: int) -> None:
        """Count anew."""
        del guest
        self.count[self.rule.domain[source]] -= 1
        self.count[self.rule.domain[target]] += 1

    def lawful(self) -> bool:
        """True if no more is broken than was."""
        return int(self._excess(np.array([self._used()]))[0]) <= self.cap


@dataclass(eq=False)
class Neighbours:
    """One guest where another is."""

    rule: Near
    start: Ints
    members: Ints = field(init=False)
    level: Level = field(init=False)

    def __post_init__(self) -> None:
        self.level = self.rule.penalty.level
        self.members = np.array([self.rule.a, self.rule.b], dtype=np.int64)
        self.at = {g: int(self.rule.domain[self.start[g]]) for g in (self.rule.a, self.rule.b)}
        self.cap = int(self._apart()) if self.rule.hard else 1

    def _apart(self) -> bool:
        return self.at[self.rule.a] != self.at[self.rule.b]

    def best(self, guest: int, site: int) -> int:
        """At best they meet."""
        del guest, site
        return -self.rule.penalty.price(int(self._apart()))

    def shift(self, guest: int, site: int) -> tuple[Ints, Bools]:
        """Together in the domain of the other, apart elsewhere."""
        other = self.at[self.rule.b if guest == self.rule.a else self.rule.a]
        apart = (self.rule.domain != other).astype(np.int64)
        return price(self.rule.penalty, apart) + self.best(guest, site), apart <= self.cap

    def moved(self, guest: int, source: int, target: int) -> None:
        """Take note of its domain."""
        del source
        self.at[guest] = int(self.rule.domain[target])

    def lawful(self) -> bool:
        """True unless they were together and are apart."""
        return int(self._apart()) <= self.cap


@dataclass(eq=False)
class Sides:
    """Two groups that share no domain."""

    rule: Apart
    start: Ints
    members: Ints = field(init=False)
    level: Level = field(init=False)

    def __post_init__(self) -> None:
        rule = self.rule
        self.level = rule.penalty.level
        self.members = np.concatenate([rule.one, rule.other])
        self.side = dict.fromkeys(rule.one.tolist(), 0) | dict.fromkeys(rule.other.tolist(), 1)
        self.count = np.array([held(rule.domain, m, self.start) for m in (rule.one, rule.other)])
        now = self.count.min(axis=0)
        self.cap = now if rule.hard else np.full_like(now, len(self.members))

    def best(self, guest: int, site: int) -> int:
        """One less in its domain, at best."""
        mine, theirs = self._here(guest, site)
        penalty = self.rule.penalty
        return penalty.price(min(mine - 1, theirs)) - penalty.price(min(mine, theirs))

    def _here(self, guest: int, site: int) -> tuple[int, int]:
        """Return how many of its own side, and of the other, its domain holds."""
        side, domain = self.side[guest], self.rule.domain[site]
        return int(self.count[side, domain]), int(self.count[1 - side, domain])

    def shift(self, guest: int, site: int) -> tuple[Ints, Bools]:
        """One less here, one more of its side there."""
        here, side = self.rule.domain[site], self.side[guest]
        now = self.count.min(axis=0)
        then = np.minimum(self.count[side] + 1, self.count[1 - side])
        then[here] = now[here]
        added = price(self.rule.penalty, then) - price(self.rule.penalty, now)
        added += self.best(guest, site)
        added[here] = 0
        return added[self.rule.domain], (then <= self.cap)[self.rule.domain]

    def moved(self, guest: int, source: int, target: int) -> None:
        """Count anew."""
        side = self.side[guest]
        self.count[side, self.rule.domain[source]] -= 1
        self.count[side, self.rule.domain[target]] += 1

    def lawful(self) -> bool:
        """True if no domain is shared more than it was."""
        return bool((self.count.min(axis=0) <= self.cap).all())


@dataclass(eq=False)
class Streams:
    """Guests that talk to others, dearer from afar."""

    rule: Flow
    start: Ints
    members: Ints = field(init=False)
    level: Level = field(init=False)

    def __post_init__(self) -> None:
        rule = self.rule
        self.members, self.level = rule.members, rule.penalty.level
        sides = (rule.one, rule.other)
        self.side = np.array([np.isin(self.members, side) for side in sides], dtype=np.int64)
        self.number = {guest: i for i, guest in enumerate(self.members.tolist())}
        self.count = np.array([held(rule.domain, side, self.start) for side in sides])
        self.products, self.pairs = rule.most
        self.together = int(self.count[0] @ self.count[1])

    def cost(self) -> int:
        """Return what is paid now."""
        return -(-self.rule.points * (self.products - self.together) // self.pairs)

    def _steps(self, guest: int, site: int) -> Ints:
        """Return [domains]: what is added with the guest in each instead of where `site` is."""
        mine = self.side[:, self.number[guest]]
        here = self.rule.domain[site]
        left = self.count.copy()
        left[:, here] -= mine
        rest = self.together - int(self.count[0, here] * self.count[1, here])
        rest += int(left[0, here] * left[1, here])
        there = mine[0] * left[1] + mine[1] * left[0] + mine[0] * mine[1]
        apart = self.products - rest - there
        steps: Ints = -(-self.rule.points * apart // self.pairs) - self.cost()
        return steps

    def best(self, guest: int, site: int) -> int:
        """Return what the dearest partners' domain saves."""
        return int(self._steps(guest, site).min())

    def shift(self, guest: int, site: int) -> tuple[Ints, Bools]:
        """Further from some, nearer to others; always allowed."""
        added = self._steps(guest, site)[self.rule.domain]
        return added, np.ones(len(added), dtype=np.bool_)

    def moved(self, guest: int, source: int, target: int) -> None:
        """Count anew."""
        mine, domain = self.side[:, self.number[guest]], self.rule.domain
        self.count[:, domain[source]] -= mine
        self.count[:, domain[target]] += mine
        self.together = int(self.count[0] @ self.count[1])

    def lawful(self) -> bool:
        """True: nothing is forbidden."""
        return True


@dataclass(eq=False)
class Boxes:
    """Members of a site that go whole into its boxes: what is found is remembered."""

    rule: Packing
    start: Ints
    members: Ints = field(init=False)
    level: Level = field(init=False)
    known: dict[tuple[int, frozenset[int]], int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.members, self.level = self.rule.members, self.rule.penalty.level
        uses: list[list[int]] = self.rule.use.tolist()
        self.use = {
            guest: tuple(use) for guest, use in zip(self.members.tolist(), uses, strict=True)
        }
        sites = range(len(self.rule.boxes))
        at = self.start[self.members]
        self.here = [frozenset(self.members[at == site].tolist()) for site in sites]
        self.left = np.array([self._left(s, self.here[s]) for s in sites], dtype=np.int64)
        hard = self.rule.hard
        self.cap = self.left.copy() if hard else np.full_like(self.left, len(self.members))

    def _left(self, site: int, members: frozenset[int]) -> int:
        """Return how many of `members` find no box on the site."""
        if (site, members) not in self.known:
            things = [self.use[guest] for guest in sorted(members)]
            self.known[site, members] = pack(things, self.rule.boxes[site]).left
        return self.known[site, members]

    def best(self, guest: int, site: int) -> int:
        """One less on its site, at best."""
        penalty = self.rule.penalty
        left = self._left(site, self.here[site] - {guest})
        return penalty.price(left) - penalty.price(int(self.left[site]))

    def shift(self, guest: int, site: int) -> tuple[Ints, Bools]:
        """One less here, one more there."""
        then = np.array(
            [self._left(s, members | {guest}) for s, members in enumerate(self.here)],
            dtype=np.int64,
        )
        penalty = self.rule.penalty
        added = price(penalty, then) - price(penalty, self.left) + self.best(guest, site)
        may = then <= self.cap
        added[site], may[site] = 0, True
        return added, may

    def moved(self, guest: int, source: int, target: int) -> None:
        """Take note of who is where."""
        self.here[source] -= {guest}
        self.here[target] |= {guest}
        for site in (source, target):
            self.left[site] = self._left(site, self.here[site])

    def lawful(self) -> bool:
        """True if no site has more without a box than it had."""
        return bool((self.left <= self.cap).all())


ALIKE: Final = (Crowds, Domains)
"""Groups of which `best` is the same for all members on one site."""
