"""`balancer drain`: empties a host and closes it to placement."""

import getpass
import time
from typing import Final

import click

from balancer import config
from balancer.adapters.closed import Closure
from balancer.cli.apply import NOT_ALL, carry_out, confirm, finish_what_was_begun, may_change
from balancer.cli.decision import readable
from balancer.cli.options import Session, common
from balancer.cli.screen import Screen
from balancer.cli.sight import Sight, known_hosts, look
from balancer.planner.model.evacuation import Verdict
from balancer.planner.model.plan import Outcome, Plan
from balancer.planner.model.policy import Policy
from balancer.ports import Event, Refused
from balancer.render.draining import verdict as verdict_text
from balancer.render.outcomes import outcomes as outcomes_text
from balancer.service.draining import Tries, calm, evacuate
from balancer.wiring import closed_hosts, journal_of

BLOCKED: Final = 2
TRIES: Final = 3
"""Times in a row that a plan may be refused: the service may be at the same work."""
PAUSE: Final = 2.0


@click.command("drain")
@click.argument("host")
@click.option("--check", is_flag=True, help="Only say whether it can be emptied; change nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask. Skips no check.")
@common
@click.pass_obj
def command(session: Session, host: str, *, check: bool, yes: bool) -> int:
    """Move every guest away from HOST, and let none come until `balancer undrain HOST`.

    The verdict comes first: can it be emptied, how long does it take, what blocks it and what
    to do about each. With --check that is all (2 if it cannot be emptied). What fails is tried
    on other hosts; ends with 5 if somebody is left.
    """
    screen = Screen(session)
    configuration = config.load(session.config)
    if not check:
        may_change(configuration)
        finish_what_was_begun(configuration, screen)
    sight = look(session, screen)
    known_hosts((host,), sight.observation)
    policy = calm(sight.policy)
    verdict = evacuate(sight.observation, policy, host)
    screen.people.print(verdict_text(verdict))
    if check:
        screen.document("drain", verdict=verdict)
        return 0 if verdict.possible else BLOCKED
    if isinstance(verdict.decision, Plan) and verdict.decision.actions:
        screen.people.print(readable(verdict.decision, screen, hosts=False))
        confirm(verdict.decision, screen, yes=yes)
    _close(sight, host)
    ended, left = _rounds(session, screen, host, policy)
    screen.document("drain", verdict=left, outcomes=ended)
    if ended:
        screen.show(outcomes_text(ended))
    screen.show(verdict_text(left))
    screen.hint(f"{host} is closed to placement; balancer undrain {host} opens it.")
    return 0 if not left.guests else NOT_ALL


def _close(sight: Sight, host: str) -> None:
    """Let nobody come any more; remember who was there."""
    here = {guest.uuid: guest.name for guest in sight.observation.cluster.guests_on[host]}
    now, by = time.time(), getpass.getuser()
    closed_hosts(sight.config).close(host, Closure(now, by, here))
    text = f"{host} is closed to placement by {by}, to be emptied"
    journal_of(sight.config, read_only=False).write(Event(now, "closed", host=host, text=text))


def _rounds(
    session: Session, screen: Screen, host: str, policy: Policy
) -> tuple[tuple[Outcome, ...], Verdict]:
    """Plan and carry out until nobody is left, or nothing more helps."""
    tries, ended, refused = Tries(), list[Outcome](), 0
    while True:
        sight = look(session, screen)
        found = evacuate(sight.observation, policy, host, tries.barred)
        if not isinstance(found.decision, Plan) or not found.decision.actions:
            return tuple(ended), found
        try:
            by = f"{getpass.getuser()}, balancer drain {host}"
            outcomes = carry_out(found.decision, sight.config, policy, screen, by=by)
        except Refused as reason:
            refused += 1
            if refused == TRIES:
                raise
            screen.warn([str(reason)])
            time.sleep(PAUSE)
            continue
        refused = 0
        ended += outcomes
        if not tries.learn(outcomes):
            sight = look(session, screen)
            return tuple(ended), evacuate(sight.observation, policy, host, tries.barred)
