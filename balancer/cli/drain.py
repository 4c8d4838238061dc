"""`balancer drain`: empties a host and closes it to placement."""

import getpass
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf
from typing import Final

import click

from balancer import config
from balancer.adapters.closed import Closure
from balancer.adapters.stand_in import SilentTelemetry
from balancer.cli.apply import NOT_ALL, ask, carry_out, confirm, finish_what_was_begun, may_change
from balancer.cli.decision import readable
from balancer.cli.interrupts import Interrupts
from balancer.cli.moments import Moment
from balancer.cli.options import Session, common
from balancer.cli.screen import Screen
from balancer.cli.sight import Sight, known_hosts, look
from balancer.planner.model.evacuation import Verdict
from balancer.planner.model.plan import Outcome, Plan
from balancer.planner.model.policy import Policy
from balancer.ports import Event, Refused
from balancer.render.draining import verdict as verdict_text
from balancer.render.moments import moment
from balancer.render.outcomes import outcomes as outcomes_text
from balancer.render.words import clean, listed
from balancer.service.draining import Terms, Tries, calm, evacuate, shut_down
from balancer.wiring import closed_hosts, journal_of, ports_for

BLOCKED: Final = 2
TRIES: Final = 3
"""Times in a row that a plan may be refused: the service may be at the same work."""
PAUSE: Final = 2.0


@click.command("drain")
@click.argument("host")
@click.option("--check", is_flag=True, help="Only say whether it can be emptied; change nothing.")
@click.option(
    "--at",
    "begin",
    metavar="TIME",
    callback=Moment(forward=True),
    help="Wait and begin then: 2h, 22:00, a date.",
)
@click.option(
    "--until",
    metavar="TIME",
    callback=Moment(forward=True),
    help="Begin no move that may end after it.",
)
@click.option(
    "--shutdown",
    "off",
    metavar="GUEST",
    multiple=True,
    help="May be shut down if it cannot leave; more than once for more.",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask. Skips no check.")
@common
@click.pass_obj
def command(  # noqa: PLR0913 - one for each option
    session: Session,
    host: str,
    *,
    check: bool,
    begin: float | None,
    until: float | None,
    off: tuple[str, ...],
    yes: bool,
) -> int:
    """Move every guest away from HOST, and let none come until `balancer undrain HOST`.

    The verdict comes first: can it be emptied, how long does it take, what blocks it and what
    to do about each. With --check that is all (2 if it cannot be emptied). What fails is tried
    on other hosts; guests named by --shutdown that cannot leave are asked to shut down at the
    end. Ends with 5 if somebody is left.
    """
    screen = Screen(session)
    order = _Order(host, begin or time.time(), until or inf, frozenset(off))
    configuration = config.load(session.config)
    if not check:
        may_change(configuration)
        finish_what_was_begun(configuration, screen)
    sight = look(session, screen)
    known_hosts((host,), sight.observation)
    policy = calm(sight.policy)
    verdict = evacuate(sight.observation, policy, host, terms=order.terms)
    screen.people.print(verdict_text(verdict))
    if check:
        screen.document("drain", verdict=verdict)
        return 0 if verdict.possible else BLOCKED
    if isinstance(verdict.decision, Plan) and verdict.decision.actions:
        screen.people.print(readable(verdict.decision, screen, hosts=False))
        confirm(verdict.decision, screen, yes=yes)
    elif verdict.shut_down:
        ask(f"Shut down {listed(verdict.shut_down)}?", "nobody was shut down", screen, yes=yes)
    _wait(order.begin, host, screen)
    sight = look(session, screen) if begin else sight
    _close(sight, host)
    ended, left = _rounds(session, screen, order, policy)
    if left.shut_down:
        left = _shut_down(session, screen, order, policy, left)
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


@dataclass(frozen=True, slots=True)
class _Order:
    """What was asked for."""

    host: str
    begin: float
    until: float
    off: frozenset[str]

    @property
    def terms(self) -> Terms:
        """The time from the beginning on, or from now if that is over."""
        return Terms(
            seconds=max(0.0, self.until - max(self.begin, time.time())), shut_down=self.off
        )

    def left(self, found: Iterable[str]) -> "_Order":
        """Return the same for those of its guests that are there still."""
        return replace(self, off=self.off & frozenset(found))


def _wait(until: float, host: str, screen: Screen) -> None:
    """Let time pass until the drain is to begin. Raises Refused if somebody stops it."""
    if until <= time.time():
        return
    screen.show(f"{clean(host)} is drained from {moment(until)} on; it stays open until then.")
    with Interrupts(lambda _: None) as interrupts:
        while (left := until - time.time()) > 0:
            if interrupts.stop_requested():
                raise Refused(f"{host} is not drained: stopped while it waited")
            time.sleep(min(1.0, left))


def _shut_down(
    session: Session, screen: Screen, order: _Order, policy: Policy, found: Verdict
) -> Verdict:
    """Have those shut down that may be and cannot leave; return what is left then."""
    sight = look(session, screen)
    ports = ports_for(sight.config, SilentTelemetry(), read_only=False)
    with screen.busy(f"Shutting down {listed(found.shut_down)}"):
        still = shut_down(ports, order.host, found.shut_down, sight.observation)
    seen = look(session, screen).observation
    known = sight.observation.cluster.guest
    screen.warn(f"{known[uuid].name} runs still: {why}" for (uuid, _), why in still.items())
    off = [name for name in found.shut_down if name not in {g.name for g in seen.cluster.guests}]
    if off:
        screen.show(f"Shut down on {clean(order.host)}, to be started again there: {listed(off)}.")
    return evacuate(seen, policy, order.host, barred=still)


def _rounds(
    session: Session, screen: Screen, order: _Order, policy: Policy
) -> tuple[tuple[Outcome, ...], Verdict]:
    """Plan and carry out until nobody is left, or nothing more helps."""
    tries, ended, refused, host = Tries(), list[Outcome](), 0, order.host

    def judged() -> tuple[Sight, Verdict]:
        sight = look(session, screen)
        here = (guest.name for guest in sight.observation.cluster.guests_on[host])
        terms = order.left(here).terms
        return sight, evacuate(sight.observation, policy, host, tries.barred, terms)

    while True:
        sight, found = judged()
        if not isinstance(found.decision, Plan) or not found.decision.actions:
            return tuple(ended), found
        try:
            by = f"{getpass.getuser()}, balancer drain {host}"
            outcomes = carry_out(
                found.decision, sight.config, policy, screen, by=by, until=order.until
            )
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
            return tuple(ended), judged()[1]
