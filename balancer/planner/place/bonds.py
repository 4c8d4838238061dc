"""What binds the guests of a part to each other and to those that stay, in CP-SAT's words.

Guests outside the part count where they are; of domains only those that the part can change.
"""

from collections.abc import Mapping

from ortools.sat.python import cp_model

from balancer.planner.formulation import Ints, Level, Penalty
from balancer.planner.place.groups import Boxes, Domains, Group, Neighbours, Sides
from balancer.planner.place.state import State

Linear = cp_model.LinearExpr | cp_model.IntVar | int
Term = tuple[cp_model.IntVar, int]
Ways = Mapping[int, Mapping[int, cp_model.IntVar]]
"""Of each guest of the part, by site, whether it is there."""


class Bonds:
    """Writes groups other than crowds and streams into the model of a part."""

    def __init__(
        self,
        model: cp_model.CpModel,
        terms: Mapping[Level, list[Term]],
        state: State,
        ways: Ways,
        sites: Ints,
    ) -> None:
        self.model, self.terms, self.state, self.ways = model, terms, state, ways
        self.sites: list[int] = sites.tolist()
        met = {id(g): g for guest in ways for g in state.groups_of[guest]}
        for group in met.values():
            self._write(group)

    def _write(self, group: Group) -> None:
        match group:
            case Domains():
                self._domains(group)
            case Neighbours():
                self._neighbours(group)
            case Sides():
                self._sides(group)
            case Boxes():
                self._boxes(group)
            case _:  # crowds and streams
                pass

    def _on(self, guest: int) -> Mapping[int, Linear]:
        """Return, by site, whether `guest` is there: for certain if it stays."""
        return self.ways.get(guest, {int(self.state.site[guest]): 1})

    def _inside(self, members: Ints, domain: Ints) -> dict[int, list[Linear]]:
        """Return, by domain, of each member that can be there whether it is."""
        found: dict[int, list[Linear]] = {}
        for guest in members.tolist():
            by_domain: dict[int, list[Linear]] = {}
            for site, here in self._on(guest).items():
                by_domain.setdefault(int(domain[site]), []).append(here)
            for number, parts in by_domain.items():
                found.setdefault(number, []).append(sum(parts))
        return found

    def _held(self, strained: Linear, penalty: Penalty, most: int, cap: int) -> None:
        """Hold `strained`, which is at most `most`, to `cap`, and price what is above 0."""
        if cap < most:
            self.model.add(strained <= cap)
            most = cap
        if most <= 0:
            return
        excess = self.model.new_int_var(0, most, "")
        self.model.add(excess >= strained)
        paid = self.model.new_int_var(0, penalty.price(most), "")
        slope = offset = 0
        for begin, extra in penalty.pieces:
            slope, offset = slope + extra, offset + extra * begin
            self.model.add(paid >= slope * excess - offset)
        self.terms[penalty.level].append((paid, 1))

    def _domains(self, group: Domains) -> None:
        rule, used = group.rule, list[Linear]()
        inside = self._inside(rule.members, rule.domain)
        for parts in inside.values():
            if any(isinstance(part, int) for part in parts):
                used.append(1)
                continue
            here = self.model.new_bool_var("")
            for part in parts:
                self.model.add(here >= part)
            self.model.add(sum(parts) >= here)
            used.append(here)
        most = len(used) + rule.least
        off = self.model.new_int_var(0, most, "")
        self.model.add(off >= sum(used) - rule.most)
        self.model.add(off >= rule.least - sum(used))
        self._held(off, rule.penalty, most, group.cap)

    def _neighbours(self, group: Neighbours) -> None:
        rule, apart = group.rule, self.model.new_bool_var("")
        others = self._inside(group.members[1:], rule.domain)
        for number, parts in self._inside(group.members[:1], rule.domain).items():
            self.model.add(apart >= parts[0] - others.get(number, [0])[0])
        self._held(apart, rule.penalty, 1, group.cap)

    def _sides(self, group: Sides) -> None:
        """In each domain one side or the other is what is too much; the lesser is the excess."""
        rule = group.rule
        others = self._inside(rule.other, rule.domain)
        for number, one in self._inside(rule.one, rule.domain).items():
            other = others.get(number, [])
            most = min(len(one), len(other))
            if not most:
                continue
            second = self.model.new_bool_var("")
            shared = self.model.new_int_var(0, most, "")
            self.model.add(shared >= sum(one) - len(one) * second)
            self.model.add(shared >= sum(other) - len(other) * (1 - second))
            self._held(shared, rule.penalty, most, int(group.cap[number]))

    def _boxes(self, group: Boxes) -> None:
        found: dict[int, list[tuple[int, Linear]]] = {}
        for guest in group.members.tolist():
            for site, here in self._on(guest).items():
                found.setdefault(site, []).append((guest, here))
        for site in self.sites:
            if site in found:
                self._boxed(group, site, found[site])

    def _boxed(self, group: Boxes, site: int, guests: list[tuple[int, Linear]]) -> None:
        boxes = group.rule.boxes[site]
        taken: list[list[list[Linear]]] = [[[] for _ in box] for box in boxes]
        outside: list[Linear] = []
        for guest, here in guests:
            inside = [self.model.new_bool_var("") for _ in boxes]
            self.model.add(sum(inside) <= here)
            outside.append(here - sum(inside))
            for parts, way in zip(taken, inside, strict=True):
                for part, amount in zip(parts, group.use[guest], strict=True):
                    part.append(amount * way)
        for parts, box in zip(taken, boxes, strict=True):
            for part, room in zip(parts, box, strict=True):
                self.model.add(sum(part) <= room)
        self._held(sum(outside), group.rule.penalty, len(outside), int(group.cap[site]))
