"""How long a plan of 1,000 moves among 20,000 guests takes to judge: `python -m benchmarks.judge`.

With 500 rules that keep three named guests each on different hosts. Ordering is timed beside it.
"""

import random
import time

from balancer.planner.constraints.spread import Spread
from balancer.planner.dispatch import begin
from balancer.planner.model.policy import Limits
from balancer.planner.order.schedule import order
from balancer.planner.prove import prove
from balancer.planner.verify import judge
from tests.drawing import problem, select, uuid_of

HOSTS, PER_HOST, MOVES, RULES = 1000, 20, 1000, 500


def main() -> None:
    rng = random.Random(1)  # noqa: S311 - a drawing
    lines = [
        f"h{h} 99c/128g link=1250 : " + " | ".join(f"g{h}-{k} 1v/4g" for k in range(PER_HOST))
        for h in range(HOSTS)
    ]
    names = [f"g{h}-{k}" for h in range(HOSTS) for k in range(PER_HOST)]
    rules = [Spread(guests=select(*rng.sample(names, 3)), name=f"s{i}") for i in range(RULES)]
    limits = Limits(
        at_once_per_host=2, at_once_total=100, moves_per_hour=10**6, data_per_hour=10**9
    )
    posed = problem("\n".join(lines), *rules, limits=limits)
    target = dict(posed.cluster.placement)
    for name in rng.sample(names, MOVES):
        target[uuid_of(name)] = f"h{rng.randrange(HOSTS)}"
    clock = time.process_time()
    actions = order(posed, target).actions
    print(f"{len(actions)} moves ordered in {time.process_time() - clock:.2f} s")
    for what, task in (
        ("judged, rules read for the first time,", lambda: judge(posed, actions)),
        ("judged", lambda: judge(posed, actions)),
        ("room, rules and heat of each step worked out", lambda: prove(posed, actions)),
        ("made ready for dispatch", lambda: begin(posed, actions)),
    ):
        clock = time.process_time()
        task()
        print(f"{what} in {time.process_time() - clock:.2f} s")


if __name__ == "__main__":
    main()
