"""`balancer rules`: every rule of the policy, whom it concerns, where it is broken now."""

from collections.abc import Iterator
from math import fsum
from pathlib import Path
from typing import Final

import click

from balancer.cli.options import FILE, Session, common
from balancer.cli.screen import Screen
from balancer.cli.sight import look
from balancer.planner.constraints import all_rules
from balancer.planner.model.conversation import Talk
from balancer.planner.model.placement import at_rest
from balancer.planner.model.policy import caveat
from balancer.planner.model.problem import Problem
from balancer.planner.pipeline import assess
from balancer.render.rules import RuleReport
from balancer.render.rules import rules as rules_text

HOUR: Final = 3600


@click.command("rules")
@click.option("--from", "source", type=FILE, help="A saved observation, instead of the hosts.")
@click.option("--policy", metavar="FILE", help="Instead of the configured policy.")
@common
@click.pass_obj
def command(session: Session, source: Path | None, policy: str | None) -> None:
    """List every rule of the policy, the guests it concerns, and what it finds broken now."""
    screen = Screen(session)
    sight = look(session, screen, source, policy)
    name = f"{sight.policy.name}@{sight.policy.digest[:4]}"
    reports = report(assess(sight.observation, sight.policy))
    screen.document("rules", policy=name, rules=reports)
    screen.show(rules_text(name, reports))


def report(problem: Problem) -> tuple[RuleReport, ...]:
    """Return how each rule in force stands as guests are placed now."""
    occupancy = at_rest(problem.cluster.placement)
    reports = []
    for rule in all_rules(problem):
        concerned = rule.concerns(problem)
        reports.append(
            RuleReport(
                label=rule.label,
                hard=rule.hard,
                guests=tuple(sorted(problem.name(uuid) for uuid in concerned)),
                everyone=len(concerned) == len(problem.cluster.guests),
                broken=tuple(rule.violations(problem, occupancy)),
                doubt=caveat(rule, problem),
            )
        )
    return (*reports, *_traffic(problem))


def _traffic(problem: Problem) -> Iterator[RuleReport]:
    """Yield what is declared to talk: nothing of it can be broken, but it costs."""
    placement = problem.cluster.placement
    for conversation in problem.conversations:
        talk = Talk([conversation], problem.domain)
        now = HOUR * talk.waits(talk.counts(placement))
        most = HOUR * fsum(wait for _, wait in conversation.steps)
        yield RuleReport(
            label=conversation.label,
            hard=False,
            guests=tuple(sorted(map(problem.name, conversation.members))),
            everyone=len(conversation.members) == len(problem.cluster.guests),
            broken=(),
            doubt=f"answers from afar cost {now:,.0f} s of waiting an hour, at most {most:,.0f} s",
        )
