"""How long deciding what may start takes, for a large plan: `python -m benchmarks.dispatch [MOVES]`.

Moves between hosts with room, some of which wait for others; they end in a random order, one at a
time, as soon as there is a choice. What is measured is the dispatcher alone: `begin`, then
`startable`, `started` and `ended` for every move.
"""

import random
import sys
import time

from balancer.planner.dispatch import begin, ended, finished, startable, started
from balancer.planner.model.plan import Result
from balancer.planner.model.policy import Limits
from tests.drawing import problem, uuid_of
from tests.planner.puzzles import move

PER_HOST = 100


def main(moves: int) -> None:
    rng = random.Random(1)  # noqa: S311 - a drawing
    hosts = max(4, moves // PER_HOST)
    lines = []
    for h in range(hosts):
        here = " | ".join(f"g{h}-{k} 1v/1g" for k in range(2 * PER_HOST))
        lines.append(f"h{h} 999c/999g link=1250 : {here}")
    posed = problem("\n".join(lines), limits=Limits(at_once_per_host=4, at_once_total=200))
    actions, last = [], {}
    for i in range(moves):
        h, k = i % hosts, i // hosts
        target = f"h{(h + 1 + rng.randrange(hosts - 1)) % hosts}"
        waits = (last[target],) if target in last and rng.random() < 0.5 else ()
        actions.append(
            move(f"g{h}-{k}", f"h{h}", target, id=f"m{i}", waits_for=waits, rate_kib_s=100_000)
        )
        last[f"h{h}"] = f"m{i}"
    assert uuid_of("g0-0") in posed.cluster.guest
    clock = time.process_time()
    state = begin(posed, actions)
    print(f"{moves} moves, {hosts} hosts, {len(posed.cluster.guests)} guests")
    print(f"begin {time.process_time() - clock:.2f} s, waits suffice: {state.sure}")
    clock = time.process_time()
    asked = most = 0
    while not finished(state):
        for action in startable(state):
            state = started(state, action.id)
        asked += 1
        most = max(most, len(state.running))
        state = ended(state, rng.choice(state.running), Result.DONE)
    took = time.process_time() - clock
    print(f"dispatch {took:.2f} s, {1000 * took / moves:.2f} ms a move, at most {most} at once")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
