"""Return trips under ±10 % noise: `python -m benchmarks.noise [FIRST [LAST [DAYS [FORECASTER,… [LEVEL,…]]]]]`.

Lives through days of noise with a decision an hour, as `tests/planner/test_steadiness.py` does, on
the drawn clusters FIRST to LAST, by every forecaster and aggressiveness. Prints moves, returns to a
host that the guest was on before, guest-days, and the most returns in a thousand guest-days that
the count allows (95 %, Poisson). Aggressiveness 1 only repairs: load moves nobody, so nobody returns.
"""

import sys
from collections import Counter
from dataclasses import replace
from math import exp, factorial
from time import process_time

from balancer.planner.forecast import FORECASTERS
from tests.planner.test_steadiness import POLICY, drawn, live

LEVELS = (2, 3, 4, 5)


def at_most(events: int, days: float) -> float:
    """Return the upper end of the 95 % interval of events in a thousand guest-days (exact Poisson)."""
    low, high = 0.0, 50.0 + 3 * events
    for _ in range(60):
        middle = (low + high) / 2
        chance = exp(-middle) * sum(middle**k / factorial(k) for k in range(events + 1))
        low, high = (middle, high) if chance > 0.05 else (low, middle)
    return 1000 * high / max(1.0, days)


def told(what: str, count: Counter[str]) -> str:
    """Return one line."""
    return (
        f"{what}: {count['returns']} returns, {count['moves']} moves, {count['days']} guest-days: "
        f"at most {at_most(count['returns'], count['days']):.2f} in a thousand"
    )


def main(first: str = "2000", last: str = "2003", days: str = "20", *of: str) -> None:
    """Measure."""
    forecasters = of[0].split(",") if of else [*FORECASTERS]
    levels = [int(level) for level in of[1].split(",")] if of[1:] else LEVELS
    totals: dict[str, Counter[str]] = {}
    for forecaster in forecasters:
        for level in levels:
            policy = replace(POLICY, forecaster=forecaster, aggressiveness=level)
            count: Counter[str] = Counter()
            for seed in range(int(first), int(last) + 1):
                moves, returns, guests = live(drawn(seed), int(days), seed, policy)
                count.update(moves=moves, returns=returns, days=int(days) * guests)
            for key in (f"{forecaster}, {level}", forecaster, f"aggressiveness {level}", "all"):
                totals.setdefault(key, Counter()).update(count)
            print(told(f"{forecaster}, {level}", count), f"({process_time():.0f} s)", flush=True)
    for key in (*forecasters, *(f"aggressiveness {level}" for level in levels), "all"):
        print(told(key, totals[key]))


if __name__ == "__main__":
    main(*sys.argv[1:])
