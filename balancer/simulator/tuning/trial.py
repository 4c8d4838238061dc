"""One candidate over one part of the past, and what it came to."""

from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from balancer.config import Guards
from balancer.planner.model.policy import Policy
from balancer.simulator.counting.counted import Counted
from balancer.simulator.replaying.run import Replay
from balancer.simulator.replaying.track import Track
from balancer.simulator.tuning.levers import Candidate, changed

DAY: Final = 86_400.0


class Part(StrEnum):
    """Which part of the past."""

    CHOSEN_ON = "chosen on"
    """The first, by which candidates are chosen."""
    HELD_OUT = "held out"
    """The rest, which no choice ever sees."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Ground:
    """What every trial shares."""

    policy: Policy
    """The present one."""
    tracks: dict[Part, Track]
    guards: Guards = field(default_factory=Guards)
    interval: float = 900.0
    """Seconds between two looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a candidate came to."""

    candidate: Candidate
    part: Part
    counted: Counted
    moving: float
    """Guest-seconds that the moves cost the guests moved."""
    days: tuple[float, ...]
    """Guest-seconds, waiting and moving, of each day begun."""
    stopped: str = ""
    """Why the service stopped itself, where it did."""

    @property
    def total(self) -> float:
        """Return the guest-seconds it cost in all: waiting for CPU, and for being moved."""
        return self.counted.contention + self.moving


def tried(ground: Ground, job: tuple[Part, Candidate]) -> Trial:
    """Return what a candidate comes to on a part of the past."""
    part, candidate = job
    track = ground.tracks[part]
    report = Replay(
        track=track,
        policy=changed(ground.policy, candidate),
        guards=ground.guards,
        interval=ground.interval,
    ).run()
    days: defaultdict[int, float] = defaultdict(float)
    for period in report.periods:
        days[int((period.at - track.looks[0]) // DAY)] += period.waiting + period.moving
    return Trial(
        candidate=candidate,
        part=part,
        counted=report.counted,
        moving=report.moving,
        days=tuple(days[number] for number in sorted(days)),
        stopped=report.stopped,
    )
