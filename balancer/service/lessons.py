"""How well durations are predicted, in one finding."""

from collections.abc import Iterator
from statistics import median

from balancer.planner.model.calibration import Calibration
from balancer.ports import Finding, Grade


def lesson(known: Calibration) -> Finding:
    """Return how far predictions were off lately, and what was learned of links."""
    jobs = len(known.errors)
    if not jobs:
        return Finding(
            check="durations",
            subject="",
            grade=Grade.NOTE,
            sentence="no migration has taught yet how long they take: predictions are cautious",
        )
    off = [abs(1 - error) / error for error in known.errors]
    return Finding(
        check="durations",
        subject="",
        grade=Grade.OK,
        sentence=(
            f"predictions of the latest {jobs} migrations were off by {median(off):.0%} (median); "
            f"links carry {known.everywhere.value:.0%} of the rate allowed, "
            f"{known.setup.value:.1f} s go to set-up, p90 is {known.p90:.2f} times the median"
            + "".join(_slowdowns(known))
        ),
    )


def _slowdowns(known: Calibration) -> Iterator[str]:
    """Yield what was learned of guests of other architectures."""
    for guest, hosts in sorted(known.slowdowns.items()):
        for host, one in sorted(hosts.items()):
            yield f"; {guest} uses {one.value:.2f} times the CPU on {host}"
