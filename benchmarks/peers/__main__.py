"""python -m benchmarks.peers SNAP PLAN --mode repair|balance [--gib G] [--minimise moves]."""

import time

BEGAN = time.process_time()

import argparse  # noqa: E402 - what importing takes is measured
import json  # noqa: E402
import resource  # noqa: E402
from pathlib import Path  # noqa: E402

from balancer.planner import pipeline  # noqa: E402
from balancer.planner.model.plan import Plan  # noqa: E402
from balancer.planner.model.request import Effort, Request  # noqa: E402
from benchmarks.peers.policies import policy  # noqa: E402
from benchmarks.peers.snapshot import observation  # noqa: E402
from benchmarks.peers.target import order_target  # noqa: E402

IMPORTED = time.process_time()


def main() -> None:
    """Plan, write the plan, print what it took in CPU seconds."""
    asked = _arguments()
    if asked.target:
        order_target(Path(asked.snapshot), Path(asked.plan), Path(asked.target))
        return
    snap = json.loads(Path(asked.snapshot).read_text())
    seen, wanted = observation(snap), policy(snap, asked.mode, asked.gib, asked.minimise)
    before = time.process_time()
    compiled = _compile()
    begun = time.process_time()
    wall = time.monotonic()
    made = pipeline.plan(seen, wanted, Request(effort=Effort(asked.effort), seed=asked.seed))
    taken = time.process_time() - begun
    actions = made.actions if isinstance(made, Plan) else ()
    moves = [{"vm": a.guest, "src": a.source, "dst": a.target} for a in actions]
    Path(asked.plan).write_text(json.dumps({"migrations": moves}))
    quality = (
        {
            "engine": made.quality.engine,
            "cost": made.score_after.cost,
            "overload": made.score_after.overload,
            "bound": made.quality.bound,
            "proven": made.quality.proven,
        }
        if isinstance(made, Plan)
        else {"infeasible": made.reason[:300]}
    )
    print(
        json.dumps(
            {
                "import_s": round(IMPORTED - BEGAN, 3),
                "compile_s": round(compiled - before, 3),
                "plan_cpu_s": round(taken, 3),
                "plan_wall_s": round(time.monotonic() - wall, 3),
                "max_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                "moves": len(moves),
                **quality,
            }
        )
    )


def _compile() -> float:
    """Load the kernels, compiling them where no cache holds them, and return the time then."""
    hosts = [
        {"id": f"h{n}", "cpu_cores": 8, "mem_mib": 8192, "net_mbps": 10_000, "rack": "r"}
        for n in range(30)
    ]
    guests = [
        {"id": f"g{n}", "host": f"h{n % 3}", "vcpus": 1, "mem_mib": 256, "cpu_used_cores": 0.5}
        | {"dirty_mib_s": 1}
        for n in range(30)
    ]
    limits = {"cpu_overload_pct": 80, "mem_overload_pct": 90, "vcpu_ratio": 4}
    limits["migration_mbps"] = 10_000
    tiny = {"hosts": hosts, "vms": guests, "anti_affinity": [], "policy": limits}
    stop = iter([True] * 3)
    pipeline.plan(
        observation(tiny),
        policy(tiny, "balance", None, "data"),
        keep_going=lambda: next(stop, False),
    )
    return time.process_time()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers")
    parser.add_argument("snapshot")
    parser.add_argument("plan")
    parser.add_argument("--mode", choices=("repair", "balance"), default="repair")
    parser.add_argument("--gib", type=float, help="GiB that may be moved; no limit if absent")
    parser.add_argument("--minimise", choices=("data", "moves"), default="data")
    parser.add_argument("--effort", choices=[e.value for e in Effort], default="quick")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", help="order this target instead of choosing one")
    return parser.parse_args()


if __name__ == "__main__":
    main()
