"""A scenario file: a cluster, what befalls it, and what is expected to come of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from balancer.config import check_selectors, default_policy, load_policy, read_policy
from balancer.config.guards import Guards, read_guards
from balancer.config.reading import Table, read_toml
from balancer.config.search import find
from balancer.config.units import COUNT, SECONDS
from balancer.planner.model.cluster import Host
from balancer.planner.model.policy import Policy
from balancer.planner.model.request import Effort
from balancer.ports import UsageError
from balancer.simulator.bigdata import add_bigdata
from balancer.simulator.expectation import Expect, expect
from balancer.simulator.happenings import Happening, happening
from balancer.simulator.population import Population
from balancer.simulator.recorded import add_recorded
from balancer.simulator.world import SimulatedGuest

KEYS: Final = (
    "about", "start", "length", "interval", "seed", "effort", "guards", "policy", "cluster", "hosts",
    "guests", "bigdata", "events",
    "expect", "cpu_by_shares",
)  # fmt: skip
MONDAY: Final = datetime(2026, 1, 5, 8, tzinfo=UTC)
"""When a scenario starts that does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything that `Simulation` needs; the same scenario always runs the same way."""

    name: str
    about: str = ""
    """One sentence for people."""
    start: float
    """Seconds since the epoch."""
    length: float
    """Seconds; cycles begin until then."""
    interval: float
    """Seconds between the beginnings of two cycles."""
    effort: Effort = Effort.INSTANT
    """How long the planner looks where its first answer helps; longer where it does not."""
    guards: Guards = field(default_factory=Guards)
    policy: Policy
    hosts: tuple[Host, ...]
    guests: tuple[SimulatedGuest, ...]
    placement: Mapping[str, str]
    watts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Power curve by host, where one is given."""
    slowdowns: Mapping[str, float] = field(default_factory=dict)
    """Times the CPU that guests of other architectures take, by host."""
    seed: int = 1
    cpu_by_shares: bool = False
    """True: CPU that is short is dealt by shares, as schedulers do; else by what is wanted."""
    happenings: tuple[tuple[float, Happening], ...] = ()
    expect: Expect = field(default_factory=Expect)


def load_scenario(
    path: Path, *, policy: Policy | None = None, seed: int | None = None
) -> Scenario:
    """Return the scenario in the file, under another policy or drawn by another seed if told so.

    Raises UsageError naming the file, the table and the key at fault, and the remedy.
    """
    top = read_toml(path)
    top.only(KEYS)
    population = _population(top, seed)
    policy = policy or _policy(top)
    befalls = tuple(happening(table, population) for table in top.tables("events"))
    for fault in check_selectors(policy, population.cluster):
        raise UsageError(f"{path}: policy {policy.name}: {fault}")
    return Scenario(
        name=path.stem,
        about=top.text("about"),
        start=population.start,
        length=_length(top, "length", 3600.0),
        interval=_length(top, "interval", 300.0),
        effort=Effort(top.choice("effort", tuple(Effort), Effort.INSTANT)),
        guards=read_guards(top.table("guards")),
        policy=policy,
        hosts=tuple(population.hosts.values()),
        guests=tuple(population.guests.values()),
        placement=population.placement,
        watts=population.watts,
        slowdowns=population.slowdowns,
        seed=population.seed,
        cpu_by_shares=top.flag("cpu_by_shares", default=False),
        happenings=(*population.happenings, *befalls),
        expect=expect(top.table("expect")),
    )


def _population(top: Table, seed: int | None) -> Population:
    given = int(top.amount("seed", COUNT, 1))
    population = Population(start=_start(top), seed=given if seed is None else seed)
    if "cluster" in top.values:
        add_recorded(top.table("cluster"), population)
    for table in top.tables("hosts"):
        population.add_hosts(table)
    if not population.hosts:
        top.fail("hosts", "missing: a scenario needs at least one [[hosts]], or [cluster]")
    for number, table in enumerate(top.tables("guests")):
        population.add_guests(table, number)
    for number, table in enumerate(top.tables("bigdata"), 1):
        add_bigdata(table, population, 100 * number)
    return population


def _start(top: Table) -> float:
    moment = top.values.get("start", MONDAY)
    if not isinstance(moment, datetime):
        top.fail("start", "must be a date and time without quotes, as 2026-01-05T08:00:00Z")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _length(top: Table, key: str, default: float) -> float:
    seconds = float(top.amount(key, SECONDS, default))
    return seconds if seconds > 0 else top.fail(key, 'must be more than nothing, as "5min"')


def _policy(top: Table) -> Policy:
    """Return the policy: `[policy]` as a policy file has it, or the name of one, or the default."""
    if "policy" not in top.values:
        return default_policy()
    if isinstance(top.values["policy"], dict):
        return read_policy(top.table("policy"))
    return load_policy(find(top.text("policy"), top.file.parent))
