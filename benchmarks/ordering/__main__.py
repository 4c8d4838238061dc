"""`python -m benchmarks.ordering INSTANCE PLAN --seconds S --seed N`: order one instance."""

import argparse
import json
from pathlib import Path
from time import process_time

from balancer.planner.order.arrange import Effort, arrange
from balancer.planner.order.yard import LIVE, STORE
from benchmarks.ordering.reading import KINDS, read


def main() -> None:
    """Read an instance, write a plan, say how good it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("instance", type=Path)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--seconds", type=float, default=2.0, help="of processor time")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    instance = read(json.loads(asked.instance.read_text()))
    effort = Effort(
        rounds=10**9,
        seed=asked.seed,
        price_of_a_step_aside=0.0,
        spent=lambda: process_time() / (0.96 * asked.seconds),
    )
    found = arrange(instance.yard, effort)
    document: dict[str, object] = {"format": "vmig-plan/1", "instance": instance.name}
    if found.schedule is None:
        document["status"] = "none found"
        document["actions"] = []
    else:
        made = found.schedule
        document["actions"] = [
            {
                "id": i,
                "kind": KINDS[trip.kind],
                "vm": instance.movers[trip.mover],
                **({"from": instance.hosts[trip.source]} if trip.source >= 0 else {}),
                **({"to": instance.hosts[trip.target]} if trip.target >= 0 else {}),
                "start": float(made.start[i]),
                **({"bw": float(made.rate[i])} if trip.kind == LIVE else {}),
            }
            for i, trip in enumerate(made.trips)
        ]
        print(
            f"{instance.name}: {made.seconds:.3f} s, bound {found.bound.seconds:.3f} s "
            f"({found.bound.why}), {made.steps_aside} steps aside, {found.rounds} rounds, "
            f"{process_time():.2f} s of processor time"
        )
    asked.plan.write_text(json.dumps(document))


if __name__ == "__main__":
    main()
