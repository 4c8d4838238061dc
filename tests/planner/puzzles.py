"""Small clusters with little room, where the order of moves matters; and runs of plans on them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from balancer.planner.constraints import all_rules
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.together import Together
from balancer.planner.model.placement import Placement
from balancer.planner.model.plan import Action, Migration, Prediction
from balancer.planner.model.policy import Allow, Limits
from balancer.planner.model.problem import Problem
from tests import drawing
from tests.drawing import select, uuid_of


@dataclass(frozen=True)
class Puzzle:
    """A problem and where its guests should go."""

    problem: Problem
    target: Placement

    def __repr__(self) -> str:
        cluster = self.problem.cluster
        lines = [f"limits {self.problem.policy.limits} {self.problem.policy.allow}"]
        for host in cluster.hosts:
            here = [
                f"{g.name} {g.allocation['memory'] // 1024}g → {self.target[g.uuid]}"
                for g in cluster.guests_on[host.name]
            ]
            room = host.capacity["memory"] // 1024
            lines.append(
                f"{host.name} {room}g {dict(host.labels)} {host.state}: " + " | ".join(here)
            )
        return "\n".join(lines)


@st.composite
def puzzles(
    draw: st.DrawFn, max_hosts: int = 4, max_guests: int = 7, *, tidy: bool = False
) -> Puzzle:
    """Draw a puzzle; a `tidy` one breaks no rule now and has all hosts up."""
    count = draw(st.integers(3, max_hosts))
    sizes = draw(st.lists(st.sampled_from([1, 2, 4, 4]), min_size=4, max_size=max_guests))
    homes = [draw(st.integers(0, count - 2)) for _ in sizes]
    anywhere = st.tuples(*(st.integers(0, count - 1) for _ in sizes))
    wishes = draw(st.permutations(homes) | st.permutations(homes) | anywhere)
    lines = []
    for number in range(count):
        now = sum(size for size, home in zip(sizes, homes, strict=True) if home == number)
        then = sum(size for size, wish in zip(sizes, wishes, strict=True) if wish == number)
        slack = draw(st.sampled_from([0, 0, 1, 4] if tidy else [0, 0, 0, 1, 4, -2]))
        room = max(4, max(now, then) + slack)
        state = "up" if tidy else draw(st.sampled_from(["up"] * 20 + ["draining", "down"]))
        rack = draw(st.sampled_from(["r1", "r2"]))
        guests = [
            f"g{i} 1v/{size}g"
            + ("" if tidy else draw(st.sampled_from([""] * 20 + [" dirty=300"])))
            for i, (size, home) in enumerate(zip(sizes, homes, strict=True))
            if home == number
        ]
        here = " | ".join(guests)
        lines.append(f"h{number} 99c/{room}g rack={rack} state={state} link=100 : {here}")
    rules = draw(st.just([]) | st.lists(st.sampled_from(RULES), max_size=2, unique=True))
    problem = drawing.problem(
        "\n".join(lines),
        *rules,
        limits=Limits(
            at_once_per_host=draw(st.integers(1, 3)), at_once_total=draw(st.integers(2, 5))
        ),
        allow=Allow(temporary_moves=draw(st.sampled_from([True, True, True, False]))),
    )
    target = {uuid_of(f"g{i}"): f"h{wish}" for i, wish in enumerate(wishes)}
    return Puzzle(problem, target)


RULES = (
    Spread(guests=select("g0", "g1", "g2")),
    Spread(guests=select("g1", "g3"), across="rack"),
    Together(guests=select("g2", "g4")),
)


def move(name: str, source: str, target: str, **fields: object) -> Action:
    """Return a migration of 10 s that says where the guest goes; other fields by keyword."""
    base = Migration(
        id=f"{name}→{target}",
        guest=uuid_of(name),
        name=name,
        source=source,
        target=target,
        rate_kib_s=1024,
        downtime_ms=300,
        predicted=Prediction(seconds=10.0, seconds_p90=20.0, mib=10, downtime_ms=50),
    )
    return replace(base, **fields)  # type: ignore[arg-type]


class Naive:
    """What is broken while a plan runs, worked out afresh from nothing at every question."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        cluster = problem.cluster
        self.start = {g: {h} for g, h in cluster.placement.items()}
        for guest, host in cluster.in_flight.items():
            self.start[guest].add(host)
        found = self._broken(self.start, {True, False})
        self.before = {(v.rule, v.subject): v.amount for v in found}

    def _broken(self, held: Mapping[str, set[str]], throughout: set[bool]) -> list:
        return [
            violation
            for rule in all_rules(self.problem)
            if rule.hard and getattr(rule, "throughout", True) in throughout
            for violation in rule.violations(
                self.problem, {guest: tuple(sorted(hosts)) for guest, hosts in held.items()}
            )
        ]

    def worse(self, held: Mapping[str, set[str]], *, always: bool = True) -> list[str]:
        """Return what is broken worse than at the start, of the rules for every instant or the end."""
        return [
            v.sentence
            for v in self._broken(held, {always})
            if v.amount > self.before.get((v.rule, v.subject), 0)
        ]

    def held(self, actions, begun, over) -> dict[str, set[str]]:
        """Return who holds what when the actions of these numbers have begun, and are over."""
        held = {guest: set(hosts) for guest, hosts in self.start.items()}
        for number, action in enumerate(actions):
            if number in over:
                held[action.guest] = {action.target}
            elif number in begun:
                held[action.guest] = held[action.guest] | {action.target}
        return held

    def on_time(self, actions) -> list[str]:
        """Return what is wrong at any instant of the timetable."""
        wrong: list[str] = []
        ends = [a.start + a.predicted.seconds for a in actions]
        for now in sorted({*ends, *(a.start for a in actions)}):
            begun = {i for i, a in enumerate(actions) if a.start <= now}
            over = {i for i in begun if ends[i] <= now}
            wrong += self.worse(self.held(actions, begun, over))
            wrong += self._limits([actions[i] for i in begun - over])
            for i in begun:
                if actions[i].start == now:
                    wrong += self._wrong_start(actions, i, begun, over)
        return wrong

    def _wrong_start(self, actions, i, begun, over) -> list[str]:
        held = self.held(actions, begun - {i}, over - {i})[actions[i].guest]
        ended = {actions[k].id for k in over}
        wrong = [] if held == {actions[i].source} else [f"{actions[i].id}: the guest is elsewhere"]
        if self.problem.host(actions[i].target).state.value != "up":
            wrong.append(f"{actions[i].target} is not up")
        return wrong + [f"{id_} is not over" for id_ in actions[i].waits_for if id_ not in ended]

    def _limits(self, flying) -> list[str]:
        limits, wrong = self.problem.policy.limits, []
        if len(flying) > limits.at_once_total:
            wrong.append("too many at once")
        for host in self.problem.cluster.hosts:
            here = [a for a in flying if host.name in (a.source, a.target)]
            share = int(host.link_kib_s * limits.migration_link_share)
            if len(here) > limits.at_once_per_host:
                wrong.append(f"too many at once on {host.name}")
            if sum(a.rate_kib_s for a in flying if a.source == host.name) > share:
                wrong.append(f"too much out of {host.name}")
            if sum(a.rate_kib_s for a in flying if a.target == host.name) > share:
                wrong.append(f"too much into {host.name}")
        return wrong

    def in_turn(self, actions) -> list[str]:
        """Return what is wrong if actions run one at a time."""
        wrong: list[str] = []
        for i, action in enumerate(actions):
            before = set(range(i))
            if self.held(actions, before, before)[action.guest] != {action.source}:
                wrong.append(f"{action.id}: the guest is elsewhere")
            for over in (before, before | {i}):
                wrong += self.worse(self.held(actions, before | {i}, over))
        every = set(range(len(actions)))
        return wrong + self.worse(self.held(actions, every, every), always=False)

    def in_any_order(self, actions) -> list[str]:
        """Return what is wrong in any state that respects nothing but what waits for what."""
        number = {a.id: i for i, a in enumerate(actions)}
        needs = [[number[id_] for id_ in a.waits_for if id_ in number] for a in actions]
        seen = {(frozenset[int](), frozenset[int]())}
        todo = list(seen)
        while todo:
            begun, over = todo.pop()
            nexts = [(begun, over | {i}) for i in begun - over]
            for i in set(range(len(actions))) - begun:
                if over.issuperset(needs[i]):
                    if self.held(actions, begun, over)[actions[i].guest] != {actions[i].source}:
                        return [f"{actions[i].id}: the guest is elsewhere"]
                    nexts.append((begun | {i}, over))
            for state in nexts:
                if state not in seen:
                    seen.add(state)
                    todo.append(state)
                    if wrong := self.worse(self.held(actions, *state)):
                        return wrong
        return []

    def can_reach(self, target: Placement) -> bool:
        """True if some sequence of moves, each alone, leads everybody to `target` or home."""
        hosts = [h.name for h in self.problem.cluster.hosts if h.state.value == "up"]
        flying = self.problem.cluster.in_flight
        home = self.problem.cluster.placement
        goal = {g: target.get(g, h) for g, h in home.items() if g not in flying}
        aside = self.problem.policy.allow.temporary_moves
        start = tuple(sorted((g, home[g]) for g in goal))
        seen, todo = {start}, [start]
        while todo:
            here = dict(todo.pop())
            if here == goal:
                return True
            for guest, host in here.items():
                for to in hosts if aside else [goal[guest]]:
                    there = tuple(sorted({**here, guest: to}.items()))
                    if there in seen:
                        continue
                    held = {g: {h} for g, h in here.items()} | {guest: {host, to}}
                    held |= {g: self.start[g] for g in flying}
                    if not self.worse(held):
                        seen.add(there)
                        todo.append(there)
        return False
