"""Looks for thresholds that would have cost less, and holds them against days that nobody chose by.

First each setting alone, then the best values of those that helped, together. The choice is made on
the first part of the past; what it is worth is told by the rest, which had no say in it.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from balancer.simulator.spreading import Workers, spread
from balancer.simulator.tuning.levers import Candidate, singles
from balancer.simulator.tuning.trial import Ground, Part, Trial, tried

WORTH_IT: Final = 0.05
"""Share of the guest-seconds in all that a proposal must save, where it was chosen and where not."""
SHOWN: Final = 3
"""Candidates that are held against the rest of the past, beside the present policy."""
TOGETHER: Final = 5
"""Settings that are combined at most."""
Progress = Callable[[str, int], AbstractContextManager[Callable[[], None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found."""

    present: tuple[Trial, Trial]
    """On the first part, and on the rest."""
    others: tuple[tuple[Trial, Trial], ...]
    """The best on the first part, best first, with what they came to on the rest."""
    tried: int
    """Candidates, the present policy not counted."""

    @property
    def best(self) -> tuple[Trial, Trial] | None:
        """Return what was chosen on the first part; None where nothing beat the present policy."""
        first = self.others[0] if self.others else None
        return first if first and admissible(first[0], self.present[0]) else None

    @property
    def won(self) -> int:
        """Return the days of the rest on which the choice cost less than the present policy."""
        return self._days(-1)

    @property
    def lost(self) -> int:
        """Return the days on which it cost more."""
        return self._days(1)

    def _days(self, sign: int) -> int:
        if self.best is None:
            return 0
        pairs = zip(self.best[1].days, self.present[1].days, strict=True)
        return sum(sign * (mine - theirs) > 0 for mine, theirs in pairs)

    @property
    def proposed(self) -> Candidate | None:
        """Return what may be proposed: chosen, and worth it on days that it was not chosen by."""
        if self.best is None or self.won <= self.lost:
            return None
        return self.best[0].candidate if admissible(self.best[1], self.present[1]) else None


def admissible(trial: Trial, present: Trial) -> bool:
    """True if it costs clearly less, breaks no more rules and does not stop the service."""
    return (
        trial.total < (1 - WORTH_IT) * present.total
        and trial.counted.rules_broken <= present.counted.rules_broken
        and trial.counted.never_began <= present.counted.never_began
        and (not trial.stopped or bool(present.stopped))
    )


def search(
    ground: Ground, workers: Workers, progress: Progress, only: Sequence[str] = ()
) -> Finding:
    """Return what was found. Raises UsageError where a setting is not known or workers fail."""
    alone = ((), *singles(ground.policy, only))
    first = list(_tried(ground, Part.CHOSEN_ON, alone, workers, progress("Trying settings", len(alone))))  # fmt: skip
    present = first[0]
    more = combined(first[1:], present)
    if more:
        first += _tried(ground, Part.CHOSEN_ON, more, workers, progress("Combining", len(more)))
    ranked = sorted(first[1:], key=lambda t: _rank(t, present))[:SHOWN]
    last = ((), *(trial.candidate for trial in ranked))
    rest = _tried(ground, Part.HELD_OUT, last, workers, progress("Holding out", len(last)))
    return Finding(
        present=(present, rest[0]),
        others=tuple(zip(ranked, rest[1:], strict=True)),
        tried=len(first) - 1,
    )


def combined(alone: Sequence[Trial], present: Trial) -> tuple[Candidate, ...]:
    """Return the best values of the settings that helped alone: the best two, the best three …, together."""
    best: dict[str, Trial] = {}
    for trial in alone:
        name = trial.candidate[0].name
        if admissible(trial, present) and (name not in best or trial.total < best[name].total):
            best[name] = trial
    order = sorted(best.values(), key=lambda trial: trial.total)[:TOGETHER]
    return tuple(
        tuple(trial.candidate[0] for trial in order[:many]) for many in range(2, len(order) + 1)
    )


def _tried(
    ground: Ground,
    part: Part,
    candidates: Sequence[Candidate],
    workers: Workers,
    bar: AbstractContextManager[Callable[[], None]],
) -> tuple[Trial, ...]:
    with bar as done:
        return spread(tried, ground, [(part, one) for one in candidates], workers, done)


def _rank(trial: Trial, present: Trial) -> tuple[bool, float, int, str]:
    """Return what orders candidates: those that may be chosen first, the cheapest, the simplest."""
    words = " ".join(change.words for change in trial.candidate)
    return not admissible(trial, present), trial.total, len(trial.candidate), words
