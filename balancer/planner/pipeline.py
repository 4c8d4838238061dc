"""The straight line: observation and policy in, a judged plan out.

    gate -> forecast -> place -> order -> verify

Each stage is one call; nothing here decides, it only hands values on and says what came of it.
"""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

from balancer.planner.assessment import NOTHING_ASKED
from balancer.planner.assessment import assess as assess  # noqa: PLC0414 - callers find both stages here
from balancer.planner.assessment import orders_of as orders_of  # noqa: PLC0414
from balancer.planner.constraints import all_rules
from balancer.planner.explain import hot, loads, reasons, summary
from balancer.planner.formulation import Formulation, Ints, formulate
from balancer.planner.model.observation import Observation
from balancer.planner.model.placement import Placement, at_rest, fingerprint
from balancer.planner.model.plan import Infeasible, Plan, Quality, Score
from balancer.planner.model.policy import Policy
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Request
from balancer.planner.model.violation import Violation
from balancer.planner.model.weighed import Weighed
from balancer.planner.objectives import all_goals
from balancer.planner.order.busy import too_busy, unmoved
from balancer.planner.order.schedule import Ordered, order
from balancer.planner.place.conflict import explain as explain_conflict
from balancer.planner.place.evaluate import score
from balancer.planner.place.solve import Answer, solve
from balancer.planner.verify import judge
from balancer.planner.weigh import weigh

ALONE = "the guest that the planner runs in moves by itself"
MOVES_LAST = "the planner runs in it: it moves last, by itself"
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
    first, then = _apart(observation, request)
    made = _planned(observation, policy, first, keep_going)
    if then is None or (isinstance(made, Plan) and made.actions):
        return made
    alone = _planned(observation, policy, then, keep_going)
    return alone if isinstance(alone, Plan) and alone.actions else made


def _apart(observation: Observation, request: Request) -> tuple[Request, Request | None]:
    """Return what to ask first, and then: the guest that the planner runs in moves last, alone."""
    own, cluster = observation.planner, observation.cluster
    if own not in cluster.guest or own in request.held:
        return request, None
    others = {guest.uuid: ALONE for guest in cluster.guests if guest.uuid != own}
    return (
        replace(request, held={**request.held, own: MOVES_LAST}),
        replace(request, held={**others, **request.held}),
    )


def _planned(
    observation: Observation, policy: Policy, request: Request, keep_going: Callable[[], bool]
) -> Plan | Infeasible:
    problem = posed(observation, policy, request)
    formulation = formulate(problem, all_rules(problem), all_goals(problem))
    answer = solve(formulation, request.effort, request.seed, keep_going)
    uuids = [guest.uuid for guest in problem.cluster.guests]
    hosts = [host.name for host in problem.cluster.hosts]
    target = {u: hosts[site] for u, site in zip(uuids, answer.placement.tolist(), strict=True)}
    before = score(formulation, formulation.start)
    if not _worth_it(before, answer.score, policy):
        target = dict(problem.cluster.placement)
    ordered = order(problem, target, reasons(problem, formulation, target))
    if refused := _refused(problem, ordered):
        return refused
    numbers = _numbers(formulation, ordered.reached)
    after = score(formulation, numbers)
    if ordered.actions and not _worth_it(before, after, policy):
        ordered = replace(ordered, actions=(), reached=problem.cluster.placement)
        after = before
    reached = replace(answer, placement=numbers) if ordered.actions else answer
    left = (*ordered.left, *explain_conflict(formulation, reached))
    made = _assemble(problem, replace(ordered, left=left), (before, after), answer)
    return _or_infeasible(made, request)


def posed(observation: Observation, policy: Policy, request: Request) -> Problem:
    """Return the problem, with guests that cannot be moved at all in the planner's eyes barred.

    So that they are named with the remedy, and not planned in vain again and again.
    """
    problem = assess(observation, policy, request)
    held = {**unmoved(problem, observation.outcomes), **problem.held}
    return replace(problem, held=held, barred={**too_busy(problem), **problem.barred})


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
    now = problem.cluster.placement
    wanted = {**now, **{uuid: host for uuid, host in target.items() if uuid in now}}
    ordered = order(problem, wanted, dict.fromkeys(target, reason))
    if refused := _refused(problem, ordered):
        return refused
    if not ordered.actions and wanted != now:
        sentences = [f"{stay.subject}: {stay.reason}" for stay in ordered.left]
        return Infeasible(reason="; ".join(sentences[:SHOWN]))
    formulation = formulate(problem, all_rules(problem), all_goals(problem))
    numbers = _numbers(formulation, ordered.reached)
    before, after = score(formulation, formulation.start), score(formulation, numbers)
    answer = Answer(
        placement=numbers, score=after, bound=None, engine="order", steps=0, proven=False
    )
    return _assemble(problem, ordered, (before, after), answer)


def _refused(problem: Problem, ordered: Ordered) -> Infeasible | None:
    """Return what to say where the judge does not accept these actions; None where it does."""
    verdict = judge(problem, ordered.actions)
    if verdict.valid:
        return None
    return Infeasible(
        reason=f"the judge refuses the plan that was found: {verdict.faults[0]}",
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
    problem = posed(observation, policy, orders_of(made))
    reached = {**problem.cluster.placement, **{a.guest: a.target for a in made.actions}}
    formulation = formulate(problem, all_rules(problem), all_goals(problem))
    movers = dict.fromkeys(action.guest for action in made.actions)
    return tuple(weigh(problem, formulation, reached, uuid) for uuid in movers)


def consider(observation: Observation, policy: Policy, uuid: str) -> Weighed:
    """Return what keeps a guest where it is now, and what speaks against each other host."""
    problem = posed(observation, policy, NOTHING_ASKED)
    formulation = formulate(problem, all_rules(problem), all_goals(problem))
    return weigh(problem, formulation, problem.cluster.placement, uuid)


def broken(problem: Problem, placement: Placement) -> tuple[Violation, ...]:
    """Return every rule broken when guests rest as in `placement`, hard ones first."""
    occupancy = at_rest(placement)
    found = [v for rule in all_rules(problem) for v in rule.violations(problem, occupancy)]
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
    actions, reached = ordered.actions, ordered.reached
    limits = problem.policy.limits
    start = fingerprint(problem.cluster.placement)
    moves = "\n".join(f"{a.guest} {a.source} {a.target}" for a in actions)
    before, after = scores
    broken_before = broken(problem, problem.cluster.placement)
    host_loads = loads(problem, reached)
    made = Plan(
        id="P-" + sha256(f"{start}\n{moves}".encode()).hexdigest()[:8],
        made_at=problem.at,
        fingerprint=start,
        relieve=tuple(sorted(problem.relieve)),
        policy=f"{problem.policy.name}@{problem.policy.digest[:4]}",
        actions=actions,
        score_before=before,
        score_after=after,
        quality=Quality(
            engine=answer.engine, bound=answer.bound, proven=answer.proven, steps=answer.steps
        ),
        loads=host_loads,
        hot_hosts=tuple(line.host for line in hot(problem, host_loads)),
        broken_before=broken_before,
        broken_after=broken(problem, reached) if actions else broken_before,
        left=ordered.left,
        ordered=tuple(sorted(problem.ordered)),
        rules_checked=tuple(rule.label for rule in all_rules(problem) if rule.hard),
        limits={
            "at_once_per_host": limits.at_once_per_host,
            "at_once_total": limits.at_once_total,
        },
    )
    return replace(made, summary=summary(made))


def _or_infeasible(made: Plan, request: Request) -> Plan | Infeasible:
    """Return `made`, or why it is no answer: something had to be done and nothing can be."""
    if made.actions:
        return made
    hard = [v for v in made.broken_before if v.hard]
    if not hard and not request.relieve:
        return made
    asked = [f"{host} cannot be relieved" for host in sorted(request.relieve)]
    return Infeasible(
        reason="; ".join([*asked, *(v.sentence for v in hard[:SHOWN])])
        + (f" (and {len(hard) - SHOWN} more)" if len(hard) > SHOWN else ""),
        conflicting=tuple(dict.fromkeys(v.rule for v in hard)),
        remedy="; ".join(f"{stay.subject}: {stay.reason}" for stay in made.left[:SHOWN]),
    )
