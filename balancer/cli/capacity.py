"""`balancer capacity`: what the cluster could bear, asked of the pipeline that plans."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from balancer.cli.decision import searching
from balancer.cli.options import FILE, Session, common
from balancer.cli.screen import Screen
from balancer.cli.sight import Sight, look
from balancer.config.modes import PlanMode, Wish, in_mode
from balancer.config.sizes import size_of_guest
from balancer.planner.capacity.asking import Wanted
from balancer.planner.capacity.failures import (
    Failure,
    domains,
    failure,
    remedies,
    survey,
)
from balancer.planner.capacity.fit import Way, expected_use, fit, ways
from balancer.planner.capacity.shrink import shrink
from balancer.planner.capacity.trend import DAYS_NEEDED, READ, trends
from balancer.planner.model.cluster import Guest
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import MEMORY, VCPUS, Resources
from balancer.planner.pipeline import assess
from balancer.ports import UsageError
from balancer.render import capacity as render
from balancer.service.draining import calm, drains

FEWER: Final = 4
"""Exit code where less fits, or less survives, than was asked for."""

_from = click.option("--from", "source", type=FILE, help="A saved observation, not the hosts.")
_policy = click.option("--policy", metavar="FILE", help="Instead of the configured policy.")
_guest = click.option(
    "--guest", required=True, metavar="SIZE", help="vCPUs and memory: 16c/128g or 4c/8GiB."
)
_hosts_lost = click.option(
    "--hosts-lost",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="So many hosts may be lost afterwards.",
)
_network = click.option("--network", multiple=True, help="It needs this network; repeatable.")
_storage = click.option("--storage", multiple=True, help="It needs this storage; repeatable.")


@click.group("capacity")
@common
def command() -> None:
    """Say what the cluster could bear: more guests, fewer hosts, a host lost. Changes nothing.

    Each answer is a dry run through the planner itself, rules and judge included.
    """


@command.command("fit")
@_guest
@click.option("--count", type=click.IntRange(1), help="So many; else as many as fit.")
@click.option("--spread", default="", metavar="LABEL", help="Evenly over this label, or `host`.")
@_hosts_lost
@_network
@_storage
@_from
@_policy
@common
@click.pass_obj
def fit_command(  # noqa: PLR0913, PLR0917 - one argument an option
    session: Session,
    guest: str,
    count: int | None,
    spread: str,
    hosts_lost: int,
    network: tuple[str, ...],
    storage: tuple[str, ...],
    source: Path | None,
    policy: str | None,
) -> int:
    """Say how many more guests of a size fit: now, and once others have made room.

    A new guest is taken to be as busy per vCPU as those that run. Ends with 4 if fewer than
    --count fit.
    """
    screen = Screen(session)
    allocation = _size(guest)
    problem = _problem(look(session, screen, source, policy))
    wanted = replace(_wanted(problem, allocation, spread, network, storage), hosts_lost=hosts_lost)
    with searching(screen, "Looking for room") as keep_going:
        found = fit(problem, wanted, count or 0, keep_going=keep_going)
        advice: tuple[Way, ...] = ()
        if count and found.after < count:
            advice = ways(problem, wanted, count, found, keep_going)
    screen.document("fit", guest=guest, use=wanted.use, found=found, ways=advice)
    screen.show(render.fit(guest, wanted, found, advice, screen.people.width))
    return FEWER if count and found.after < count else 0


@command.command("where")
@_guest
@_network
@_storage
@_from
@_policy
@common
@click.pass_obj
def where_command(
    session: Session,
    guest: str,
    network: tuple[str, ...],
    storage: tuple[str, ...],
    source: Path | None,
    policy: str | None,
) -> int:
    """Name the best host for one new guest now: nothing else on stdout, for scripts.

    Ends with 4 if there is none.
    """
    screen = Screen(session)
    allocation = _size(guest)
    problem = _problem(look(session, screen, source, policy))
    found = fit(problem, _wanted(problem, allocation, "", network, storage), 1)
    host = next(iter(found.hosts), "")
    screen.document("where", guest=guest, host=host, found=found)
    if host:
        screen.show(render.name(host))
    else:
        screen.warn([render.nowhere(found)])
    return 0 if host else FEWER


@command.command("failures")
@click.option("--across", default="host", show_default=True, help="`host`, or a label: rack.")
@_from
@_policy
@common
@click.pass_obj
def failures_command(
    session: Session, across: str, source: Path | None, policy: str | None
) -> int:
    """Say, for each host or rack lost, whether its guests fit elsewhere, and who does not.

    Ends with 4 if some loss would leave a guest without a place.
    """
    screen = Screen(session)
    problem = _problem(look(session, screen, source, policy))
    lost = domains(problem, across)
    if not lost:
        raise UsageError(f"no host has the label {across}: name another with --across")
    found: list[Failure] = []
    known = survey(problem)
    with screen.progress("Losing one after the other", len(lost)) as done:
        for name, hosts in lost.items():
            found.append(failure(problem, name, hosts, known=known))
            done()
    with searching(screen, "Looking for what would help") as keep_going:
        helps = remedies(problem, found, keep_going)
    screen.document("failures", across=across, failures=found, remedies=helps)
    screen.show(render.failures(found, helps, screen.people.width))
    return 0 if all(f.survived for f in found) else FEWER


@command.command("drains")
@_from
@_policy
@common
@click.pass_obj
def drains_command(session: Session, source: Path | None, policy: str | None) -> int:
    """Say, for each host, whether it could be emptied now, how long that takes, what blocks it.

    Ends with 4 if some host cannot be.
    """
    screen = Screen(session)
    sight = look(session, screen, source, policy)
    found = []
    hosts = sight.observation.cluster.hosts
    with screen.progress("Emptying one after the other", len(hosts)) as done:
        for verdict in drains(sight.observation, calm(sight.policy)):
            found.append(verdict)
            done()
    screen.document("drains", drains=found)
    screen.show(render.drains(found, screen.people.width))
    return 0 if all(verdict.possible for verdict in found) else FEWER


@command.command("shrink")
@_hosts_lost
@_from
@_policy
@common
@click.pass_obj
def shrink_command(
    session: Session, hosts_lost: int, source: Path | None, policy: str | None
) -> int:
    """Say how few hosts would carry what runs, none of them hot, and the moves there."""
    screen = Screen(session)
    sight = look(session, screen, source, policy)
    thrifty = replace(sight, policy=in_mode(sight.policy, PlanMode.CONSOLIDATE, Wish()))
    with searching(screen, "Emptying hosts") as keep_going:
        found = shrink(_problem(thrifty), hosts_lost, keep_going=keep_going)
    screen.document("shrink", found=found)
    screen.show(render.shrink(found, screen.people.width))
    return 0


@command.command("trend")
@_hosts_lost
@click.option(
    "--days",
    type=click.IntRange(DAYS_NEEDED, 366),
    default=30,
    show_default=True,
    help="So many days of the history.",
)
@_from
@_policy
@common
@click.pass_obj
def trend_command(
    session: Session, hosts_lost: int, days: int, source: Path | None, policy: str | None
) -> int:
    """Say when the cluster runs out, of what, as far as the days measured tell."""
    screen = Screen(session)
    sight = look(session, screen, source, policy)
    past = sight.observation.rollups
    if source is None:
        from balancer.wiring import history

        metrics = [metric for read in READ.values() for metric in read]
        past = history(sight.config).rollups(sight.observation.at, days * 86_400.0, metrics)
    found = trends(_problem(sight), past, hosts_lost)
    if not found:
        raise UsageError(
            f"fewer than {DAYS_NEEDED} days are known: leave balancer serve running, or fetch the "
            "past with balancer backfill"
        )
    screen.document("trend", trends=found)
    screen.show(render.trend(found))
    return 0


def _problem(sight: Sight) -> Problem:
    return assess(sight.observation, sight.policy)


def _size(written: str) -> Resources:
    """Return what `16c/128g` stands for. Raises UsageError, before any host is asked."""
    try:
        vcpus, memory = size_of_guest(written)
    except ValueError as wrong:
        raise UsageError(f"--guest: {wrong}") from wrong
    return {VCPUS: vcpus, MEMORY: memory}


def _wanted(
    problem: Problem,
    allocation: Resources,
    spread: str,
    network: tuple[str, ...],
    storage: tuple[str, ...],
) -> Wanted:
    """Return the guest asked about. Raises UsageError for what no host has."""
    running = problem.cluster.guests
    kinds = [(g.architecture, g.accelerator) for g in running] or [("x86_64", "kvm")]
    architecture, accelerator = max(sorted(set(kinds)), key=kinds.count)
    for what, names, offered in (
        ("network", network, [host.networks for host in problem.cluster.hosts]),
        ("storage", storage, [host.storage for host in problem.cluster.hosts]),
    ):
        known = sorted({name for names in offered for name in names})
        for name in names:
            if name not in known:
                raise UsageError(
                    f"--{what} {name}: no host offers it; there are {', '.join(known) or 'none'}"
                )
    labels = {label for host in problem.cluster.hosts for label in host.labels}
    if spread and spread != "host" and spread not in labels:
        raise UsageError(f"--spread {spread}: no host has this label; there are {_list(labels)}")
    guest = Guest(
        uuid="",
        name="",
        allocation=allocation,
        architecture=architecture,
        accelerator=accelerator,
        networks=network,
        storage=storage,
    )
    return Wanted(guest=guest, use=expected_use(problem, allocation), spread=spread)


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
