"""`python -m benchmarks.ordering INSTANCE PLAN --seconds S --seed N`: order one instance."""

import argparse
import json
from pathlib import Path
from time import process_time

import numpy as np

from balancer.planner.order.arrange import Effort, arrange
from balancer.planner.order.certificate import nobody_can_start
from balancer.planner.order.yard import LIVE, Yard
from benchmarks.ordering.reading import KINDS, read

COMPILING = 1.5
"""Seconds from which the first call of the kernels is taken for their compilation."""


def _warm() -> float:
    """Compile the kernels if that was never done here; return the seconds it took, else 0."""
    began = process_time()
    one = np.ones(1)
    tiny = Yard(
        source=np.array([0, 1]), target=np.array([1, 0]), need=np.ones((2, 1), dtype=np.int64),
        room=np.array([[0], [0], [1]]), volume=np.ones(2), dirty=np.zeros(2), hot=np.full(2, -1.0),
        setup=np.zeros(2), top=np.ones(2), rate=2 * one, number=np.array([9]),
        leaving=np.zeros((3, 1), dtype=np.int64), entering=np.zeros((3, 1), dtype=np.int64),
        leaving_zone=np.full((3, 1), -1), entering_zone=np.full((3, 1), -1), zone=np.full(3, -1),
        allowed=np.ones((2, 3), dtype=np.bool_), cold=np.zeros(2, dtype=np.bool_), store=np.ones(2),
    )  # fmt: skip
    arrange(tiny, Effort(rounds=5, roams=1))
    took = process_time() - began
    if took < COMPILING:
        return 0.0
    print(f"compiled the kernels in {took:.0f} s of processor time; later runs find them compiled")
    return took


def main() -> None:
    """Read an instance, write a plan, say how good it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("instance", type=Path)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--seconds", type=float, default=2.0, help="of processor time")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    compiling = _warm()
    instance = read(json.loads(asked.instance.read_text()))
    effort = Effort(
        rounds=10**9,
        roams=10**9,
        seed=asked.seed,
        price_of_a_step_aside=0.0,
        exact=0.1 * asked.seconds,
        seconds=0.96 * asked.seconds,
        spent=lambda: (process_time() - compiling) / (0.96 * asked.seconds),
    )
    found = arrange(instance.yard, effort)
    document: dict[str, object] = {"format": "vmig-plan/1", "instance": instance.name}
    if found.schedule is None:
        cold = instance.yard.cold is not None and bool(instance.yard.cold.any())
        why = "" if cold else nobody_can_start(instance.yard, instance.idle)
        document["status"] = "infeasible" if why else "none found"
        print(f"{instance.name}: {document['status']}: {why}")
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
