"""Plans, and shows what was decided: shared by the verbs that plan."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import RenderableType

from balancer import codec
from balancer.cli.interrupts import Interrupts
from balancer.cli.screen import Screen
from balancer.planner.explain import hot, loads
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Infeasible, Plan
from balancer.planner.model.policy import Policy
from balancer.planner.model.request import Request
from balancer.planner.pipeline import assess, cut, plan
from balancer.ports import DirtyMeter
from balancer.render.hosts import hosts_now, meaning
from balancer.render.plan import infeasible as infeasible_text
from balancer.render.plan import plan as plan_text
from balancer.service.candidates import informed


def decide(
    seen: Observation,
    policy: Policy,
    request: Request,
    screen: Screen,
    meter: DirtyMeter | None = None,
) -> tuple[Observation, Plan | Infeasible]:
    """Return the answer of the planner, and what it is made by; Ctrl-C ends the search.

    With `meter` the guests that would move are asked how fast they dirty memory.
    """
    with searching(screen, "Looking for a better placement") as keep_going:

        def planned(known: Observation) -> Plan | Infeasible:
            return plan(known, policy, request, keep_going)

        return informed(seen, planned(seen), meter, planned)


def shortened(
    answer: Plan | Infeasible, first: int | None, seen: Observation, policy: Policy
) -> Plan | Infeasible:
    """Return the answer, or of a plan only its first so many moves, judged as a plan of its own."""
    if first is None or isinstance(answer, Infeasible):
        return answer
    return cut(seen, policy, answer, first)


@contextmanager
def searching(screen: Screen, doing: str) -> Iterator[Callable[[], bool]]:
    """Show that something is looked for; what is given is True until Ctrl-C: then the best so far."""
    with screen.busy(doing), Interrupts(lambda _: None) as interrupts:
        yield lambda: not interrupts.stop_requested()


def show(answer: Plan | Infeasible, screen: Screen) -> None:
    """Show the answer: as the document it is, or as people decide on it."""
    if isinstance(answer, Infeasible):
        screen.text(codec.dump_infeasible(answer))
    else:
        screen.text(codec.dump_plan(answer))
    screen.show(readable(answer, screen))


def readable(answer: Plan | Infeasible, screen: Screen, *, hosts: bool = True) -> RenderableType:
    """Return the answer as people decide on it."""
    if isinstance(answer, Infeasible):
        return infeasible_text(answer)
    return plan_text(answer, screen.people.width, hosts=hosts)


def show_hosts(seen: Observation, policy: Policy, screen: Screen) -> None:
    """Show each host as it is, hot ones marked."""
    problem = assess(seen, policy)
    known = loads(problem, problem.cluster.placement)
    screen.show(hosts_now(known, [load.host for load in hot(problem, known)]))
    screen.show(meaning(Counter(problem.demand.basis.values())))
