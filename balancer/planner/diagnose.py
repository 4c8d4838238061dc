"""Where not all hard rules can hold: the least set of them that conflict, and what would help.

A set conflicts if no placement keeps all of it, whatever moves that takes; it is minimal if it no
longer conflicts without any one of its rules. Found by QuickXplain (Junker, 2004), each question
answered by the complete model.

The question is first asked of the guests concerned, and of those who share a rule with them, as if
there were no others: what conflicts there conflicts among all, and it is soon answered. Then of
all guests: whether that is all it takes, and if nothing was found before. In large clusters guests
and hosts are then counted by kind (`place.pooled`): what no count allows conflicts, and a rule is
part of the least set if without it some count is left. Each way out rests on a placement.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from balancer.planner.constraints import all_rules
from balancer.planner.ease import Eased, eased
from balancer.planner.formulation import Formulation, Ints, formulate
from balancer.planner.model.placement import at_rest
from balancer.planner.model.policy import Constraint
from balancer.planner.model.problem import Problem
from balancer.planner.model.relaxation import Conflict, Relaxation
from balancer.planner.model.violation import Violation
from balancer.planner.place.feasible import feasible, least, ruled_out, small_enough

CONFLICTS: Final = 3
"""Conflicts that are told apart; more come to light once these are solved."""
HELPS: Final = 5
"""Ways out of one conflict that are told."""

FEW: Final = 100
"""Guests of a rule up to which they count as kin."""

Rules = tuple[Constraint, ...]


def conflicts(
    problem: Problem, concerned: Collection[str], keep_going: Callable[[], bool]
) -> tuple[Conflict, ...]:
    """Return the conflicts of the rules in force, one after the other.

    `concerned` are guests that some broken rule speaks of. Nothing where all can hold, or where
    that stays open. With the first way out of each carried out, all rules hold, or the next conflict shows.
    """
    found: list[Conflict] = []
    while len(found) < CONFLICTS and keep_going():
        told = _conflict(problem, concerned, keep_going)
        if told is None:
            break
        rules, ways = told
        found.append(
            Conflict(
                rules=tuple(rule.label for rule in rules),
                helps=tuple(way.told for way in ways[:HELPS]),
            )
        )
        if not ways:
            break
        problem = _with(problem, ways[0].eased.problem)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Way:
    told: Relaxation
    eased: Eased


def _kin(problem: Problem, concerned: Collection[str]) -> frozenset[str]:
    """Return the guests concerned, and those who share a rule of few with them."""
    found = set(concerned)
    for rule in problem.policy.constraints:
        members = rule.concerns(problem)
        if rule.hard and len(members) <= FEW and not found.isdisjoint(members):
            found.update(members)
    return frozenset(found)


def _only(problem: Problem, concerned: Collection[str]) -> Problem:
    cluster = problem.cluster
    guests = tuple(guest for guest in cluster.guests if guest.uuid in concerned)
    where = {guest.uuid: cluster.placement[guest.uuid] for guest in guests}
    flying = {u: host for u, host in cluster.in_flight.items() if u in where}
    fewer = replace(cluster, guests=guests, placement=where, in_flight=flying)
    return replace(problem, cluster=fewer)


def _with(problem: Problem, other: Problem) -> Problem:
    """Return `problem` under what `other` says of policy and rest."""
    return replace(problem, policy=other.policy, cooling=problem.cooling & other.cooling)


def _hard(problem: Problem) -> Rules:
    """Return the hard rules in force: those that only time or an order brings come first."""
    return tuple(rule for rule in all_rules(problem) if rule.hard)


def _written(problem: Problem, rules: Iterable[Constraint]) -> Formulation:
    return formulate(problem, tuple(rules), ())


def _conflict(
    problem: Problem, concerned: Collection[str], keep_going: Callable[[], bool]
) -> tuple[Rules, Sequence[_Way]] | None:
    """Return the next conflict, and the ways out of it, cheapest first."""
    rules = _hard(problem)
    core: Rules = ()
    asked = problem
    for question in (_only(problem, _kin(problem, concerned)), problem):
        if small_enough(_written(question, rules)):
            core = _core(_Fits(question, keep_going), core or rules) or core
            asked = question
        elif question is problem:
            pooled = _core(_Counts(question, keep_going), core or rules)
            core, asked = (pooled, question) if pooled else (core, asked)
    if not core:
        return None
    ways = [way for rule in core if (way := _way_out(asked, (rules, core), rule, keep_going))]
    return core, sorted(ways, key=lambda way: way.told.guests)


def _core(fits: "_Fits | _Counts", rules: Rules) -> Rules:
    """Return the least of `rules` that conflict; nothing if they do not, or if that stays open."""
    if fits(rules) or fits.open:
        return ()
    core = _quick_xplain(fits, (), False, rules)
    return () if fits.open else core


class _Fits:
    """Whether some placement keeps all of certain rules; remembers whether a question stayed open."""

    def __init__(self, problem: Problem, keep_going: Callable[[], bool]) -> None:
        self.problem, self.keep_going = problem, keep_going
        self.open = False

    def __call__(self, rules: Rules) -> bool:
        going = self.keep_going
        answer = feasible(_written(self.problem, rules), going) if going() else None
        self.open = self.open or answer is None
        return answer is not False


class _Counts:
    """Whether certain rules are not ruled out by counts alone; open only if nobody waits."""

    def __init__(self, problem: Problem, keep_going: Callable[[], bool]) -> None:
        self.problem, self.keep_going = problem, keep_going
        self.open = False
        self.written = {rule: _written(problem, (rule,)) for rule in _hard(problem)}

    def __call__(self, rules: Rules) -> bool:
        if not self.keep_going():
            self.open = True
            return True
        together = Formulation(self.problem)
        for rule in rules:
            one = self.written[rule]
            together.allowed &= one.allowed
            together.held |= one.held
            together.primitives += one.primitives
        return not ruled_out(together, self.keep_going)


def _quick_xplain(fits: _Fits | _Counts, ground: Rules, asked: bool, rules: Rules) -> Rules:  # noqa: FBT001
    """Return the least of `rules` that conflict with `ground`; `asked`: it has grown."""
    if asked and not fits(ground):
        return ()
    if len(rules) == 1:
        return rules
    half = len(rules) // 2
    first, second = rules[:half], rules[half:]
    of_second = _quick_xplain(fits, (*ground, *first), bool(first), second)
    of_first = _quick_xplain(fits, (*ground, *of_second), bool(of_second), first)
    return (*of_first, *of_second)


def _way_out(
    problem: Problem, held: Sequence[Rules], rule: Constraint, keep_going: Callable[[], bool]
) -> _Way | None:
    """Return how `rule` could give way least, and what to write; None if it cannot.

    The other rules that are `held` stay: of several sets the first where that is possible.
    """
    giving = _written(problem, (rule,))
    kept = (_written(problem, (r for r in others if r is not rule)) for others in held)
    found = (least(one, giving, keep_going) for one in kept)
    placement = next((placed for placed in found if placed is not None), None)
    broken = () if placement is None else _broken(problem, rule, placement)
    way = eased(problem, rule, broken) if broken else None
    if way is None:
        return None
    return _Way(Relaxation(rule=rule.label, setting=way.setting, guests=way.guests), way)


def _broken(problem: Problem, rule: Constraint, placement: Ints) -> tuple[Violation, ...]:
    hosts = [host.name for host in problem.cluster.hosts]
    uuids = [guest.uuid for guest in problem.cluster.guests]
    where = {u: hosts[site] for u, site in zip(uuids, placement.tolist(), strict=True)}
    return tuple(v for v in rule.violations(problem, at_rest(where)) if v.hard)
