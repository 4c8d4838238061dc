"""What the operator wants: rules, goals, limits and consents."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from balancer.planner.model.conversation import Conversation
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.resizing import Resizing
from balancer.planner.model.selector import NOBODY, Selector
from balancer.planner.model.turns import Turn
from balancer.planner.model.violation import Violation

if TYPE_CHECKING:  # a rule's two readings live in one class, and one of them needs the algebra
    from balancer.planner.formulation import Formulation
    from balancer.planner.model.problem import Problem


class Constraint(Protocol):
    """A rule: one class, two readings."""

    @property
    def label(self) -> str:
        """What the operator calls it; unique within a policy."""
        ...

    @property
    def hard(self) -> bool:
        """False if it may be broken at a price."""
        ...

    def post(self, formulation: "Formulation") -> None:
        """Write the rule in the algebra, for the solvers."""
        ...

    def violations(
        self,
        problem: "Problem",
        occupancy: Occupancy,
        touched: Collection[str] | None = None,
    ) -> tuple[Violation, ...]:
        """Return where the rule is broken, for the judge: plain Python, no algebra.

        `touched` names the hosts that an event changed; only faults that involve one of them
        need be returned. None means all hosts.
        """
        ...

    def concerns(self, problem: "Problem") -> tuple[str, ...]:
        """Return the uuids of the guests the rule speaks of, sorted."""
        ...


@runtime_checkable
class Emptying(Protocol):
    """A rule that wants hosts emptied: what else holds guests there may have to give way."""

    def empties(self, problem: "Problem") -> tuple[str, ...]:
        """Return the names of those hosts."""
        ...


@runtime_checkable
class TakingTurns(Protocol):
    """A rule that lets only a few of its guests move at a time."""

    def turns(self, problem: "Problem") -> tuple[Turn, ...]:
        """Return the groups that take turns."""
        ...


@runtime_checkable
class Pausing(Protocol):
    """A rule that limits how long its guests may stand still at the end of a migration."""

    def pauses(self, problem: "Problem") -> Mapping[str, int]:
        """Return the longest pause of each of its guests, milliseconds, by uuid."""
        ...


@runtime_checkable
class Doubting(Protocol):
    """A rule that now and then cannot look at everything."""

    def caveat(self, problem: "Problem") -> str:
        """Return what is not proven, in one phrase; empty where all is looked at."""
        ...


def caveat(rule: Constraint, problem: "Problem") -> str:
    """Return what the judge's word on `rule` leaves open; empty for nothing."""
    return rule.caveat(problem) if isinstance(rule, Doubting) else ""


def throughout(rule: Constraint) -> bool:
    """True if `rule` must hold at every instant of a plan, not merely where a plan ends.

    A rule says no by a class attribute `throughout = False`: guests that must be together cannot
    all change hosts in one instant.
    """
    return bool(getattr(rule, "throughout", True))


def singly(rule: Constraint) -> bool:
    """True if `rule` speaks of each guest by itself: what others hold is nothing to it.

    A rule says so by a class attribute `singly = True`. Who asks about one guest need not look at
    the others on its hosts.
    """
    return bool(getattr(rule, "singly", False))


def steadying(rule: Constraint) -> bool:
    """True if `rule` is there against flapping alone: whoever breaks another rule is free of it."""
    return bool(getattr(rule, "steadying", False))


@runtime_checkable
class Talking(Protocol):
    """A goal that knows which guests talk to each other."""

    def conversation(self, problem: "Problem") -> Conversation:
        """Return who talks to whom, and what they wait for it."""
        ...


class Objective(Protocol):
    """A goal: what makes one placement better than another."""

    @property
    def label(self) -> str:
        """Its name in reports."""
        ...

    def post(self, formulation: "Formulation") -> None:
        """Write the goal in the algebra."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hot:
    """When a host counts as hot: any of these."""

    cpu_used: float = 0.85
    memory_used: float = 0.90
    cpu_pressure: float = 0.10
    """Share of the time some task waited for a processor (PSI), where hosts tell it."""
    memory_pressure: float = 0.10
    """The same for memory."""
    lasting: float = 600.0
    """Seconds it must have held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """How far ahead demand is expected, and how cautiously."""

    horizon: float = 3600.0
    """Seconds that a plan should hold good."""
    quantile: float = 0.95
    """Share of the time that a guest's peak covers."""
    lookback: float = 14 * 86_400.0
    """Seconds of the past that are looked at."""
    scenarios: int = 0
    """Joint futures held against hosts, so that guests which peak together are kept apart."""
    slowdown: float = 1.1
    """Times the CPU that a translated guest uses on a host of another architecture than its own,
    until it is learned (docs/benchmarks.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What must never be exceeded while plans are carried out."""

    moves_per_hour: int = 20
    data_per_hour: int = 300 * 1024
    """MiB."""
    moves_per_hour_per_host: int = 20
    at_once_per_host: int = 1
    at_once_total: int = 8
    migration_link_share: float = 0.40
    default_link_kib_s: int = 1_220_703
    """Assumed migration link where a host's is not declared: 10 Gbit/s."""
    same_guest_again_after: float = 86_400.0
    """Seconds."""
    same_host_again_after: float = 30 * 86_400.0
    """Seconds that a guest keeps off a host which load drove it from."""
    pause_at_most: int = 300
    """Milliseconds."""
    minimum_gain: float = 0.05
    """Share of the imbalance a plan must remove to be worth starting."""
    resizes_per_hour: int = 600
    """Settings of guests that may be changed in any hour, on all hosts together."""
    resize_again_after: float = 300.0
    """Seconds that a setting of a guest rests after it was changed."""
    memory_taken_per_hour: int = 64 * 1024
    """MiB that balloons may take in any hour, of all guests together."""
    hotter_on_the_way: float = 0.25
    """Share of one host by which hosts, all together, may be further beyond `[hot]` on the way
    than before and after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """Consents; each is off until the operator gives it, except temporary moves.

    `true` is for every guest, patterns are for those guests alone.
    """

    post_copy: Selector = NOBODY
    auto_converge: Selector = NOBODY
    emulation: Selector = NOBODY
    unsafe_storage: Selector = NOBODY
    copy_local_disks: Selector = NOBODY
    cold_moves: Selector = NOBODY
    temporary_moves: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How long an answer takes to come, by how far apart two hosts are; on one host it takes nothing.

    Which host is in which rack and room, its labels `rack` and `room` say.
    """

    same_rack: int = 50
    """Microseconds, there and back, between two hosts of one rack."""
    same_room: int = 150
    """Between two racks of one room."""
    beyond: int = 500
    """Between two rooms."""

    def __post_init__(self) -> None:
        """Raises ValueError where what is further takes less."""
        if not self.same_rack <= self.same_room <= self.beyond:
            raise ValueError("further away must not take less: same_rack <= same_room <= beyond")

    def steps(self) -> tuple[tuple[str, int], ...]:
        """Return what each difference adds: `host` or a label, and microseconds."""
        return (
            ("host", self.same_rack),
            ("rack", self.same_room - self.same_rack),
            ("room", self.beyond - self.same_room),
        )


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Rules, goals, limits and consents, all checked and typed."""

    name: str
    digest: str = ""
    """First hex digits of the policy text's hash."""
    aggressiveness: int = 2
    timezone: str = "UTC"
    constraints: tuple[Constraint, ...] = ()
    objectives: tuple[Objective, ...] = ()
    groups: Mapping[str, Selector] = field(default_factory=dict)
    hot: Hot = field(default_factory=Hot)
    limits: Limits = field(default_factory=Limits)
    allow: Allow = field(default_factory=Allow)
    distance: Distance = field(default_factory=Distance)
    resizes: tuple[Resizing, ...] = ()
    """What may be changed of guests where they are; nothing where it is empty."""
    forecaster: str = "latest"
    """A name of the table FORECASTERS."""
    forecast: Forecast = field(default_factory=Forecast)

    @property
    def repairs_only(self) -> bool:
        """True if nothing but broken rules and orders is acted on: aggressiveness 1."""
        return self.aggressiveness <= 1
