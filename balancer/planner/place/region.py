"""All guests of a few sites, all their ways among these sites at once: CP-SAT on what a trader holds.

Everybody else stays. Lingering usage, groups by domains and needs between them are written, too, so
nothing is left out that the trader knows.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from ortools.sat.python import cp_model

from balancer.planner.place.trader import Trader

Ways = dict[int, cp_model.IntVar]
GUARD_SECONDS: Final = 15.0
"""A guard against machines much slower than those deterministic time suits."""


class Region:
    """All ways to put the guests that are on `sites` now onto `sites`; no cap may be exceeded."""

    def __init__(self, trader: Trader, sites: Sequence[int]) -> None:
        self.trader, self.arrays, self.sites = trader, trader.arrays, list(sites)
        self.model = cp_model.CpModel()
        self.prices: list[tuple[cp_model.IntVar, int]] = []
        inside = [trader.members[s, : trader.inside[s]].tolist() for s in self.sites]
        self.on: dict[int, Ways] = {g: self._ways(g) for here in inside for g in here}
        for site in self.sites:
            self._site(site)
        self._groups()
        self.model.minimize(_sum(self.prices))

    def _ways(self, guest: int) -> Ways:
        a = self.arrays
        here = int(a.site[guest])
        ways = {
            site: self.model.new_bool_var("")
            for site in self.sites
            if site == here or not len(a.allowed) or a.allowed[guest, site]
        }
        self.model.add_exactly_one(ways.values())
        home = int(a.state.home[guest])
        for site, way in ways.items():
            self.model.add_hint(way, site == here)
            fare = int(a.state.formulation.move_cost[guest]) * (site != home)
            if len(a.terms.routes):
                fare += int(a.terms.routes[home, site])
            if fare:
                self.prices.append((way, fare))
        return ways

    def _site(self, site: int) -> None:
        a = self.arrays
        for row in range(a.load.shape[1]):
            parts, base, most = [], int(a.load[site, row]), 0
            for guest, ways in self.on.items():
                use = int(a.use[guest, row])
                if not use or (row >= a.plain and a.state.home[guest] == site):
                    continue
                base -= use if a.site[guest] == site else 0
                if site in ways:
                    parts.append((ways[site], use))
                    most += max(0, use)
            if not parts:
                continue
            if base + most > a.cap[site, row]:
                self.model.add(_sum(parts) <= int(a.cap[site, row]) - base)
            slope, limit = int(a.last[row]), int(a.limit[site, row])
            top = min(base + most, int(a.cap[site, row])) - limit
            if row < a.plain and slope and top > 0:
                excess = self.model.new_int_var(0, top, "")
                self.model.add(excess >= _sum(parts) + (base - limit))
                self.prices.append((excess, slope))

    def _groups(self) -> None:
        """Write who counts where: `self.inside` has the open decisions of each group's domains."""
        a = self.arrays
        self.inside: dict[tuple[int, int], list[cp_model.IntVar]] = {}
        self.fixed: dict[tuple[int, int], int] = {}
        touched: dict[int, None] = {}
        for guest, ways in self.on.items():
            for group in a.groups[a.first[guest] : a.first[guest + 1]].tolist():
                touched[group] = None
                domain = a.maps[a.map_of[group]]
                for site, way in ways.items():
                    self.inside.setdefault((group, int(domain[site])), []).append(way)
                here = (group, int(domain[a.site[guest]]))
                self.fixed[here] = self.fixed.get(here, 0) - 1
        for group in touched:
            self._group(group, sorted({int(a.maps[a.map_of[group]][s]) for s in self.sites}))

    def _stays(self, group: int, domain: int) -> int:
        """Return how many of a group stay in a domain whatever is decided."""
        at = (group, domain)
        return int(self.arrays.count[self.arrays.offset[group] + domain]) + self.fixed.get(at, 0)

    def _group(self, group: int, domains: Sequence[int]) -> None:
        a, used, gone = self.arrays, [], 0
        for domain in domains:
            inside = self.inside.get((group, domain), [])
            stays = self._stays(group, domain)
            roof = int(a.roof[a.offset[group] + domain])
            if stays + len(inside) > roof:
                self.model.add(sum(inside) <= roof - stays)
            gone += int(a.count[a.offset[group] + domain] > 0)
            self._needs(group, domain, inside, stays)
            used.append(self._used(inside, stays))
        least, most = int(a.least_used[group]), int(a.most_used[group])
        others = int(a.used[group]) - gone
        if others + sum(u is True for u in used) < least or others + len(used) > most:
            total = cp_model.LinearExpr.sum([int(u) if isinstance(u, bool) else u for u in used])
            self.model.add(total >= least - others)
            self.model.add(total <= most - others)

    def _used(self, inside: Sequence[cp_model.IntVar], stays: int) -> cp_model.IntVar | bool:
        if stays or not inside:
            return stays > 0
        used = self.model.new_bool_var("")
        self.model.add_max_equality(used, inside)
        return used

    def _needs(
        self, group: int, domain: int, inside: Sequence[cp_model.IntVar], stays: int
    ) -> None:
        """Where a member is, so is one of each group it needs; where it is needed, one stays."""
        a = self.arrays
        for other in a.needs[a.needs_first[group] : a.needs_first[group + 1]].tolist():
            if not self._stays(other, domain):
                theirs = self.inside.get((other, domain), [])
                for way in inside:
                    self.model.add_bool_or([*theirs, ~way])
        for other in a.by[a.by_first[group] : a.by_first[group + 1]].tolist():
            if not stays and self._stays(other, domain):
                self.model.add_bool_or(inside)

    def solve(
        self, work: float, seed: int, guard: float = GUARD_SECONDS
    ) -> tuple[list[tuple[int, int]], float, bool]:
        """Return (what to change for the better, the work done, whether it is proven the best)."""
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = seed
        solver.parameters.max_deterministic_time = work
        solver.parameters.max_time_in_seconds = guard
        status = solver.solve(self.model)
        changes: list[tuple[int, int]] = []
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            changes = [
                (guest, site)
                for guest, ways in self.on.items()
                for site, way in ways.items()
                if site != int(self.arrays.site[guest]) and solver.boolean_value(way)
            ]
        done = float(solver.response_proto.deterministic_time)
        return changes, done, status == cp_model.OPTIMAL


def _sum(terms: Iterable[tuple[cp_model.IntVar, int]]) -> cp_model.LinearExpr:
    parts = list(terms)
    return cp_model.LinearExpr.weighted_sum([v for v, _ in parts], [c for _, c in parts])
