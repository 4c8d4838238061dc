"""What to do about one observation: what has lasted, for whom, and how hard to look."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from balancer.planner.model.observation import Observation
from balancer.planner.model.placement import fingerprint
from balancer.planner.model.plan import Infeasible, Plan
from balancer.planner.model.problem import Problem
from balancer.planner.model.request import Effort, Request
from balancer.planner.pipeline import asked, assess, plan_for
from balancer.service.guards import at_fault, barred, failures
from balancer.service.world import Memory, World

RETRIED_AFTER: Final = 3600.0
"""Seconds until a search that found nothing is tried again on the same trouble."""
Decision = Plan | Infeasible


class Decider:
    """Decides for one installation; `beat` is called between chunks of work."""

    def __init__(self, world: World, memory: Memory, beat: Callable[[], None]) -> None:
        self._world = world
        self._memory = memory
        self._beat = beat
        self._problem: Problem | None = None
        self._passing: frozenset[str] = frozenset()
        self.asked = Request()
        """What the last plan was asked for: who was held, and where nobody was sent."""

    def decide(self, seen: Observation, problem: Problem, heat: Sequence[str]) -> Decision:
        """Return the plan for what has lasted; look hard only where there is something to find."""
        world, memory = self._world, self._memory
        self._problem, self._passing = problem, frozenset()
        first = self.planned(seen, problem.held, Effort.INSTANT)
        memory.patience.noted(problem, first, heat)
        waiting = memory.patience.waiting(seen.at, world.policy.hot.lasting)
        faulty = at_fault(first)
        held = dict(problem.held)
        for guest in seen.cluster.guests:
            home = seen.cluster.placement[guest.uuid]
            if home in waiting and guest.uuid not in faulty:
                held.setdefault(guest.uuid, waiting[home])
        self._passing = frozenset(waiting)
        answer = self.planned(seen, held, Effort.INSTANT) if waiting else first
        lasting = [host for host in heat if host not in waiting]
        wanted = answer.actions if isinstance(answer, Plan) else ()
        if world.effort is not Effort.INSTANT and (wanted or lasting or faulty):
            return self._sought(seen, held, world.effort, f"{lasting} {sorted(faulty)}")
        if isinstance(answer, Infeasible) or (lasting and not wanted):
            return self._sought(seen, held, Effort.QUICK, f"{lasting} {sorted(faulty)}")
        return answer

    def again(self, seen: Observation, problem: Problem) -> Decision:
        """Return the plan for the same as before, now that more is known of its guests."""
        self._problem = problem
        return self.planned(seen, self.asked.held, self.asked.effort)

    def _sought(
        self, seen: Observation, held: Mapping[str, str], effort: Effort, trouble: str
    ) -> Decision:
        """Look hard; on the same trouble only now and then, once that was in vain."""
        memory = self._memory
        trouble = f"{fingerprint(seen.cluster.placement)} {trouble} {sorted(held)}"
        if memory.vain[0] == trouble and seen.at - memory.vain[1] < RETRIED_AFTER:
            return self.planned(seen, held, Effort.INSTANT)
        answer = self.planned(seen, held, effort)
        if isinstance(answer, Infeasible) or not answer.actions:
            memory.vain = (trouble, seen.at)
        return answer

    def planned(self, seen: Observation, held: Mapping[str, str], effort: Effort) -> Decision:
        """Return the plan for all but the guests that are held."""
        world = self._world

        def keep_going() -> bool:
            self._beat()
            return not world.ports.stop_requested()

        since = seen.at - world.guards.failed_guest_again_after
        never = barred(world.ports.journal, since)
        self.asked = Request(held=held, passing=self._passing, barred=never, effort=effort)
        known = self._problem or assess(seen, world.policy)
        return plan_for(asked(known, self.asked), self.asked, keep_going)

    def held(self, seen: Observation) -> dict[str, str]:
        """Return the guests to be left alone: moved by others, or failed a while ago."""
        world = self._world
        rest = world.policy.limits.same_guest_again_after
        told = world.ports.journal.read(seen.at - rest, ("foreign",))
        held = {event.guest: f"{event.text}: left alone" for event in told}
        since = seen.at - world.guards.failed_guest_again_after
        for outcome in failures(seen.outcomes, since):
            held[outcome.action.guest] = f"its migration {outcome.result} lately"
        return held


def basis(problem: Problem) -> dict[str, object]:
    """Return what memory in use was taken from, and how many guests nothing is known of."""
    demand = problem.demand
    return {"memory_from": dict(Counter(demand.basis.values())), "unknown": len(demand.unknown)}
