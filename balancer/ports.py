"""What the service needs of the world. Adapters and the simulator implement these; nothing else.

Values cross a port, never connections. Every method that talks to the world may take as long as
its adapter's own time limits allow, and raises only what is named here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from balancer.planner.model.calibration import Calibration
from balancer.planner.model.cluster import Cluster
from balancer.planner.model.observation import History, Observation
from balancer.planner.model.plan import Action, Outcome, Plan
from balancer.planner.model.resize import Resize, Resized
from balancer.planner.model.rollups import Rollups
from balancer.planner.model.weighed import Weighed


class BalancerError(Exception):
    """A fault an operator can act on: one sentence that names the thing and the remedy."""

    exit_code = 3


class UsageError(BalancerError):
    """Bad input or a fault of the environment: exit code 3."""


class Refused(BalancerError):  # noqa: N818 - an operator's word, not a programmer's
    """A plan or order that must not be carried out: stale, unsafe, frozen. Exit code 2."""

    exit_code = 2


class Grade(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    """Works, but something is stood in for, or worth knowing."""
    FAULT = "fault"
    """Stands in the way of moving guests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that `doctor` found out, for people and for programs."""

    check: str
    """One word for the kind: reachable, versions, clock, trust, storage, networks, guests, twice."""
    subject: str
    """The host, guest or pair of hosts it is about; empty for the whole cluster."""
    grade: Grade
    sentence: str
    remedy: str = ""
    """What to do about it, as one phrase."""


class Clock(Protocol):
    """Time, so that tests and simulations own it."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        ...


class Inventory(Protocol):
    """Looks at the cluster."""

    def observe(self) -> Observation:
        """Return the cluster as it is now. Never fails for one host: see Observation.unseen.

        Raises UsageError only where nothing at all can be seen, saying why.
        """
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one running action is."""

    action: str
    """Id of the action."""
    fraction: float
    """0 to 1, of the bytes known so far; may fall back when memory is dirtied again."""
    mib_sent: int
    mib_left: int
    seconds: float
    """Since it started."""
    note: str = ""
    """What stands out: `no data for 20 s`."""
    steps: tuple[str, ...] = ()
    """What was tried so far because it did not converge, one phrase each."""
    wants_kib_s: int = 0
    """The rate it wishes for, KiB/s, where its links have room; 0 for nothing."""


class Execution(Protocol):
    """One action being carried out."""

    @property
    def action(self) -> Action:
        """What is being done."""
        ...

    def progress(self) -> Progress:
        """Return how far it is; never blocks long, never raises."""
        ...

    def outcome(self) -> Outcome | None:
        """Return how it ended, verified on both ends, or None while it runs."""
        ...

    def room(self, rate_kib_s: int) -> None:
        """Let it go at up to this rate, KiB/s, from now on; its links have that to spare."""
        ...

    def hasten(self, rate_kib_s: int) -> None:
        """Have it go at this rate, KiB/s, from now on: nobody else needs its links any more."""
        ...

    def abort(self, reason: str) -> None:
        """Ask for it to stop; the guest stays where it was. The outcome tells how it went."""
        ...


class Passing(str):
    """An objection of the moment, which does not forbid the guest that host for later.

    The guest is busy or gone, a host is silent, another planner is at work.
    """

    __slots__ = ()


ABANDONED: Final = "whoever began it is gone, and it never left"
"""Reason of an outcome: nobody failed, the planner died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An action that the journal says was begun, and not how it ended: its planner died."""

    plan: str
    """Id of the plan it is from."""
    action: Action
    at: float
    """When it was begun, seconds since the epoch."""
    persistent: bool = True
    autostart: bool = False
    """What its guest was before."""


class Executor(Protocol):
    """Carries actions out."""

    def look_again(self, action: Action) -> str:
        """Return why `action` must not start at this moment, or an empty string.

        A `Passing` objection says nothing of this guest on this target.
        """
        ...

    def start(self, action: Action) -> Execution:
        """Begin `action` and return at once; failures come as an outcome, not as exceptions."""
        ...

    def follow(self, begun: Begun) -> Execution:
        """Watch what another planner began as if it were ours; never begins it again.

        Returns at once. The outcome says where the guest is, whether the action was still under
        way, had ended, or was never begun (then its reason is ABANDONED).
        """
        ...

    def resize(self, resize: Resize) -> str:
        """Change one setting of a guest while it runs, and read it back.

        Returns why it is not as wanted; empty once it is. Takes milliseconds for CPU, seconds for
        memory; a guest that does not follow is put back to what it was. Never raises.
        """
        ...

    def watch(self, taken: Sequence[Resize]) -> None:
        """Watch guests from which memory was taken before: under pressure they get it back."""
        ...

    def given_back(self) -> tuple[Resized, ...]:
        """Return what guests under pressure were given back since last asked."""
        ...

    def shut_down(self, guest: str, host: str) -> str:
        """Ask a guest (by uuid) to shut down and wait until it has; never cuts its power.

        Returns why it runs still, or will not be asked; empty once it is off.
        """
        ...


class DirtyMeter(Protocol):
    """Tells how fast guests change their memory. Asking costs: only what a plan would move is asked."""

    def rates(self, guests: Mapping[str, str]) -> Mapping[str, int]:
        """Return MiB/s by uuid, of guests given with the hosts they run on.

        Those of which it cannot be told are left out. Takes seconds; never raises.
        """
        ...


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the journal."""

    at: float
    kind: str
    """Of a plan: decided, resizing, resized, started, raised, ended, refused, stopped, finished, measured, realised, slowed. Of the service: began,
    cycle, stood, proposed, approved, foreign, others, halted, froze, unfroze, reloaded, ceased. Of hosts: closed, opened. Of guests: shutting, shut."""
    plan: str = ""
    action: str = ""
    guest: str = ""
    """Uuid."""
    host: str = ""
    text: str = ""
    data: Mapping[str, object] = field(default_factory=dict)
    """JSON values; a whole plan under `plan`, an outcome under `outcome`."""


GONE: Final = "gone"
"""State of a guest that is not there any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestStood:
    """How one guest stood from some moment on, and why."""

    at: float
    sentence: str
    """What came of the cycle in which that was so for the first time."""
    guest: str
    name: str
    host: str
    policy: str = ""
    state: str = ""
    """Of its host: calm, hot, asking to be relieved, to be emptied; of itself: gone."""
    memory_from: str = ""
    """What its memory in use was taken from."""
    unknown: bool = False
    """True if no data on it could be trusted."""
    target: str = ""
    reason: str = ""
    plan: str = ""
    """Where to, why and by which plan it was to be moved. Without a target: why others were."""
    weighed: Weighed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStood:
    """How one host stood from some moment on."""

    at: float
    sentence: str
    host: str
    state: str
    cpu: int
    memory: int
    """Percent of what is usable."""
    guests: int
    hot_above: str = ""
    """The limits that were in force, in words."""
    left: str = ""
    """Why it was left as it was, or went unseen."""


class Journal(Protocol):
    """What was decided, started and ended, and why: written before the act it announces."""

    def write(self, event: Event) -> None:
        """Keep `event` durably before returning. Raises UsageError if it cannot be kept."""
        ...

    def read(self, since: float = 0.0, kinds: Sequence[str] = ()) -> tuple[Event, ...]:
        """Return events from `since` on, oldest first, of `kinds` if any are named."""
        ...

    def forget(self, before: float, kinds: Sequence[str]) -> None:
        """Drop the events of `kinds` from before then. Raises UsageError if that fails."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a source of metrics knows of a cluster at this moment."""

    source: str
    history: History
    """One sample of each guest and host it knows."""
    unmatched: Mapping[str, str] = field(default_factory=dict)
    """Why a series belongs to no guest or host, by what the source calls it."""
    warnings: tuple[str, ...] = ()
    """What the source itself says of its data."""
    queries: int = 0
    """How many it took."""


class MetricSource(Protocol):
    """Measures guests and hosts beside the hypervisor."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def measure(self, cluster: Cluster, at: float) -> Measured:
        """Return the newest interval of what `cluster` holds. Raises UsageError."""
        ...


class HistoryStore(Protocol):
    """What was measured before: kept by whoever looks, read by forecasters."""

    def append(self, observation: Observation) -> None:
        """Keep what `observation` measured. Raises UsageError if it cannot be kept."""
        ...

    def rollups(self, until: float, seconds: float, metrics: Iterable[str] = ...) -> Rollups:
        """Return the 5-minute means of the `seconds` up to `until`. Raises UsageError."""
        ...


class Experience(Protocol):
    """What finished migrations taught about how long they take."""

    def known(self, at: float) -> Calibration:
        """Return what is known at that time. Raises UsageError."""
        ...


class Lease(Protocol):
    """Makes this planner the only one."""

    def acquire(self) -> None:
        """Raises Refused naming the holder if another planner is at work."""
        ...

    def release(self) -> None:
        """Give it up; harmless if not held."""
        ...


class Brake(Protocol):
    """What stops all action, whoever wanted it, and works where the journal does not."""

    def reason(self) -> str:
        """Return why nothing may be started at this moment; empty if all may."""
        ...

    def pull(self, reason: str) -> None:
        """Stop all action until somebody releases it; never raises."""
        ...


class NoBrake:
    """Implements Brake where nothing real can be moved."""

    def reason(self) -> str:
        """Nothing stops anything."""
        return ""

    def pull(self, reason: str) -> None:
        """Ignore it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the service does at this moment, for people."""

    at: float
    mode: str
    state: str
    """looking, planning, resting, awaiting approval, moving, stopping, stopped."""
    sentence: str
    """What came of the last cycle; why nothing happens, where nothing does."""
    interval: float
    """Seconds from the beginning of one cycle to that of the next."""
    began: float
    """When the service began, seconds since the epoch."""
    cycles: int = 0
    last_cycle: float = 0.0
    """When the last cycle began."""
    plan: str = ""
    """Id of the plan that is carried out, or waits for approval."""
    summary: str = ""
    """Of that plan."""
    in_flight: tuple[Progress, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """Guest and target by id of an action, for those in flight."""
    ended: int = 0
    moves: int = 0
    """Moves of the plan that ended, and all of them."""
    predicted_end: float = 0.0
    frozen: str = ""
    troubles: tuple[str, ...] = ()
    """Sentences on what is wrong with the service itself."""
    observed_days: float = 0.0
    """Days of observation that were scored."""
    fallbacks: tuple[str, ...] = ()
    """Sentences on what is not known and what stands in for it."""


class Board(Protocol):
    """Where the service shows how it is; never needed for correctness, never raises."""

    def show(self, status: Status) -> None:
        """Show `status`."""
        ...

    def beat(self) -> None:
        """Give a sign of life."""
        ...


class Telemetry(Protocol):
    """Where the service says what it does, for people who watch: never needed for correctness."""

    def planned(self, plan: Plan) -> None:
        """A plan was made."""
        ...

    def progress(self, running: Sequence[Progress]) -> None:
        """Called about once a second while something is in flight."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """An action ended."""
        ...

    def note(self, sentence: str) -> None:
        """Anything else worth a line."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """One world: everything a cycle touches."""

    inventory: Inventory
    executor: Executor | None
    """None where nothing may be changed: a dry run, mode observe."""
    journal: Journal
    clock: Clock
    lease: Lease
    telemetry: Telemetry
    brake: Brake = field(default_factory=NoBrake)
    stop_requested: Callable[[], bool] = lambda: False
    """True once no further action may be started; what is in flight is finished."""
    experience: Experience | None = None
    """None where nothing is learned: a saved observation holds what was known."""
    history: HistoryStore | None = None
    """None where nothing is kept: a saved observation holds its own past."""
    stays: bool = False
    """True where whoever carries plans out goes on to watch the guests: only then is memory taken."""
    dirty: DirtyMeter | None = None
    """None where it is not asked: a dry run, mode observe."""
