"""Which processor all hosts of an architecture can give, and whom it would make movable."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from balancer.planner.model.cluster import GuestCpu, Host, HostState
from balancer.planner.model.fitting import may_be_emulated, why_not
from balancer.planner.model.problem import Problem

ANY = GuestCpu()
"""No processor in particular: what is asked of nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """One architecture."""

    architecture: str
    hosts: tuple[str, ...]
    """Those that run it natively and are up, in the cluster's order."""
    models: tuple[str, ...]
    """Named models that every one of them offers, sorted."""
    features: tuple[str, ...]
    """Features that every one of them gives guests, sorted."""
    kept: tuple[str, ...]
    """Names of guests that their processor, and nothing else, keeps from some of them."""
    xml: str = ""
    """The widest common processor as libvirt reckons it, to be put into these guests; empty where
    it was not asked, or could not say."""
    doubt: str = ""
    """Why it could not."""


def baselines(problem: Problem) -> tuple[Baseline, ...]:
    """Return what is common, by architecture, those of most hosts first."""
    by: dict[str, list[Host]] = defaultdict(list)
    for host in problem.cluster.hosts:
        if host.state is not HostState.DOWN:
            by[host.architecture].append(host)
    found = [_baseline(problem, name, hosts) for name, hosts in by.items()]
    return tuple(sorted(found, key=lambda b: (-len(b.hosts), b.architecture)))


def answered(
    found: Sequence[Baseline], said: Mapping[str, tuple[str, str]]
) -> tuple[Baseline, ...]:
    """Return the same with what libvirt said: (processor, why not) by architecture."""
    return tuple(
        replace(one, xml=said[one.architecture][0], doubt=said[one.architecture][1])
        if one.architecture in said
        else one
        for one in found
    )


def _baseline(problem: Problem, architecture: str, hosts: Sequence[Host]) -> Baseline:
    return Baseline(
        architecture=architecture,
        hosts=tuple(host.name for host in hosts),
        models=_common([host.cpu_models for host in hosts]),
        features=_common([host.cpu_features for host in hosts]),
        kept=_kept(problem, architecture, hosts),
    )


def _common(offers: Sequence[Sequence[str]]) -> tuple[str, ...]:
    return tuple(sorted(set(offers[0]).intersection(*offers[1:])))


def _kept(problem: Problem, architecture: str, hosts: Sequence[Host]) -> tuple[str, ...]:
    found = []
    for guest in problem.cluster.guests:
        home = problem.host(problem.home(guest.uuid))
        may = may_be_emulated(problem, guest)
        freed = replace(guest, cpu=ANY)
        if guest.architecture == architecture == home.architecture and any(
            why_not(guest, home, host, emulation=may)
            and not why_not(freed, home, host, emulation=may)
            for host in hosts
        ):
            found.append(guest.name)
    return tuple(sorted(found))
