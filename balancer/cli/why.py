"""`balancer why`: the reasons for what was done about a guest or a host, or was not."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click
from rich.console import RenderableType

from balancer import config
from balancer.cli.moments import Moment
from balancer.cli.options import Session, common
from balancer.cli.screen import Screen
from balancer.cli.sight import Sight, look
from balancer.codec import load_outcome_data, load_plan_data, load_weighed_data
from balancer.planner.explain import loads, share
from balancer.planner.model.plan import Outcome, Plan
from balancer.planner.model.resources import CPU
from balancer.planner.model.weighed import Weighed
from balancer.planner.pipeline import assess, consider
from balancer.ports import Event, GuestStood, HostStood, UsageError
from balancer.render.moments import moment
from balancer.render.why import Story, course, host, hosts_course, lines, stays, story
from balancer.render.why import stood as stood_text
from balancer.render.words import count, percent
from balancer.service.recall import WINDOW, guest_course, host_course
from balancer.service.standing import KIND as STOOD
from balancer.wiring import journal_of

WEEK = 7 * 86_400.0
TOLD = ("foreign", "refused", "resized")


@click.command("why")
@click.argument("name", metavar="GUEST|HOST")
@click.option(
    "--since",
    metavar="TIME",
    callback=Moment(forward=False),
    help="2h, yesterday, a date; else a week. Shows the course of decisions, too.",
)
@click.option(
    "--now", is_flag=True, help="Look at the cluster, too: what keeps it at this moment."
)
@common
@click.pass_obj
def command(session: Session, name: str, since: float | None, *, now: bool) -> None:
    """Say why GUEST was moved, or was not; or what is the matter with HOST.

    From the journal, hypervisors up or down: the trigger, why this guest, why this host, who was
    rejected and by what, promised against measured, what would have changed the decision. Where
    no service keeps a journal the cluster is looked at.
    """
    screen = Screen(session)
    begin = time.time() - WEEK if since is None else since
    journal = journal_of(config.load(session.config))
    records = Records([e for e in journal.read(begin) if e.kind != STOOD], begin)
    stood = journal.read(begin - WINDOW, (STOOD,))
    guests, hosts_ = guest_course(stood, name, begin), host_course(stood, name, begin)
    sight = _looked(session, screen, wanted=now or not (guests or hosts_))
    uuid = guests[-1].guest if guests else name
    answers = [
        *_of_host(name, records, sight, hosts_, whole=since is not None),
        *_of_guest(name, uuid, records, sight),
        *_of_course(guests, records, whole=since is not None),
    ]
    if not answers:
        raise UsageError(f"no guest or host {name} is seen or in the journal for that time")
    screen.document("why", name=name, moves=list(records.stories(name)), stood=[*guests, *hosts_])
    for answer in answers:
        screen.show(answer)


def _looked(session: Session, screen: Screen, *, wanted: bool) -> Sight | None:
    """Return a look at the cluster if it is wanted and to be had."""
    if not wanted:
        return None
    try:
        return look(session, screen)
    except UsageError as error:
        screen.warn([f"only the journal is asked: {error}"])
        return None


def _of_course(
    guests: Sequence[GuestStood], records: "Records", *, whole: bool
) -> Iterator[RenderableType]:
    """Yield how the guest stood: each change where asked for, and the newest in full."""
    if not guests:
        return
    if whole and len(guests) > 1:
        yield course(guests[-1].name, guests)
    cycles = records.cycles()
    yield stood_text(guests[-1], cycles[-1].at if cycles else 0.0)


@dataclass
class Records:
    """The journal, read once."""

    events: Sequence[Event]
    since: float

    def outcomes(self) -> Iterator[tuple[Event, Outcome]]:
        """Yield every move that ended, oldest first."""
        for event in self.events:
            if event.kind == "ended" and "outcome" in event.data:
                yield event, load_outcome_data(event.data["outcome"])

    def stories(self, name: str) -> Iterator[Story]:
        """Yield every move of the guest of this name or uuid, oldest first."""
        for event, outcome in self.outcomes():
            if name in (outcome.action.name, outcome.action.guest):
                yield self._story(event, outcome)

    def of(self, name: str, kinds: Sequence[str]) -> tuple[Event, ...]:
        """Return events that concern the guest (by uuid) or the host."""
        return tuple(e for e in self.events if e.kind in kinds and name in (e.guest, e.host))

    def cycles(self) -> tuple[Event, ...]:
        """Return the cycles of the service."""
        return tuple(e for e in self.events if e.kind == "cycle")

    def _story(self, event: Event, outcome: Outcome) -> Story:
        decided = self._one("decided", event.plan)
        measured = self._one("measured", event.plan)
        realised = self._one("realised", event.plan)
        because = decided.data.get("because", ()) if decided else ()
        weighed = [load_weighed_data(found) for found in because]  # type: ignore[attr-defined]
        plan: Plan | None = load_plan_data(decided.data["plan"]) if decided else None
        return Story(
            outcome=outcome,
            plan=plan,
            by=str(decided.data.get("by", "hand")) if decided else "",
            weighed=next((w for w in weighed if w.guest == outcome.action.guest), None),
            measured=measured.text if measured else "",
            realised=realised.text if realised else "",
        )

    def _one(self, kind: str, plan: str) -> Event | None:
        found = [e for e in self.events if e.kind == kind and e.plan == plan]
        return found[-1] if found else None


def _of_guest(
    name: str, uuid: str, records: Records, sight: Sight | None
) -> Iterator[RenderableType]:
    found = False
    if sight:
        guests = sight.observation.cluster.guests
        uuid = next((g.uuid for g in guests if name in (g.name, g.uuid)), uuid)
        found = any(g.uuid == uuid for g in guests)
    for told in records.stories(name):
        yield story(told)
    if rest := records.of(uuid, TOLD):
        yield lines(rest)
    if sight and found:
        cluster = sight.observation.cluster
        weighed: Weighed = consider(sight.observation, sight.policy, uuid)
        notes = [e.text for e in records.of(uuid, ("foreign",))[-1:]]
        yield stays(cluster.guest[uuid].name, cluster.placement[uuid], weighed, notes)


def _of_host(
    name: str,
    records: Records,
    sight: Sight | None,
    stood: Sequence[HostStood],
    *,
    whole: bool,
) -> Iterator[RenderableType]:
    facts: list[tuple[str, str]] = []
    known = bool(stood)
    if sight and name in sight.observation.cluster.host:
        known = True
        problem = assess(sight.observation, sight.policy)
        line = next(x for x in loads(problem, problem.cluster.placement) if x.host == name)
        guests = count(len(problem.cluster.guests_on[name]), "guest")
        limit = percent(sight.policy.hot.cpu_used)
        facts.append(("Now", f"{guests}, CPU {percent(share(line, CPU))} (hot above {limit})"))
    facts += hosts_course(stood if whole else stood[-1:])
    for _, told in records.outcomes():
        action = told.action
        if name in (action.source, action.target):
            known = True
            text = f"{action.name} {action.source} → {action.target}: {told.result}"
            facts.append((moment(told.started), text))
    for event in records.of(name, ("resized",)):
        known = True
        facts.append((moment(event.at), event.text))
    facts.sort(key=lambda fact: fact[0] if fact[0][:1].isdigit() else "")  # moments, by time
    for event in records.cycles()[-1:] if known else ():
        facts += _in_cycle(name, event)
    if facts:
        yield host(name, facts)


def _in_cycle(name: str, event: Event) -> Iterator[tuple[str, str]]:
    hot, left, unseen = (event.data.get(key, {}) for key in ("hot", "left", "unseen"))
    if isinstance(hot, dict) and name in hot:
        yield "Asking", f"to be relieved since {moment(float(hot[name]))}"
    if isinstance(left, dict) and name in left:
        yield "Left", str(left[name])
    if isinstance(unseen, dict) and name in unseen:
        yield "Unseen", str(unseen[name])
    yield "Last cycle", event.text
