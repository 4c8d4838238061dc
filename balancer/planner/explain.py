"""Says why, in the operator's words: for each move, for each host, for the plan as a whole."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from balancer.planner.constraints import all_rules
from balancer.planner.formulation import Formulation, Row
from balancer.planner.model.cluster import Host, HostState
from balancer.planner.model.conversation import Talk
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import HostLoad, Plan
from balancer.planner.model.policy import Constraint
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU, MEMORY, VCPUS, Resources
from balancer.planner.model.violation import Violation, baseline

MEMORY_USED = "memory.used"
"""Key of HostLoad amounts: memory that guests use, beside `memory`, which they are allocated."""

LOOKED_AT = 100
"""Movers that no broken rule names for whom it is worth finding out what they make room for."""

PATIENT = "cpu.patient"
"""Key of HostLoad amounts: the part of `cpu` that may wait, where a policy resizes guests."""

SPARE = "memory.spare"
"""Likewise: the part of `memory.used` that balloons may take."""

NOTHING: Resources = {}
WORDS = {CPU: "CPU", MEMORY: "memory allocated", MEMORY_USED: "memory"}


def loads(problem: Problem, reached: Placement) -> tuple[HostLoad, ...]:
    """Return each host's mean load before and after, in the cluster's order.

    CPU is used (millicores), `memory` and `vcpus` are allocated, `memory.used` is used (MiB).
    """
    now = problem.cluster.placement
    before = problem.once(_by_host, lambda: _by_host(problem, now))
    after = before if reached == now else _by_host(problem, reached)
    return tuple(
        HostLoad(
            host=host.name,
            usable=_usable(problem, host),
            before=before[host.name],
            after=after[host.name],
        )
        for host in problem.cluster.hosts
    )


def _usable(problem: Problem, host: Host) -> Resources:
    cpu, memory = host.usable.get(CPU, 0), host.usable.get(MEMORY, 0)
    resized = {PATIENT: cpu, SPARE: memory} if _resized(problem) else {}
    return {**host.usable, MEMORY_USED: memory, **resized}


def _resized(problem: Problem) -> bool:
    """True if some of what guests use is no reason to move anybody."""
    return bool(problem.demand.used or problem.demand.resident)


def share(load: HostLoad, name: str, *, after: bool = False) -> float:
    """Return the share of what is usable of `name` that is in use; 0 where nothing is usable."""
    usable = load.usable.get(name, 0)
    return (load.after if after else load.before).get(name, 0) / usable if usable else 0.0


def hot(problem: Problem, host_loads: Iterable[HostLoad]) -> tuple[HostLoad, ...]:
    """Return the hosts over a limit of the policy's `[hot]` before the plan, hottest first."""
    limits = problem.policy.hot
    over = [
        load
        for load in host_loads
        if share(load, CPU) - share(load, PATIENT) > limits.cpu_used
        or share(load, MEMORY_USED) - share(load, SPARE) > limits.memory_used
        or any(load.host in hosts for hosts in problem.demand.pressed.values())
    ]
    return tuple(sorted(over, key=lambda load: (-_heat(load), load.host)))


def reasons(problem: Problem, formulation: Formulation, target: Placement) -> Mapping[str, str]:
    """Return one sentence for each guest that `target` puts elsewhere."""
    now = problem.cluster.placement
    if target == now:
        return {}
    load = {line.host: line for line in loads(problem, target)}
    hot_names = {line.host for line in hot(problem, load.values())}
    marked = (hot_names, _holes(problem, formulation))
    talk = Talk(problem.conversations, problem.domain)
    counts = talk.counts(target)
    repairs = _repairs(problem, target)
    found = {}
    for uuid, host in target.items():
        if host == now[uuid]:
            continue
        whom = talk.whom(counts, uuid, now[uuid], host)
        because = _because(problem, uuid, load, marked, (repairs.get(uuid, ()), whom))
        number = formulation.guest_number[uuid]
        open_to = formulation.allowed[number]
        others = int(open_to.sum()) - int(open_to[formulation.start[number]])
        there = f"{_why_there(load[host])}, {_of_others(others)}{_slower(problem, uuid, host)}"
        found[uuid] = f"{because}; {there}"
    return found


def _slower(problem: Problem, uuid: str, host: str) -> str:
    """Return what becomes of a guest's use of CPU where its architecture is another's, if anything."""
    ratio = problem.slower.get(uuid, {}).get(host)
    if ratio is None:
        return ""
    guest, home = problem.cluster.guest[uuid].architecture, problem.host(problem.home(uuid))
    foreign = {home.architecture, problem.host(host).architecture} - {guest}
    learned = all(name in problem.calibration.slowdowns.get(guest, {}) for name in foreign)
    basis = "as others showed" if learned else "by forecast.slowdown"
    return f", {ratio / 1000:.2f} times the CPU there ({basis})"


def for_load(problem: Problem, reached: Placement) -> frozenset[str]:
    """Return those of the guests that are elsewhere then for whose moving only load speaks.

    Not those whose host is left empty: that is done to save it, not because it is loaded.
    """
    repairs = _repairs(problem, reached)
    used = set(reached.values())
    return frozenset(
        uuid
        for uuid, host in reached.items()
        if host != problem.home(uuid)
        and uuid not in repairs
        and uuid not in problem.ordered
        and problem.home(uuid) not in problem.emptied
        and problem.home(uuid) in used
    )


def _holes(problem: Problem, formulation: Formulation) -> frozenset[str]:
    """Return the hosts on which a goal wants room that is not there now."""
    wanting = [
        p for p in formulation.primitives if isinstance(p, Row) and p.label.startswith("hole")
    ]
    sites = {
        s for p in wanting for s in np.flatnonzero(formulation.load(p.use) > p.limit).tolist()
    }
    return frozenset(problem.cluster.hosts[site].name for site in sites)


def summary(made: Plan) -> str:
    """Return what is wrong and what the plan does about it, or why it does nothing."""
    faults = sum(v.hard for v in made.broken_before)
    cold = sum(action.cold for action in made.actions)
    wrong = [
        part
        for part in (
            _count(len(made.hot_hosts), "host", "hot") if made.hot_hosts else "",
            _count(faults, "rule", "broken") if faults else "",
        )
        if part
    ]
    state = ", ".join(wrong) if wrong else "no host hot, no rule broken"
    done = [
        *([_count(len(made.actions), "move", "")] if made.actions else []),
        *([f"{cold} of them cold"] if cold else []),
        *([_count(len(made.resizes), "resize", "")] if made.resizes else []),
    ]
    answer = f"{', '.join(done)}." if done else _why_none(made)
    return f"{state[0].upper()}{state[1:]}. {answer}"


def _why_none(made: Plan) -> str:
    if made.left:
        return f"Nothing can be moved: {made.left[0].subject}: {made.left[0].reason}."
    return "Nothing is worth moving: no move saves more than it costs."


def _by_host(problem: Problem, placement: Placement) -> Mapping[str, Resources]:
    """Return what guests use and are allocated on each host; sums run over every guest, often."""
    mean, needs, slower = problem.demand.mean, problem.needs, problem.slower
    sums = {host.name: [0, 0, 0, 0] for host in problem.cluster.hosts}
    for uuid, host in placement.items():
        used, allocated, there = mean.get(uuid, NOTHING), needs[uuid], sums[host]
        if uuid in slower:
            used = problem.on(host, uuid, mean)
        there[0] += used.get(CPU, 0)
        there[1] += used.get(MEMORY, 0)
        there[2] += allocated.get(MEMORY, 0)
        there[3] += allocated.get(VCPUS, 0)
    names = (CPU, MEMORY_USED, MEMORY, VCPUS)
    found = {host: dict(zip(names, there, strict=True)) for host, there in sums.items()}
    return _with_patient(problem, placement, found) if _resized(problem) else found


def _with_patient(
    problem: Problem, placement: Placement, found: Mapping[str, dict[str, int]]
) -> Mapping[str, Resources]:
    """Return the sums as CPU and memory are used, and beside them the parts that do not count."""
    told = {host: {**amounts, PATIENT: 0, SPARE: 0} for host, amounts in found.items()}
    for uuid, used in problem.demand.used.items():
        rest = used - problem.demand.mean[uuid].get(CPU, 0)
        told[placement[uuid]][CPU] += rest
        told[placement[uuid]][PATIENT] += rest
    for uuid, resident in problem.demand.resident.items():
        spare = resident - problem.demand.mean[uuid].get(MEMORY, 0)
        told[placement[uuid]][MEMORY_USED] += spare
        told[placement[uuid]][SPARE] += spare
    return told


def _heat(load: HostLoad) -> float:
    return max(share(load, CPU), share(load, MEMORY_USED))


def _repairs(problem: Problem, target: Placement) -> Mapping[str, tuple[str, ...]]:
    """Return, for each guest in a broken hard rule or making room for it, the labels of those."""
    now = problem.cluster.placement
    found: dict[str, list[str]] = defaultdict(list)
    broken: list[Constraint] = []
    for rule in all_rules(problem):
        faults = _hard(problem, rule, now)
        after = baseline(_hard(problem, rule, target)) if faults else {}
        broken += [rule] if faults else []
        for violation in faults:
            if after.get(violation.key, 0) < violation.amount:
                for uuid in violation.guests:
                    found[uuid].append(violation.rule)
    others = [uuid for uuid in target if target[uuid] != now[uuid] and uuid not in found]
    for rule in broken if len(others) <= LOOKED_AT else ():
        mended = _amount(problem, rule, target)
        for uuid in others:
            if _amount(problem, rule, {**target, uuid: now[uuid]}) > mended:
                found[uuid].append(rule.label)
    return {uuid: tuple(dict.fromkeys(labels)) for uuid, labels in found.items()}


def _hard(problem: Problem, rule: Constraint, placement: Placement) -> list[Violation]:
    return [v for v in rule.violations(problem, problem.rest(placement)) if v.hard]


def _amount(problem: Problem, rule: Constraint, placement: Placement) -> int:
    return sum(violation.amount for violation in _hard(problem, rule, placement))


def _because(
    problem: Problem,
    uuid: str,
    load: Mapping[str, HostLoad],
    marked: tuple[set[str], frozenset[str]],
    serves: tuple[tuple[str, ...], str],
) -> str:
    (hot_names, holes), (repairs, whom) = marked, serves
    source = problem.cluster.placement[uuid]
    line = load[source]
    if problem.host(source).state is not HostState.UP:
        return f"{source} is to be emptied"
    if repairs:
        return f"repairs {' and '.join(repairs)}"
    limit = {CPU: problem.policy.hot.cpu_used, MEMORY_USED: problem.policy.hot.memory_used}
    tightest = max(limit, key=lambda name: share(line, name) / limit[name])
    level = f"{source} {WORDS[tightest]} {_percent(share(line, tightest))}"
    waits = [name for name, hosts in problem.demand.pressed.items() if source in hosts]
    pressed = bool(waits) and share(line, tightest) <= limit[tightest]
    heat = f"{source} is under {waits[0]} pressure" if pressed else level
    why = (
        (source in problem.relieve, f"relieves {level}"),
        (source in hot_names, f"hot: {heat}"),
        (bool(whom), f"brings it nearer to whom it talks to: {whom}"),
        (not line.after.get(VCPUS, 0), f"empties {source}"),
        (source in holes, f"makes room in one piece on {source}"),
    )
    return next((text for holds, text in why if holds), f"evens out {level}")


def _why_there(line: HostLoad) -> str:
    busiest = max((CPU, MEMORY_USED), key=lambda name: share(line, name, after=True))
    before, after = share(line, busiest), share(line, busiest, after=True)
    return f"{line.host} {WORDS[busiest]} {100 * before:.0f}→{_percent(after)}"


def _of_others(others: int) -> str:
    return "the only host it may go to" if others == 1 else f"best of {others} it may go to"


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.0f} %"


def _count(number: int, noun: str, adjective: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'} {adjective}".rstrip()
