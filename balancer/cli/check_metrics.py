"""`balancer check-metrics`: what every source measures, of whom, and where it is silent."""

from collections.abc import Mapping

import click
import numpy as np

from balancer.cli.options import Session, common
from balancer.cli.screen import Screen
from balancer.cli.sight import look
from balancer.config import Config
from balancer.planner.model.cluster import Cluster
from balancer.planner.model.observation import METRICS, History, Observation, Sample
from balancer.planner.model.outlook import PER_DAY
from balancer.planner.model.rollups import STEP
from balancer.planner.quality import gate
from balancer.ports import Measured, UsageError
from balancer.render.metrics import Coverage, MetricsReport, SourceReport, metrics
from balancer.wiring import metric_source

FAILED = 2
"""Exit code where a source that is configured does not answer."""


@click.command("check-metrics")
@common
@click.pass_obj
def command(session: Session) -> int:
    """Say of every metric how many guests it covers, what it reads, and what is missing and why.

    Asks the hypervisors and every source configured, and looks through the history. Moves nothing. Ends with 2 where a source does not answer.
    """
    screen = Screen(session)
    sight = look(session, screen)
    seen = sight.observation
    sources = [SourceReport("libvirt", _coverage(seen.cluster, _own(seen.history)))]
    sources += _further(sight.config, seen, screen)
    report = MetricsReport(
        sources=tuple(sources),
        not_believed={seen.cluster.guest[u].name: why for u, why in gate(seen).guests.items()},
        memory_meant=_meanings(seen),
        hours_known=_hours_known(seen),
        gaps=_gaps(seen),
    )
    screen.document("metrics", report=report)
    screen.show(metrics(report))
    return FAILED if any(source.fault for source in sources) else 0


def _further(config: Config, seen: Observation, screen: Screen) -> list[SourceReport]:
    source = metric_source(config)
    if source is None:
        return []
    try:
        with screen.busy(f"Asking {source.name}"):
            measured = source.measure(seen.cluster, seen.at)
    except UsageError as error:
        return [SourceReport(source.name, (), fault=str(error))]
    return [_reported(seen, measured)]


def _reported(seen: Observation, measured: Measured) -> SourceReport:
    newest = [taken[-1].at for taken in measured.history.guests.values() if taken]
    return SourceReport(
        measured.source,
        _coverage(seen.cluster, measured.history),
        oldest_seconds=max((seen.at - at for at in newest), default=0.0),
        unmatched=measured.unmatched,
        warnings=measured.warnings,
        queries=measured.queries,
    )


def _own(history: History) -> History:
    """Return the history without the values that came from elsewhere."""
    return History(
        {name: tuple(map(_own_sample, taken)) for name, taken in history.guests.items()},
        {name: tuple(map(_own_sample, taken)) for name, taken in history.hosts.items()},
    )


def _own_sample(sample: Sample) -> Sample:
    own = {metric: v for metric, v in sample.values.items() if metric not in sample.sources}
    return Sample(sample.at, sample.window, own)


def _coverage(cluster: Cluster, history: History) -> tuple[Coverage, ...]:
    guests = {guest.uuid: guest.name for guest in cluster.guests}
    hosts = {host.name: host.name for host in cluster.hosts}
    return (
        *_covered("guests", guests, history.guests),
        *_covered("hosts", hosts, history.hosts),
    )


def _covered(
    kind: str, names: Mapping[str, str], samples: Mapping[str, tuple[Sample, ...]]
) -> list[Coverage]:
    newest = {who: samples[who][-1] for who in names if samples.get(who)}
    found = []
    for metric, meaning in METRICS.items():
        values = {who: s.values[metric] for who, s in newest.items() if metric in s.values}
        if not values:
            continue
        least, middle, most = np.quantile(list(values.values()), [0, 0.5, 1]).tolist()
        found.append(
            Coverage(
                kind=kind,
                metric=metric,
                unit=meaning.rsplit(", ", 1)[-1],
                known=len(values),
                of=len(names),
                least=round(least),
                middle=round(middle),
                most=round(most),
                silent=tuple(sorted(name for who, name in names.items() if who not in values)),
            )
        )
    return found


def _meanings(seen: Observation) -> dict[str, int]:
    """Return how many guests' memory is understood as what."""
    from balancer.planner.forecast import FORECASTERS

    basis = FORECASTERS["latest"](gate(seen).observation).basis
    return {word: list(basis.values()).count(word) for word in sorted(set(basis.values()))}


def _hours_known(seen: Observation) -> float:
    """Return how many hours of the past are known of the guest in the middle."""
    rows = seen.rollups.guest_rows("cpu", [guest.uuid for guest in seen.cluster.guests])
    known = (~np.isnan(rows)).sum(axis=1)
    return float(np.median(known)) * STEP / 3600 if known.size else 0.0


def _gaps(seen: Observation) -> dict[str, int]:
    """Return of how many 5-minute steps of the latest day nothing is known, by guest's name.

    From a guest's first known step on: what is new has no gap before.
    """
    names = {guest.uuid: guest.name for guest in seen.cluster.guests}
    rows = seen.rollups.guest_rows("cpu", names)[:, -PER_DAY:]
    present = seen.rollups.start + seen.rollups.columns * STEP > seen.at
    known = ~np.isnan(rows[:, :-1] if present else rows)
    begun = np.logical_or.accumulate(known, axis=1)
    missing = (begun & ~known).sum(axis=1).tolist()
    return {name: number for name, number in zip(names.values(), missing, strict=True) if number}
