"""`python -m benchmarks.peers SNAP PLAN --target TARGET`: order a target that somebody else chose."""

import argparse
import json
from pathlib import Path
from time import perf_counter, process_time

from balancer.planner.order.schedule import order
from balancer.planner.verify import judge
from benchmarks.peers.standing import plan_of, problem_of


def main() -> None:
    """Read a snapshot and a target, write the plan that leads there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--target", type=Path, required=True)
    asked = parser.parse_args()
    wanted = {m["vm"]: m["dst"] for m in json.loads(asked.target.read_text())["migrations"]}
    problem = problem_of(json.loads(asked.snapshot.read_text()), wanted)
    began, wall = process_time(), perf_counter()
    found = order(problem, {**problem.cluster.placement, **wanted})
    spent = process_time() - began
    verdict = judge(problem, found.actions)
    aside = sum(action.temporary for action in found.actions)
    document = {
        "status": "ok" if not found.left else f"{len(found.left)} left",
        "plan_cpu_s": round(spent, 3),
        "plan_wall_s": round(perf_counter() - wall, 3),
        "migrations": plan_of(found.actions),
    }
    asked.plan.write_text(json.dumps(document))
    print(
        f"{len(wanted)} wanted, {len(found.actions)} migrations, {aside} steps aside, "
        f"{len(found.left)} left, {spent:.2f} s of processor time, "
        f"{'valid' if verdict.valid else verdict.faults[0]}"
    )
    for stay in found.left[:3]:
        print(f"  {stay.subject} {stay.reason}")
