"""What most verbs begin with: the configuration, the policy, and the cluster as it is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from balancer import config, service
from balancer.adapters.stand_in import SilentTelemetry
from balancer.cli.options import Session
from balancer.cli.screen import Screen
from balancer.config import Config
from balancer.planner.model.observation import Observation
from balancer.planner.model.policy import Policy
from balancer.ports import UsageError
from balancer.render.words import count
from balancer.wiring import ports_for, saved_ports

AGAIN: Final = "Also where a host lately said no to a guest just before its start."


@dataclass(frozen=True)
class Sight:
    """A cluster, and what is wanted of it."""

    config: Config
    policy: Policy
    observation: Observation
    barred: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Pairs of a guest's uuid and a host that lately said no to it just before a start, and why."""


def look(
    session: Session, screen: Screen, source: Path | None = None, policy: str | None = None
) -> Sight:
    """Observe the hosts configured, or read `source`; say on stderr what is in doubt.

    Raises UsageError where nothing can be seen, or where the policy speaks of what is not there.
    """
    configuration = config.load(session.config)
    loaded = config.policy_for(configuration, policy)
    screen.warn((*configuration.warnings, *loaded.warnings))
    if source is None:
        ports = ports_for(configuration, SilentTelemetry(), read_only=True)
    else:
        ports = saved_ports(source, SilentTelemetry())
    with screen.busy(f"Observing {count(len(configuration.hosts), 'host')}"):
        observation = service.observe(ports, loaded.policy)
    check(loaded.policy, observation, screen)
    since = observation.at - configuration.guards.failed_guest_again_after
    barred = {
        pair: f"{reason} (said lately; --again asks anew)"
        for pair, reason in service.barred(ports.journal, since).items()
    }
    return Sight(configuration, loaded.policy, observation, barred)


def check(policy: Policy, observation: Observation, screen: Screen) -> None:
    """Say what went unseen. Raises UsageError where the policy speaks of nothing that exists."""
    screen.warn(
        f"{host.host}: {host.reason}{host.remedy and f': {host.remedy}'}"
        for host in observation.unseen
    )
    screen.warn(observation.doubts)
    unmatched = config.check_selectors(policy, observation.cluster)
    if unmatched and not observation.unseen:
        more = f" (and {len(unmatched) - 1} more)" if len(unmatched) > 1 else ""
        raise UsageError(f"policy {policy.name}: {unmatched[0]}{more}")
    screen.warn(unmatched)


def known_hosts(names: Collection[str], observation: Observation) -> frozenset[str]:
    """Return `names`. Raises UsageError if one of them is no host that was seen."""
    known = observation.cluster.host
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else "balancer doctor tells why not"
            raise UsageError(f"host {name} was not seen: {hint}")
    return frozenset(names)
