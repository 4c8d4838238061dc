"""Cold moves: shut down, started on the target. The last resort, and only by consent for that guest.

Live comes first: a cold move is for a guest that no live one brings to that host, as its processor
or emulator does not suit it while it runs, or as it writes faster than can be sent.
"""

from typing import Final

from balancer.planner.model.duration import WillNotConverge, in_use, load, predict, ratio
from balancer.planner.model.fitting import as_live, as_restarted, may_be_cold
from balancer.planner.model.law import link_share
from balancer.planner.model.plan import Prediction
from balancer.planner.model.problem import Problem

SHUTTING_DOWN: Final = 30.0
"""Seconds that a guest usually takes from being asked until it is off; nothing is learned of that."""
STARTING: Final = 15.0
"""Seconds from then until it runs, and its services with it."""
DOWN: Final = SHUTTING_DOWN + STARTING
WORST: Final = 330.0
"""Seconds of the whole that are rarely exceeded: a guest may take 300 s to shut down."""


def down(problem: Problem, uuid: str) -> Prediction:
    """Return what a cold move takes: no byte over the wire, and the guest down all the while."""
    return Prediction(
        seconds=DOWN,
        seconds_p90=WORST,
        mib=0,
        downtime_ms=round(1000 * DOWN),
        rounds=0,
        in_use_mib=in_use(problem, uuid),
    )


def why_not_live(problem: Problem, uuid: str, source: str, target: str) -> str:
    """Return why plain pre-copy does not bring the guest from `source` to `target`; empty if it does.

    Post-copy, where it is allowed, always does.
    """
    misfit = as_live(problem, problem.cluster.guest[uuid], source, target)
    return misfit or _diverged(problem, uuid) or _too_fast(problem, uuid, source, target)


def _diverged(problem: Problem, uuid: str) -> str:
    """Return that its latest migration did not converge, while it would rest for that."""
    last = problem.diverged.get(uuid)
    rest = problem.policy.limits.same_guest_again_after
    if last is None or problem.at - last.ended >= rest or _followed(problem, uuid):
        return ""
    return f"its migration did not converge {max(0.0, problem.at - last.ended) / 60:.0f} min ago"


def _too_fast(problem: Problem, uuid: str, source: str, target: str) -> str:
    if _followed(problem, uuid):
        return ""
    allowed = min(link_share(problem, source), link_share(problem, target))
    rate = max(1, int(allowed * ratio(problem, source, target)))
    sent, pause = load(problem, uuid), max(1, problem.pause_at_most(uuid))
    found = predict(sent.volume_mib, sent.dirty_mib_s, sent.hot_mib, rate, pause)
    return found.sentence if isinstance(found, WillNotConverge) else ""


def _followed(problem: Problem, uuid: str) -> bool:
    return problem.consented(problem.policy.allow.post_copy, uuid)


def wrong(problem: Problem, uuid: str, source: str, target: str, *, cold: bool) -> str:
    """Return why the guest must not go from `source` to `target` in this way; empty if it may.

    Whether a live move would do is not asked here: that rests on how fast it wrote at a moment.
    """
    guest = problem.cluster.guest[uuid]
    live = as_live(problem, guest, source, target)
    if not cold:
        return f"it cannot go there live: {live}" if live and may_be_cold(problem, guest) else ""
    if not may_be_cold(problem, guest):
        return "a cold move is not allowed for this guest, or it could not be started again"
    misfit = as_restarted(problem, guest, target)
    return f"it could not be started there: {misfit}" if misfit else ""
