"""What each cycle's event holds for those who watch from outside: how long, how well, in which state."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from balancer.planner.model.plan import Infeasible
from balancer.planner.model.problem import Problem
from balancer.service.turn import CycleReport

STAGES: Final = ("look", "plan", "act")


def stages(times: Sequence[float]) -> Mapping[str, float]:
    """Return how long each stage took, from the moments between them: seconds."""
    spans = (round(max(0.0, then - now), 3) for now, then in pairwise(times))
    return dict(zip(STAGES, spans, strict=True))


def states(
    report: CycleReport, problem: Problem, *, trouble: str, frozen: str
) -> dict[str, object]:
    """Return what is believed, what holds the service back, and what it cannot help."""
    return {
        "guests": len(problem.cluster.guests),
        "doubts": list(report.observation.doubts),
        "trust": round(problem.trust, 3),
        "frozen": frozen,
        "stood_back": trouble,
        "blocked": _blocked(report),
    }


def _blocked(report: CycleReport) -> str:
    """Return why nothing can be done although something is wrong; empty where nothing is."""
    decision = report.decision
    if isinstance(decision, Infeasible):
        return decision.reason
    wrong = decision.hot_hosts or any(v.hard for v in decision.broken_after)
    if wrong and not (decision.actions or decision.resizes) and decision.left:
        stay = decision.left[0]
        return f"{stay.subject}: {stay.reason}"
    return ""
