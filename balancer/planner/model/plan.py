"""A plan: actions with what each waits for, what they promise, and the proof of their quality."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from balancer.planner.model.certificate import Certificate
from balancer.planner.model.proof import Proof
from balancer.planner.model.relaxation import Conflict
from balancer.planner.model.resize import Resize
from balancer.planner.model.resources import Resources
from balancer.planner.model.result import Result as Result  # noqa: PLC0414 - found here, too
from balancer.planner.model.violation import Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What an action is expected to take."""

    seconds: float
    """Median."""
    seconds_p90: float
    mib: int
    """Bytes over the wire, MiB."""
    downtime_ms: int
    rounds: int = 1
    in_use_mib: int = 0
    """Memory in use that this was reckoned from, before empty pages are left out; 0 is unknown."""
    disk_mib: int = 0
    """Of `mib`: local disks that are copied along, before any memory is sent."""
    disk_seconds: float = 0.0
    """What copying them would take by the model alone, before what finished copies taught."""


class RungKind(StrEnum):
    """What may be done about a migration that does not converge, mildest first."""

    BANDWIDTH = "bandwidth"
    DOWNTIME = "downtime"
    AUTO_CONVERGE = "auto-converge"
    """The guest is slowed down as far as it takes. Hypervisors take it only from the beginning:
    on this rung the migration begins anew."""
    POST_COPY = "post-copy"
    """The guest goes on at the target and its memory follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One step up while a migration runs, should it not converge."""

    kind: RungKind
    rate_kib_s: int = 0
    """For more bandwidth: the most to allow, KiB/s, where links have room at that moment."""
    downtime_ms: int = 0
    """For a longer downtime: the longest pause from then on."""
    risk: str = ""
    """What this may cost the guest, in one phrase; empty for nothing worth a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a move is for and what it takes, in guest-seconds of waiting (docs/model.md)."""

    saved: float
    """Expected over the horizon; below 0 where guests will wait longer for it."""
    spent: float
    """While it is carried out: copying, pause, what both hosts bear for it."""
    nearer: float = 0.0
    """Part of `saved` that is not for load: answers to declared traffic come from nearer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One guest from one host to another: live, or `cold` where that cannot be."""

    id: str
    guest: str
    """Uuid."""
    name: str
    """The guest's name, for people."""
    source: str
    target: str
    rate_kib_s: int
    """Bandwidth to allow, KiB/s."""
    downtime_ms: int
    """Longest pause allowed."""
    predicted: Prediction
    waits_for: tuple[str, ...] = ()
    """Ids of the actions that must have ended well before this one may start."""
    start: float = 0.0
    """Seconds after the plan's start at which it begins on the predicted timetable."""
    reason: str = ""
    """Why this move, in one sentence."""
    temporary: bool = False
    """True for a step through a third host: the guest moves on later in this plan."""
    auto_converge: bool = False
    """True if the guest is slowed down from the beginning: nothing milder is expected to do."""
    unsafe_storage: bool = False
    """True if it goes on where libvirt calls the cache mode of its disks unsafe: by consent."""
    copies: tuple[str, ...] = ()
    """Local disks that are copied along, by their names in the guest: by consent."""
    cold: bool = False
    """True if it is shut down and started on the target: by consent, where no live move does."""
    rungs: tuple[Rung, ...] = ()
    """What may be tried in this order should it not converge; then it is aborted."""
    worth: Worth | None = None
    """None where nobody reckoned it."""
    for_load: bool = False
    """True if nothing but load asks for it: no rule, no order, no host to be emptied."""
    kind: Literal["migration"] = "migration"


Action = Migration
"""What moves a guest. What a guest is given where it is stands beside: `Plan.resizes`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a placement is worth, less is better; compared in this order."""

    repair: int
    """Hard rules broken, in their own units."""
    overload: int
    cost: int
    """Imbalance and price of moves, in points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How good the answer is and how that is known."""

    engine: str
    bound: int | None
    """No placement scores a lower `cost`, as far as proven; None if nothing was proven."""
    proven: bool
    """True if no better placement exists."""
    steps: int
    """Work done, in the engine's own steps: a replay reuses them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLoad:
    """One host before and after the plan: amounts in use, and what is usable of each."""

    host: str
    usable: Resources
    before: Resources
    after: Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """Why a guest or host that one would expect to be helped is left as it is."""

    subject: str
    reason: str


class Reach(StrEnum):
    """Whether a schedule takes every guest to where the placement wants it."""

    COMPLETE = "complete"
    IMPOSSIBLE = "impossible"
    """None exists: a certificate says why."""
    NONE_FOUND = "none found"
    """None is known; what is planned is as much of the way as was found to be safe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do, in which order, and why; complete in itself."""

    id: str
    """Short and stable for the same question: derived from what the plan starts from and does."""
    made_at: float
    """Time of the observation, seconds since the epoch."""
    fingerprint: str
    """Of the placement it starts from."""
    policy: str
    """Name of the policy and its digest: `balance@3f2c`."""
    actions: tuple[Action, ...]
    score_before: Score
    score_after: Score
    quality: Quality
    loads: tuple[HostLoad, ...]
    broken_before: tuple[Violation, ...] = ()
    broken_after: tuple[Violation, ...] = ()
    left: tuple[Stay, ...] = ()
    """What stays unsolved, and why."""
    rules_checked: tuple[str, ...] = ()
    """Labels of the rules the judge replayed at every step."""
    summary: str = ""
    """One sentence: what is wrong and what this plan does, or why nothing is worth moving."""
    hot_hosts: tuple[str, ...] = ()
    relieve: tuple[str, ...] = ()
    """Hosts that the operator ordered to relieve: for these, an order suspends cooldown."""
    ordered: tuple[str, ...] = ()
    """Uuids of guests that the operator wants moved: for these, too."""
    resizes: tuple[Resize, ...] = ()
    """What guests are given or give where they are, in an order that works; carried out first."""
    gives_back: bool = False
    """True if its resizes only undo what another plan did: no policy has to want that."""
    resizes_save: float = 0.0
    """Waiting that the resizes save over the horizon, guest-seconds, each by what it counts."""
    undoes: Mapping[str, str] = field(default_factory=dict)
    """Host by uuid: where guests were before what this plan undoes; what was broken then may be."""
    proofs: tuple[Proof, ...] = ()
    """What holds of each action, in the order of `actions`."""
    heat_before: int = 0
    """How far hosts are beyond `[hot]` before it, all together, per mille of a host."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Limits in force while it runs: at_once_total, at_once_per_host."""
    worth: Worth | None = None
    """Of the whole: what its moves save together, which is not the sum of what each does."""
    memory_from: Mapping[str, int] = field(default_factory=dict)
    """What memory in use was taken from, `rss` or what stands in for it: number of guests."""
    horizon: float = 0.0
    """Seconds over which waiting is counted."""
    trust: float = 1.0
    """Share of the promised saving that was believed: lower, the less of earlier ones came true."""
    reach: Reach = Reach.COMPLETE
    """Whether the actions lead to the placement that was sought last."""
    certificates: tuple[Certificate, ...] = ()
    """Why placements that were sought cannot be reached; anybody can check them again."""
    gained: tuple[int, ...] = ()
    """Per mille of what the plan gains that is reached once so many actions, in order of their
    start, have ended: of repairs or of relief, whichever lags behind; of cost where the plan brings
    neither. Empty where that is not known. It may be cut after any of them."""
    least_aside: int = 0
    """Temporary moves that any order of these moves has, of guests that move anyway: proven; 0
    where that is not known."""
    asked_again: int = 0
    """How often another placement was sought, as no way to the one before was found."""

    @property
    def seconds(self) -> float:
        """Predicted length of the timetable."""
        return max((a.start + a.predicted.seconds for a in self.actions), default=0.0)

    @property
    def dip(self) -> int:
        """By how much more hosts are too hot on the way than before and after, per mille."""
        heats = [self.heat_before, *(proof.heat for proof in self.proofs)]
        return max(heats) - max(heats[0], heats[-1])

    @property
    def mib(self) -> int:
        """Predicted bytes over the wire, MiB."""
        return sum(action.predicted.mib for action in self.actions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Infeasible:
    """No placement or no order satisfies these rules together."""

    reason: str
    conflicting: tuple[str, ...] = ()
    remedy: str = ""
    certificates: tuple[Certificate, ...] = ()
    """Why what was asked for cannot be reached, where that is proven."""
    conflicts: tuple[Conflict, ...] = ()
    """Rules that cannot hold together, and what would help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What the hypervisor measured of a migration that ended well."""

    seconds: float
    """Of transfer: without connecting and setting up."""
    sent_mib: float
    """In all rounds; copied disks included where the hypervisor knows of them at the end."""
    first_mib: float
    """Memory that was not empty: what one pass sends."""
    rounds: int
    dirty_mib_s: float = 0.0
    """Distinct memory dirtied per second, as last seen; 0 is none, or unknown."""
    downtime_ms: int = 0
    teaches: bool = True
    """False where it went by other means than plain pre-copy."""
    disk_mib: float = 0.0
    """Of `sent_mib`: local disks that were copied along."""

    @property
    def mib_s(self) -> float:
        """The effective rate."""
        return self.sent_mib / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one action ended, and why."""

    action: Action
    result: Result
    started: float
    ended: float
    """Seconds since the epoch."""
    reason: str = ""
    mib: int = 0
    downtime_ms: int | None = None
    """As measured; None where the hypervisor did not say."""
    passed: Passed | None = None
    """What can be learned from it; None where the hypervisor did not say."""
    steps: tuple[str, ...] = ()
    """What was tried on the way, one phrase each: the rungs that were climbed."""
    left_behind: tuple[str, ...] = ()
    """What hypervisors keep of it that somebody should look at, one sentence each."""
    diverged: bool = False
    """True if it was given up because the guest dirtied its memory as fast as it was sent."""
