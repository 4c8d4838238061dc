"""What `balancer plan --mode` makes of a policy: its rules and limits, other goals.

| mode | what is aimed at |
|---|---|
| repair | broken rules and orders only |
| balance | even use of CPU and memory, within a budget of GiB and a least gain for each |
| consolidate | few hosts in use, none of them hot |
| spread | an even number of guests on each host |
| evacuate | the hosts named are emptied |
| hole | one host with room for a guest of a given size |
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, cast

from balancer.config.policy import sealed
from balancer.config.sizes import size_of_guest
from balancer.planner.constraints.drain import Drain
from balancer.planner.model.policy import Objective, Policy
from balancer.planner.model.selector import Selector
from balancer.planner.objectives import OBJECTIVES
from balancer.ports import UsageError

GIB: Final = 1024
POINTS_PER_HOST: Final = 20_000
"""What emptying a host is worth in mode consolidate: as much as mending one soft rule."""
SPREADING: Final = 4
"""Weight of an even number of guests in mode spread."""
QUIET: Final[Mapping[str, Mapping[str, object]]] = {
    "balance": {"cpu": False, "memory": False},
    "even": {"cpu": 0, "memory": 0, "guests": 0},
    "consolidate": {"points_per_host": 0},
    "hole": {"vcpus_free": 0, "memory_free": 0},
}
"""Goals that do not speak where a mode speaks of another."""


class PlanMode(StrEnum):
    """What a single plan aims at."""

    REPAIR = "repair"
    BALANCE = "balance"
    CONSOLIDATE = "consolidate"
    SPREAD = "spread"
    EVACUATE = "evacuate"
    HOLE = "hole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an operator adds to a mode."""

    gib: int | None = None
    """Budget of mode balance."""
    gain_per_gib: int | None = None
    """Points that each GiB sent has to gain, of mode balance; None: as aggressiveness says."""
    hosts: Collection[str] = ()
    """To be emptied, of mode evacuate."""
    hole: str = ""
    """As `16c/64g`."""


def in_mode(policy: Policy, mode: PlanMode, wish: Wish) -> Policy:
    """Return `policy` with the goals of `mode`. Raises UsageError for wishes that do not fit it."""
    _check(mode, wish)
    eager = replace(policy, aggressiveness=max(2, policy.aggressiveness))
    match mode:
        case PlanMode.REPAIR:
            made = replace(policy, aggressiveness=1)
        case PlanMode.BALANCE:
            gain = {"points_per_gib": wish.gain_per_gib} if wish.gain_per_gib else {}
            made = _goals(eager, even={"cpu": 1, "memory": 1}, stability=gain)
            if wish.gib is not None:
                made = replace(made, limits=replace(made.limits, data_per_hour=wish.gib * GIB))
        case PlanMode.CONSOLIDATE:
            made = _goals(eager, consolidate={"points_per_host": POINTS_PER_HOST})
        case PlanMode.SPREAD:
            made = _goals(eager, even={"guests": SPREADING})
        case PlanMode.EVACUATE:
            drain = Drain(hosts=Selector(tuple(sorted(wish.hosts))), name="evacuate")
            made = replace(policy, constraints=(*policy.constraints, drain))
        case _:
            vcpus, mib = _size(wish.hole)
            made = _goals(policy, hole={"vcpus_free": vcpus, "memory_free": mib})
    return sealed(made)


def _goals(policy: Policy, **wanted: Mapping[str, object]) -> Policy:
    """Return the policy with these goals, and without those that would pull another way."""
    goals: dict[str, Objective] = {goal.label: goal for goal in policy.objectives}
    for name in (*QUIET, *wanted):
        goals.setdefault(name, OBJECTIVES[name]())
    asked = {
        **QUIET,
        **{name: {**QUIET.get(name, {}), **values} for name, values in wanted.items()},
    }
    for name, values in asked.items():
        goals[name] = replace(cast("Any", goals[name]), **values)
    return replace(policy, objectives=tuple(goals.values()))


def _check(mode: PlanMode, wish: Wish) -> None:
    for option, given, its in (
        ("--gib", wish.gib is not None, PlanMode.BALANCE),
        ("--gain-per-gib", wish.gain_per_gib is not None, PlanMode.BALANCE),
        ("--host", bool(wish.hosts), PlanMode.EVACUATE),
        ("--hole", bool(wish.hole), PlanMode.HOLE),
    ):
        if given and mode is not its:
            raise UsageError(f"{option} belongs to --mode {its}, not to --mode {mode}")
    if mode is PlanMode.EVACUATE and not wish.hosts:
        raise UsageError("--mode evacuate: name the hosts to be emptied, each with --host")
    if mode is PlanMode.HOLE:
        _size(wish.hole)


def _size(text: str) -> tuple[int, int]:
    """Return the vCPUs and MiB of a hole. Raises UsageError."""
    try:
        return size_of_guest(text)
    except ValueError as wrong:
        raise UsageError(f"--mode hole: --hole: {wrong}") from wrong
