"""Several sources made one sample: by precedence for each metric, and each value says whose it is."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from balancer.planner.model.observation import History, Observation, Sample
from balancer.planner.model.usage import STALE


def merged(
    observation: Observation, source: str, others: History, prefer: Collection[str]
) -> Observation:
    """Return the observation with what `source` measured beside it.

    A metric is the source's where it alone knows it, or where it is preferred. Values of the
    source that are stale are kept aside (`Observation.also`) and not used.
    """
    history = observation.history
    at = observation.at
    return replace(
        observation,
        history=History(
            _completed(history.guests, others.guests, prefer, at),
            _completed(history.hosts, others.hosts, prefer, at),
        ),
        also={**observation.also, source: others},
    )


def _completed(
    own: Mapping[str, tuple[Sample, ...]],
    others: Mapping[str, tuple[Sample, ...]],
    prefer: Collection[str],
    at: float,
) -> Mapping[str, tuple[Sample, ...]]:
    found = dict(own)
    for name, samples in others.items():
        fresh = [sample for sample in samples if abs(at - sample.at) <= STALE]
        if not fresh:
            continue
        mine = own.get(name, ())
        found[name] = (*mine[:-1], _one(mine[-1], fresh[-1], prefer)) if mine else (fresh[-1],)
    return found


def _one(mine: Sample, other: Sample, prefer: Collection[str]) -> Sample:
    taken = {
        metric: value
        for metric, value in other.values.items()
        if metric not in mine.values or metric in prefer
    }
    whose = {metric: other.sources[metric] for metric in taken if metric in other.sources}
    return replace(mine, values={**mine.values, **taken}, sources={**mine.sources, **whose})
