"""Whether a plan's promises hold in a problem: each step's room, rules, heat and duration."""

from collections.abc import Iterator

from balancer.planner.model.cold import down, why_not_live
from balancer.planner.model.duration import KIB, WillNotConverge, expect
from balancer.planner.model.plan import Action, Plan, RungKind
from balancer.planner.model.problem import Problem
from balancer.planner.model.proof import Proof, Room
from balancer.planner.prove import prove

EXACT = 0.0015
"""Seconds: predictions are rounded to milliseconds."""


def unkept(problem: Problem, plan: Plan, *, same: bool) -> Iterator[str]:
    """Yield what `plan` promises and `problem` does not bear out.

    `same`: the problem is the very one the plan was made for, so that all must be equal. Else
    measurements have changed meanwhile: then less room than promised, and durations beyond the
    promised p90, are faults.
    """
    for action in plan.actions:
        yield from _duration(problem, action, same=same)
    if len(plan.proofs) != len(plan.actions):
        yield f"it carries {len(plan.proofs)} proofs for {len(plan.actions)} actions"
        return
    known = all(
        a.guest in problem.cluster.guest and {a.source, a.target} <= problem.cluster.host.keys()
        for a in plan.actions
    )
    if not known:
        return
    for given, found in zip(plan.proofs, prove(problem, plan.actions), strict=True):
        yield from _step(given, found, same=same)


def _step(given: Proof, found: Proof, *, same: bool) -> Iterator[str]:
    said = f"step {found.action}"
    if given.action != found.action:
        yield f"{said}: its proof is of {given.action}"
    if given.fingerprint != found.fingerprint:
        yield f"{said}: starts from placement {found.fingerprint}, not {given.fingerprint}"
    for end in ("source", "target"):
        yield from _room(f"{said}, {end}", getattr(given, end), getattr(found, end), same=same)
    if fresh := set(found.broken) - set(given.broken):
        yield f"{said}: {min(fresh)} is broken after it, which is not promised"
    if same and (given.broken != found.broken or given.heat != found.heat):
        yield f"{said}: rules or heat after it are not as promised"


def _room(said: str, given: Room, found: Room, *, same: bool) -> Iterator[str]:
    kinds = (
        ("MiB of memory", given.memory_mib, found.memory_mib, True),
        ("millicores", given.cpu_millicores, found.cpu_millicores, same),
        ("KiB/s of its link", given.link_kib_s, found.link_kib_s, True),
    )
    for unit, promised, there, fixed in kinds:
        wrong = promised != there if same else there < promised and (fixed or there < 0)
        if wrong:
            yield f"{said}: {there} {unit} are left where {promised} are promised"


def _duration(problem: Problem, action: Action, *, same: bool) -> Iterator[str]:
    said, promised = f"{action.id} ({action.name})", action.predicted
    if promised.seconds_p90 < promised.seconds:
        yield f"{said}: its p90 is below its median"
    known = action.guest in problem.cluster.guest
    if not known or not {action.source, action.target} <= problem.cluster.host.keys():
        return
    way = (action.guest, action.source, action.target)
    if action.cold and same and not why_not_live(problem, *way):
        yield f"{said} is cold where a live move would do"
    now = down(problem, action.guest) if action.cold else expect(problem, action)
    helped = action.auto_converge or any(r.kind is RungKind.POST_COPY for r in action.rungs)
    if now is None or helped:
        return
    if isinstance(now, WillNotConverge):
        yield f"{said} will not converge at {action.rate_kib_s // KIB} MiB/s: {now.sentence}"
    elif same and (
        abs(now.seconds - promised.seconds) > EXACT
        or abs(now.seconds_p90 - promised.seconds_p90) > EXACT
    ):
        yield (
            f"{said} is promised in {promised.seconds:.1f} s (p90 {promised.seconds_p90:.1f} s), "
            f"expected are {now.seconds:.1f} s ({now.seconds_p90:.1f} s)"
        )
    elif now.seconds > promised.seconds_p90 + EXACT:
        yield (
            f"{said} is promised in {promised.seconds_p90:.1f} s at worst, expected are "
            f"{now.seconds:.1f} s"
        )
