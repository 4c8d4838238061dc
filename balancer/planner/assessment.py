"""What an observation asks: demand forecast, guests that rest, what the hour has spent already.

Apart from the pipeline so that a plan can be checked where no solver is loaded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from balancer.planner.forecast import FORECASTERS
from balancer.planner.forecast.recent import delays, pressed, recent
from balancer.planner.model.busy import busiest
from balancer.planner.model.calibration import Calibration
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Outcome, Plan, Result
from balancer.planner.model.policy import Hot, Policy
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Request
from balancer.planner.model.resize import OF_MEMORY, in_vain
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.resources import CPU, MEMORY
from balancer.planner.model.rollups import STEP
from balancer.planner.model.spare import as_needed, working
from balancer.planner.model.terms import counted, quiet, resizing, terms
from balancer.planner.model.trust import trust
from balancer.planner.quality import gate
from balancer.planner.quality.settled import settled

NOTHING_ASKED: Final = Request()
HOUR: Final = 3600.0
DAY: Final = 86_400.0


def assess(observation: Observation, policy: Policy, request: Request = NOTHING_ASKED) -> Problem:
    """Return the problem that `observation` poses.

    What is not believed is left out, as is what is too new to be believed yet; demand is forecast
    from the rest, and guests rest.
    """
    resting = policy.limits.same_guest_again_after
    trusted = gate(observation)
    believed, changing = settled(trusted.observation, policy.hot.lasting)
    demand = FORECASTERS[policy.forecaster](believed, policy.forecast)
    lately = [
        outcome
        for outcome in observation.outcomes
        if outcome.result is not Result.REFUSED and observation.at - outcome.started < HOUR
    ]
    problem = Problem(
        cluster=trusted.observation.cluster,
        demand=replace(
            demand,
            blind=demand.blind | trusted.blind,
            partial=trusted.partial,
            changing=changing,
            recent=recent(believed, demand, policy.hot.lasting),
            delay=delays(trusted.observation),
            pressed=dict(
                zip(
                    (CPU, MEMORY),
                    pressed(
                        trusted.observation, _pressure(policy.hot), policy.hot.lasting
                    ).values(),
                    strict=True,
                )
            ),
        ),
        policy=policy,
        cooling=frozenset(
            outcome.action.guest
            for outcome in observation.outcomes
            if outcome.result is Result.DONE and observation.at - outcome.ended < resting
        ),
        left=left(observation.outcomes, observation.at - policy.limits.same_host_again_after),
        settling=any(
            outcome.result is Result.DONE and 0 <= observation.at - outcome.ended < STEP
            for outcome in observation.outcomes
        ),
        relieve=request.relieve,
        held=request.held,
        passing=request.passing,
        ordered=request.ordered,
        barred=request.barred,
        ended_at=_ends(observation),
        planner=observation.planner,
        diverged=_diverged(observation),
        before=request.before,
        spent_moves=len(lately),
        spent_mib=sum(outcome.mib for outcome in lately),
        at=observation.at,
        trust=trust(observation.promises),
        calibration=_classed(observation, policy),
        resized=tuple(one for one in observation.resized if observation.at - one.ended < DAY),
    )
    if not policy.resizes:
        return problem
    tables = resizing(policy, problem.cluster)
    failed = in_vain(problem.resized)
    vain = {uuid for uuid, what in failed if what in OF_MEMORY}
    may = {uuid: table for uuid, table in tables.items() if uuid not in vain}
    problem = _without_spare(problem, may, working(trusted.observation, may))
    busy = busiest(trusted.observation, tables)
    return _as_it_counts(replace(problem, demand=replace(problem.demand, busiest=busy)))


def _without_spare(
    problem: Problem, tables: Mapping[str, Resizing], works: Mapping[str, int]
) -> Problem:
    """Return the problem with memory that may be taken counted as free."""
    if not works:
        return problem
    mean, peak, resident = as_needed(problem.demand, problem.cluster, tables, works)
    demand = replace(problem.demand, mean=mean, peak=peak, working=works, resident=resident)
    return replace(problem, demand=demand)


def _as_it_counts(problem: Problem) -> Problem:
    """Return the problem with that part of demand which no resize can see to."""
    policy, cluster = problem.policy, problem.cluster
    agreed = terms(policy, cluster, problem.resized)
    demand = counted(problem.demand, agreed)
    calm = quiet(demand, cluster, agreed, policy.hot.cpu_pressure)
    pressed_ = {**demand.pressed, CPU: demand.pressed.get(CPU, frozenset()) - calm}
    return replace(problem, demand=replace(demand, pressed=pressed_))


def _classed(observation: Observation, policy: Policy) -> Calibration:
    """Return what is known of durations, also of pairs of hosts that are alike by their links."""
    default = policy.limits.default_link_kib_s
    links = {host.name: host.link_kib_s or default for host in observation.cluster.hosts}
    return observation.calibration.classed(links)


def asked(problem: Problem, request: Request) -> Problem:
    """Return the problem that the same observation and policy pose where `request` is asked."""
    return replace(
        problem,
        relieve=request.relieve,
        held=request.held,
        passing=request.passing,
        ordered=request.ordered,
        barred=request.barred,
    )


def _ends(observation: Observation) -> dict[str, float]:
    """Return when each guest's latest move ended, whatever came of it."""
    found: dict[str, float] = {}
    for outcome in observation.outcomes:
        if outcome.result is not Result.REFUSED:
            uuid = outcome.action.guest
            found[uuid] = max(outcome.ended, found.get(uuid, outcome.ended))
    return found


def _diverged(observation: Observation) -> dict[str, Outcome]:
    """Return how the latest migration of a guest ended, of those that did not converge."""
    tried = (o for o in observation.outcomes if o.result is not Result.REFUSED)
    last = {outcome.action.guest: outcome for outcome in tried}
    return {uuid: outcome for uuid, outcome in last.items() if outcome.diverged}


def _pressure(limits: Hot) -> Mapping[str, float]:
    """Return the limits of pressure, by metric: of CPU first, then of memory."""
    return {"cpu.pressure": limits.cpu_pressure, "memory.pressure": limits.memory_pressure}


def left(outcomes: Iterable[Outcome], since: float) -> Mapping[str, frozenset[str]]:
    """Return the hosts that load has driven each guest from since then."""
    found: dict[str, set[str]] = {}
    for outcome in outcomes:
        action = outcome.action
        if outcome.result is Result.DONE and action.for_load and outcome.ended > since:
            found.setdefault(action.guest, set()).add(action.source)
    return {uuid: frozenset(hosts) for uuid, hosts in found.items()}


def orders_of(made: Plan) -> Request:
    """Return the operator's orders that `made` was made by: it is judged again by the same."""
    return Request(
        relieve=frozenset(made.relieve), ordered=frozenset(made.ordered), before=made.undoes
    )
