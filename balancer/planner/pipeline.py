"""The straight line: observation and policy in, a judged plan out.

    gate -> forecast -> place -> what pays -> order -> verify

Each stage is one call; nothing here decides, it only hands values on and says what came of it.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

import numpy as np

from balancer.planner.assessment import NOTHING_ASKED
from balancer.planner.assessment import asked as asked  # noqa: PLC0414
from balancer.planner.assessment import assess as assess  # noqa: PLC0414 - callers find both stages here
from balancer.planner.assessment import orders_of as orders_of  # noqa: PLC0414
from balancer.planner.constraints import all_rules
from balancer.planner.constraints import broken as broken_at_rest
from balancer.planner.constraints.budget import affordable
from balancer.planner.diagnose import conflicts
from balancer.planner.explain import for_load, hot, loads, reasons, summary
from balancer.planner.formulation import Budget, Formulation, Ints, formulate
from balancer.planner.model.certificate import Certificate
from balancer.planner.model.copying import sent_mib
from balancer.planner.model.observation import Observation
from balancer.planner.model.placement import Placement, fingerprint
from balancer.planner.model.plan import Action, Infeasible, Plan, Quality, Score, Stay
from balancer.planner.model.policy import Constraint, Policy, caveat
from balancer.planner.model.problem import Problem
from balancer.planner.model.relaxation import Conflict, advice
from balancer.planner.model.request import Effort, Request
from balancer.planner.model.resources import MEMORY
from balancer.planner.model.reverse import reverse
from balancer.planner.model.violation import Violation
from balancer.planner.model.weighed import Weighed
from balancer.planner.objectives import all_goals
from balancer.planner.order.busy import too_busy, unmoved
from balancer.planner.order.schedule import Ordered, order
from balancer.planner.paying import paying
from balancer.planner.place.answer import key
from balancer.planner.place.conflict import explain as explain_conflict
from balancer.planner.place.curve import curve
from balancer.planner.place.evaluate import score
from balancer.planner.place.solve import Answer, solve, two_sided
from balancer.planner.prove import dip, heats, prove
from balancer.planner.resizable import faults as resize_faults
from balancer.planner.resize import lacking, resize
from balancer.planner.trim import opening, useful_part
from balancer.planner.verify import judge
from balancer.planner.weigh import Scales
from balancer.planner.worth import priced

ALONE = "the guest that the planner runs in moves by itself"
MOVES_LAST = "the planner runs in it: it moves last, by itself"
ASKED_AGAIN = 3
"""How often another placement is sought where there is no way to the one before."""
TIGHTENED: Final = 5
"""How often a placement is sought with less to move, where only a part of the way is safe."""
NEARLY: Final = 1000
"""One part in so many of a gain is not sought further: sums of squares, so that spreads differ more."""
_RANK = list(Effort)
SHOWN = 3
"""How many broken rules an `Infeasible` spells out."""


def plan(
    observation: Observation,
    policy: Policy,
    request: Request = NOTHING_ASKED,
    keep_going: Callable[[], bool] = lambda: True,
) -> Plan | Infeasible:
    """Return what to do about the cluster as observed, proven step by step by the judge.

    A plan without actions is a full answer: its summary says why nothing is worth moving.
    `Infeasible` is returned where hard rules are broken, or an order was given, and no move
    that may be made helps. `keep_going` is asked between chunks of work; once it returns False
    the best answer so far is taken.
    """
    return plan_for(assess(observation, policy, request), request, keep_going)


def plan_for(
    problem: Problem, request: Request, keep_going: Callable[[], bool] = lambda: True
) -> Plan | Infeasible:
    """Return what `plan` does, for whoever assessed the observation already by this request."""
    problem = named(problem)
    first, alone = _apart(problem)
    made = _planned(first, request, keep_going)
    if alone is None or (isinstance(made, Plan) and made.actions):
        return made
    then = _planned(alone, request, keep_going)
    return then if isinstance(then, Plan) and then.actions else made


def named(problem: Problem) -> Problem:
    """Return the problem, with guests held or barred that no migration is expected to bring away.

    So that they are named with the remedy, and not planned in vain again and again.
    """
    held = {**unmoved(problem), **problem.held}
    return replace(problem, held=held, barred={**too_busy(problem), **problem.barred})


def _apart(problem: Problem) -> tuple[Problem, Problem | None]:
    """Return what to ask first, and then: the guest that the planner runs in moves last, alone."""
    own, cluster = problem.planner, problem.cluster
    if own not in cluster.guest or own in problem.held:
        return problem, None
    others = {guest.uuid: ALONE for guest in cluster.guests if guest.uuid != own}
    return (
        replace(problem, held={**problem.held, own: MOVES_LAST}),
        replace(problem, held={**others, **problem.held}),
    )


def _planned(
    problem: Problem, request: Request, keep_going: Callable[[], bool]
) -> Plan | Infeasible:
    """Return the best plan for one problem."""
    ways = [_way(problem, request, keep_going)]
    while (without := _without(ways)) and keep_going():
        barred = {**ways[-1].problem.barred, **without}
        quicker = replace(request, effort=_quick(request.effort))
        ways.append(_way(replace(problem, barred=barred), quicker, keep_going))
    best = _not_worse_for_more(problem, ways, request, keep_going)
    if refused := _refused(problem, best.ordered):
        return refused
    left = (*best.ordered.left, *explain_conflict(best.formulation, best.reached))
    ordered = replace(best.ordered, left=left, certificate=ways[0].ordered.certificate)
    made = _assemble(problem, ordered, (best.before, best.after), best.answer)
    made = replace(
        made, asked_again=len(ways) - 1, gained=_gained(best.formulation, _in_turn(made.actions))
    )
    complete = with_resizes(problem, made, ordered.reached)
    if isinstance(complete, Infeasible):
        return complete
    made = complete
    return _or_infeasible(made, request, _conflicts(problem, made, request, keep_going))


def with_resizes(problem: Problem, made: Plan, reached: Placement) -> Plan | Infeasible:
    """Return the plan with what guests are to be given where they are; judged, too."""
    touched = {host for action in made.actions for host in (action.source, action.target)}
    given = resize(problem, reached, {action.guest for action in made.actions}, touched)
    made = replace(made, left=(*made.left, *lacking(problem, made.hot_hosts)))
    if not given.resizes:
        return made
    if wrong := resize_faults(problem, given.resizes, moves=made.actions):
        return _report(wrong[0])
    told = "\n".join(f"{r.guest} {r.what} {r.after}" for r in given.resizes)
    made = replace(
        made,
        id="P-" + sha256(f"{made.id}\n{told}".encode()).hexdigest()[:8],
        resizes=given.resizes,
        resizes_save=given.saved,
    )
    return replace(made, summary=summary(made))


def _quick(effort: Effort) -> Effort:
    """Return `effort`, no more than about two seconds of it."""
    return min(effort, Effort.QUICK, key=_RANK.index)


def _gained(formulation: Formulation, actions: Iterable[Action]) -> tuple[int, ...]:
    """Return what each move in turn brings of the whole gain."""
    return curve(
        formulation,
        [(formulation.guest_number[a.guest], formulation.site_number[a.target]) for a in actions],
    )


def _in_turn(actions: Iterable[Action]) -> list[Action]:
    return sorted(actions, key=lambda action: action.start)


def _conflicts(
    problem: Problem, made: Plan, request: Request, keep_going: Callable[[], bool]
) -> tuple[Conflict, ...]:
    """Return which rules cannot all hold, where some stay broken."""
    left = [v for v in made.broken_after if v.hard]
    if not left or request.effort is Effort.INSTANT:
        return ()
    return conflicts(problem, {uuid for v in left for uuid in v.guests}, keep_going)


def sought(
    problem: Problem, request: Request, keep_going: Callable[[], bool] = lambda: True
) -> Placement:
    """Return the best placement found, whether or not there is a way to it."""
    formulation = formulate(problem, all_rules(problem), all_goals(problem))
    return _named(problem, solve(formulation, request.effort, request.seed, keep_going))


def _named(problem: Problem, answer: Answer) -> dict[str, str]:
    """Return an answer as a placement."""
    uuids = (guest.uuid for guest in problem.cluster.guests)
    hosts = [host.name for host in problem.cluster.hosts]
    return {u: hosts[site] for u, site in zip(uuids, answer.placement.tolist(), strict=True)}


@dataclass(frozen=True, slots=True)
class _Way:
    """One placement that was sought, and how far one gets towards it."""

    problem: Problem
    formulation: Formulation
    answer: Answer
    ordered: Ordered
    before: Score
    after: Score
    cut: bool
    """Whether a part of the way was left out, or not found."""

    @property
    def reached(self) -> Answer:
        """The answer as far as it is reached."""
        if not self.ordered.actions:
            return self.answer
        return replace(self.answer, placement=_numbers(self.formulation, self.ordered.reached))


def _not_worse_for_more(
    problem: Problem, ways: list[_Way], request: Request, keep_going: Callable[[], bool]
) -> _Way:
    """Return the best of `ways`, and of others, added to them, that move less where much is cut.

    The more may be moved, the more even a placement, and the longer the way there, until no safe
    one is found: then a part of it may be worth less than all of a shorter one. More may be moved
    after a way that was whole, less after one that was not, until nearly all is gained.
    """
    best = min(ways, key=lambda way: key(way.after))
    if not best.cut or not two_sided(best.formulation):
        return best
    whole, over = 0.0, float(_volume(ways[0]))
    at_most = 3 * over / 4
    for _ in range(TIGHTENED):
        if _nearly(best, ways[0].answer.score) or not keep_going():
            break
        way = _way(problem, request, keep_going, round(at_most))
        whole, over = (whole, at_most) if way.cut else (at_most, over)
        ways.append(way)
        best = min(best, way, key=lambda one: key(one.after))
        at_most = (whole + over) / 2
    return best


def _nearly(way: _Way, sought: Score) -> bool:
    """True if the way brings nearly all that was `sought`."""
    if (way.after.repair, way.after.overload) > (sought.repair, sought.overload):
        return False
    return NEARLY * (way.after.cost - sought.cost) <= way.before.cost - sought.cost


def _volume(way: _Way) -> int:
    """Return what moves on the whole of a way send, MiB."""
    moved = way.answer.placement != way.formulation.start
    uuids = (guest.uuid for guest in way.problem.cluster.guests)
    return sum(sent_mib(way.problem, u) for u, moves in zip(uuids, moved, strict=True) if moves)


def _tightened(formulation: Formulation, at_most: int) -> Formulation:
    """Return the formulation, with no more than `at_most` MiB to be moved."""
    data = [sent_mib(formulation.problem, g.uuid) for g in formulation.problem.cluster.guests]
    tight = copy(formulation)
    limit = Budget("no longer way is safe", np.array(data, dtype=np.int64), at_most)
    tight.primitives = [*formulation.primitives, limit]
    return tight


def _way(
    problem: Problem,
    request: Request,
    keep_going: Callable[[], bool],
    at_most: int | None = None,
) -> _Way:
    """Return the best placement for `problem`, and as much of the way there as is worth it.

    `at_most` is how much may be moved to get there, MiB: what limits allow, if None.
    """
    formulation = formulate(problem, all_rules(problem), all_goals(problem))
    sought_in = formulation if at_most is None else _tightened(formulation, at_most)
    answer = solve(sought_in, request.effort, request.seed, keep_going)
    paid = paying(problem, formulation, answer.placement)
    if (paid != answer.placement).any():
        answer = replace(answer, placement=paid, score=score(formulation, paid), proven=False)
    target = _named(problem, answer)
    before = score(formulation, formulation.start)
    if not _worth_it(before, answer.score, problem.policy):
        target = dict(problem.cluster.placement)
    effort = request.effort if keep_going() else _quick(request.effort)
    ordered = order(problem, target, reasons(problem, formulation, target), effort)
    in_full, ordered = ordered, _bounded(formulation, ordered)
    cut = bool(ordered.blocking) or len(ordered.actions) < len(in_full.actions)
    after = score(formulation, _numbers(formulation, ordered.reached))
    if ordered.actions and not _worth_it(before, after, problem.policy):
        ordered = replace(ordered, actions=(), reached=problem.cluster.placement)
        after = before
    return _Way(problem, formulation, answer, ordered, before, after, cut)


def _without(ways: Sequence[_Way]) -> Mapping[tuple[str, str], str]:
    """Return what the next placement must do without, so that there is a way; nothing to end.

    First the largest of those moves that block each other; if that does not help, all of them.
    """
    way, blocking = ways[-1], ways[-1].ordered.blocking
    if not blocking or len(ways) > ASKED_AGAIN:
        return {}
    if len(ways) == 1:
        needs = way.problem.needs
        blocking = (max(blocking, key=lambda b: (needs[b[0].guest].get(MEMORY, 0), b[0].guest)),)
    return {(move.guest, move.target): f"no way there: {why}" for move, why in blocking}


def towards(
    observation: Observation,
    policy: Policy,
    target: Placement,
    reason: str,
    request: Request = NOTHING_ASKED,
) -> Plan | Infeasible:
    """Return the way to where the operator wants guests: as much of it as breaks no rule.

    `target` names hosts by uuid of a guest; guests that are not in it stay. Judged as every plan
    is. Guests that cannot get there are in `left`; `Infeasible` where that is all of them.
    """
    problem = assess(observation, policy, replace(request, ordered=frozenset(target)))
    return towards_for(problem, target, reason)


def towards_for(problem: Problem, target: Placement, reason: str) -> Plan | Infeasible:
    """Return what `towards` does, for whoever has the problem already."""
    now = problem.cluster.placement
    wanted = {**now, **{uuid: host for uuid, host in target.items() if uuid in now}}
    ordered = order(problem, wanted, dict.fromkeys(target, reason))
    formulation = formulate(problem, all_rules(problem), all_goals(problem))
    ordered = _bounded(formulation, ordered)
    if refused := _refused(problem, ordered):
        return refused
    if not ordered.actions and wanted != now:
        sentences = [f"{stay.subject}: {stay.reason}" for stay in ordered.left]
        return Infeasible(reason="; ".join(sentences[:SHOWN]), certificates=_proof(ordered))
    return _led(problem, formulation, ordered)


def _led(problem: Problem, formulation: Formulation, ordered: Ordered) -> Plan:
    """Return the plan of a way to a placement that nobody had to look for."""
    numbers = _numbers(formulation, ordered.reached)
    before, after = score(formulation, formulation.start), score(formulation, numbers)
    answer = Answer(
        placement=numbers, score=after, bound=None, engine="order", steps=0, proven=False
    )
    return _assemble(problem, ordered, (before, after), answer)


def back(
    observation: Observation,
    policy: Policy,
    homes: Placement,
    done: Sequence[Action],
    reason: str,
) -> Plan | Infeasible:
    """Return the way back to `homes`: where guests were before `done`, in the order of its plan.

    A way made afresh where it leads everybody home; else what was done, backwards, if the judge
    accepts that here and now. What was broken before may be broken again.
    """
    request = Request(before=homes)
    made = towards(observation, policy, homes, reason, request)
    if isinstance(made, Plan) and not made.left:
        return made
    problem = assess(observation, policy, replace(request, ordered=frozenset(homes)))
    actions = reverse(done, reason)
    if not actions or not judge(problem, actions).valid:
        return made
    reached = {**problem.cluster.placement, **{a.guest: a.target for a in actions}}
    formulation = formulate(problem, all_rules(problem), all_goals(problem))
    return _led(problem, formulation, Ordered(actions=actions, left=(), reached=reached))


def cut(observation: Observation, policy: Policy, made: Plan, first: int) -> Plan | Infeasible:
    """Return the first so many actions of `made`, by their start, as a plan of its own.

    With an action come all that it waits for, and every step of their guests; so it may be a few
    more. Judged and reckoned afresh on the cluster as observed; `left` says what the others bring.
    """
    actions = opening(made.actions, first)
    rest = len(made.actions) - len(actions)
    if not rest:
        return made
    problem = named(assess(observation, policy, orders_of(made)))
    formulation = formulate(problem, all_rules(problem), all_goals(problem))
    reached = {**problem.cluster.placement, **{a.guest: a.target for a in actions}}
    why = f"left out: only the first {first} asked for" + _share(formulation, made, actions)
    last = f"the last {rest} of" if rest > 1 else "the last of"
    left = (*made.left, Stay(subject=f"{last} {len(made.actions)} moves", reason=why))
    ordered = Ordered(actions=actions, left=left, reached=reached)
    if refused := _refused(problem, ordered):
        return refused
    shorter = _led(problem, formulation, ordered)
    quality = replace(made.quality, proven=False)
    gained = _gained(formulation, _in_turn(shorter.actions))
    return replace(shorter, quality=quality, gained=gained)


def _share(formulation: Formulation, made: Plan, kept: Collection[Action]) -> str:
    """Return how much of what `made` gains the actions `kept` bring, as words; if it gains."""
    others = [action for action in made.actions if action not in kept]
    gained = _gained(formulation, [*_in_turn(kept), *_in_turn(others)])
    return f", which bring {gained[len(kept) - 1] // 10} % of the whole gain" if gained else ""


def _bounded(formulation: Formulation, ordered: Ordered) -> Ordered:
    """Return as much of the way, by gain, as this hour pays for and heat on the way allows."""
    problem = formulation.problem
    every = {action.guest for action in ordered.actions}
    limits = problem.policy.limits

    def paid(uuids: Collection[str]) -> bool:
        return affordable(problem, [a.guest for a in ordered.actions if a.guest in uuids])

    if not paid(every):
        why = f"left for a later hour: limits allow {limits.moves_per_hour} moves and "
        why += f"{limits.data_per_hour // 1024} GiB in any hour"
        ordered = _part(formulation, ordered, why, paid)

    def cool(uuids: Collection[str]) -> bool:
        some = [action for action in ordered.actions if action.guest in uuids]
        return dip(heats(problem, some)) <= bound

    bound = round(1000 * limits.hotter_on_the_way)
    if not cool(every):
        why = "would make hosts too hot on the way: limit hotter_on_the_way"
        ordered = _part(formulation, ordered, why, cool)
    return ordered


def _part(
    formulation: Formulation, ordered: Ordered, why: str, fits: Callable[[Collection[str]], bool]
) -> Ordered:
    """Return the part of the way that `fits` and gains most, and why the others stay."""
    actions = useful_part(formulation, ordered.actions, fits)
    kept = {action.guest for action in actions}
    now = formulation.problem.cluster.placement
    left = {action.guest: action.name for action in ordered.actions if action.guest not in kept}
    return replace(
        ordered,
        actions=actions,
        least_aside=0,
        reached={u: h if u in kept else now[u] for u, h in ordered.reached.items()},
        left=(*ordered.left, *(Stay(subject=name, reason=why) for name in left.values())),
    )


def _refused(problem: Problem, ordered: Ordered) -> Infeasible | None:
    """Return what to say where the judge does not accept these actions; None where it does."""
    if not ordered.actions:
        return None
    verdict = judge(problem, ordered.actions)
    if verdict.valid:
        return None
    return _report(verdict.faults[0])


def _report(fault: str) -> Infeasible:
    return Infeasible(
        reason=f"the judge refuses the plan that was found: {fault}",
        remedy="nothing was changed; save the observation (balancer observe -o FILE) and report it",
    )


def _numbers(formulation: Formulation, placement: Placement) -> Ints:
    """Return a placement as the engines write it."""
    numbers = formulation.start.copy()
    for uuid, host in placement.items():
        numbers[formulation.guest_number[uuid]] = formulation.site_number[host]
    return numbers


def account(observation: Observation, policy: Policy, made: Plan) -> tuple[Weighed, ...]:
    """Return, for each guest that `made` moves, what spoke for and against each host."""
    problem = assess(observation, policy, orders_of(made))
    reached = {**problem.cluster.placement, **{a.guest: a.target for a in made.actions}}
    return weighed(problem, reached, dict.fromkeys(action.guest for action in made.actions))


def consider(observation: Observation, policy: Policy, uuid: str) -> Weighed:
    """Return what keeps a guest where it is now, and what speaks against each other host."""
    problem = assess(observation, policy)
    return weighed(problem, problem.cluster.placement, (uuid,))[0]


def weighed(problem: Problem, reached: Placement, uuids: Iterable[str]) -> tuple[Weighed, ...]:
    """Return what spoke for and against each host for each guest, all others being where `reached`."""
    wanted = tuple(uuids)
    if not wanted:
        return ()
    problem = named(problem)
    scales = Scales(problem, formulate(problem, all_rules(problem), all_goals(problem)), reached)
    return tuple(map(scales.weigh, wanted))


def broken(problem: Problem, placement: Placement) -> tuple[Violation, ...]:
    """Return every rule broken when guests rest as in `placement`, hard ones first."""
    found = broken_at_rest(problem, placement)
    return tuple(sorted(found, key=lambda v: (not v.hard, v.rule, v.subject)))


def _worth_it(before: Score, after: Score, policy: Policy) -> bool:
    """True if `after` repairs, relieves, or saves the least share of cost worth a plan."""
    if (after.repair, after.overload) != (before.repair, before.overload):
        return (after.repair, after.overload) < (before.repair, before.overload)
    return before.cost - after.cost > policy.limits.minimum_gain * before.cost


def _assemble(
    problem: Problem,
    ordered: Ordered,
    scores: tuple[Score, Score],
    answer: Answer,
) -> Plan:
    reached = ordered.reached
    driven = for_load(problem, reached)
    told = tuple(replace(a, for_load=a.guest in driven) for a in ordered.actions)
    actions, worth = priced(problem, told, reached)
    limits = problem.policy.limits
    start = fingerprint(problem.cluster.placement)
    moves = "\n".join(f"{a.guest} {a.source} {a.target}" for a in actions)
    before, after = scores
    broken_before = broken(problem, problem.cluster.placement)
    host_loads = loads(problem, reached)
    made = Plan(
        proofs=prove(problem, actions),
        heat_before=heats(problem, ())[0],
        undoes=problem.before,
        reach=ordered.reach,
        least_aside=ordered.least_aside if ordered.actions else 0,
        certificates=_proof(ordered),
        id="P-" + sha256(f"{start}\n{moves}".encode()).hexdigest()[:8],
        made_at=problem.at,
        fingerprint=start,
        relieve=tuple(sorted(problem.relieve)),
        policy=f"{problem.policy.name}@{problem.policy.digest[:4]}",
        actions=actions,
        score_before=before,
        score_after=after,
        quality=Quality(
            engine=answer.engine,
            bound=answer.bound,
            proven=answer.proven and key(after) == key(answer.score),
            steps=answer.steps,
        ),
        loads=host_loads,
        hot_hosts=tuple(line.host for line in hot(problem, host_loads)),
        broken_before=broken_before,
        broken_after=broken(problem, reached) if actions else broken_before,
        left=ordered.left,
        ordered=tuple(sorted(problem.ordered)),
        rules_checked=tuple(_checked(rule, problem) for rule in all_rules(problem) if rule.hard),
        limits={
            "at_once_per_host": limits.at_once_per_host,
            "at_once_total": limits.at_once_total,
        },
        worth=worth,
        memory_from=dict(sorted(Counter(problem.demand.basis.values()).items())),
        horizon=problem.policy.forecast.horizon,
        trust=round(problem.trust, 3),
    )
    return replace(made, summary=summary(made))


def _proof(ordered: Ordered) -> tuple[Certificate, ...]:
    return () if ordered.certificate is None else (ordered.certificate,)


def _checked(rule: Constraint, problem: Problem) -> str:
    """Return the rule's label, and what the judge's word on it leaves open."""
    doubt = caveat(rule, problem)
    return f"{rule.label} ({doubt})" if doubt else rule.label


def _or_infeasible(made: Plan, request: Request, found: tuple[Conflict, ...]) -> Plan | Infeasible:
    """Return `made`, or why it is no answer: something had to be done and nothing can be."""
    if made.actions:
        return replace(made, left=(*made.left, *map(_at_odds, found)))
    hard = [v for v in made.broken_before if v.hard]
    if not hard and not request.relieve:
        return made
    asked = [f"{host} cannot be relieved" for host in sorted(request.relieve)]
    stays = "; ".join(f"{stay.subject}: {stay.reason}" for stay in made.left[:SHOWN])
    return Infeasible(
        reason="; ".join([*asked, *(v.sentence for v in hard[:SHOWN])])
        + (f" (and {len(hard) - SHOWN} more)" if len(hard) > SHOWN else ""),
        conflicting=found[0].rules if found else tuple(dict.fromkeys(v.rule for v in hard)),
        remedy="; ".join(filter(None, (advice(found), stays))),
        certificates=made.certificates,
        conflicts=found,
    )


def _at_odds(conflict: Conflict) -> Stay:
    """Return a conflict as what is left of a plan that does the rest."""
    helps = advice([conflict])
    return Stay(
        subject=" and ".join(conflict.rules),
        reason=("cannot hold together" if conflict.rules[1:] else "cannot hold")
        + (f"; would help: {helps}" if helps else ""),
    )
