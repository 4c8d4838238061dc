"""`balancer check`: judges a saved plan again, against a saved or the present cluster."""

from pathlib import Path

import click
from rich.text import Text

from balancer import config
from balancer.cli.options import FILE, Session, common
from balancer.cli.screen import Screen
from balancer.codec import read_observation, read_plan
from balancer.planner.assessment import assess, orders_of
from balancer.planner.model.observation import Observation
from balancer.planner.model.placement import fingerprint
from balancer.planner.model.plan import Plan
from balancer.planner.model.policy import Policy
from balancer.planner.promised import unkept
from balancer.planner.refute import doubts
from balancer.planner.resizable import faults as resize_faults
from balancer.planner.verify import judge
from balancer.render.words import clean, count

INVALID = 2


@click.command("check")
@click.argument("plan_file", metavar="PLAN", type=FILE)
@click.option("--against", "source", type=FILE, help="A saved observation.")
@click.option("--live", is_flag=True, help="The hosts as they are now; the default.")
@click.option("--policy", metavar="FILE", help="Instead of the configured policy.")
@common
@click.pass_obj
def command(
    session: Session, plan_file: Path, source: Path | None, policy: str | None, *, live: bool
) -> int:
    """Say whether every step of a plan is safe, by the judge alone: no solver takes part.

    Ends with 0 if it is valid, 2 if not.
    """
    if live and source is not None:
        raise click.UsageError("say --against FILE or --live, not both")
    screen = Screen(session)
    plan = read_plan(plan_file)
    observation, wanted = _seen(session, screen, source, policy)
    faults, rules = findings(observation, wanted, plan)
    screen.document("check", plan=plan.id, valid=not faults, faults=faults, rules=rules)
    for fault in faults:
        screen.show(Text(f"✗ {clean(fault)}", "red"))
    verdict = f"not valid: {count(len(faults), 'fault')}" if faults else "valid"
    steps, held = count(len(plan.actions), "action"), count(len(rules), "rule")
    screen.show(Text(f"Plan {clean(plan.id)} is {verdict}. {steps}, {held} held to.", "bold"))
    return INVALID if faults else 0


def _seen(
    session: Session, screen: Screen, source: Path | None, policy: str | None
) -> tuple[Observation, Policy]:
    """Return the cluster and the policy that the plan is held to."""
    if source is None:
        from balancer.cli.sight import look  # it brings the planner's other stages

        sight = look(session, screen, policy=policy)
        return sight.observation, sight.policy
    loaded = config.policy_for(config.load(session.config), policy)
    return read_observation(source), loaded.policy


def findings(
    observation: Observation, policy: Policy, plan: Plan
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return all that is wrong with `plan`, and the labels of the rules it was held to."""
    problem = assess(observation, policy, orders_of(plan))
    verdict = judge(problem, plan.actions)
    now = fingerprint(problem.cluster.placement)
    other = (f"it starts from placement {plan.fingerprint}, guests are placed as {now}",)
    doubted = (fault for claim in plan.certificates for fault in doubts(problem, claim))
    promised = unkept(problem, plan, same=observation.at == plan.made_at)
    stale = other if now != plan.fingerprint else ()
    wrong = resize_faults(problem, plan.resizes, moves=plan.actions, undoing=plan.gives_back)
    return (*stale, *verdict.faults, *wrong, *promised, *doubted), verdict.rules
