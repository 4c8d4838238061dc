"""What the journal has on guests and hosts: how they stood, why, and where everybody was last."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, TypeVar

from balancer.codec import load_weighed_data
from balancer.planner.model.placement import Placement
from balancer.planner.model.weighed import Weighed
from balancer.ports import GONE, Event, GuestStood, HostStood, Journal, UsageError
from balancer.service.standing import DAY, KIND

WINDOW: Final = 2 * DAY
"""Before any moment, how far back the last complete account of everything lies at most."""
UNREADABLE: Final = "the journal's account of guests and hosts is of another version of balancer: balancer why --now looks at the cluster instead"
REASONS: Final = frozenset(part.name for part in fields(Weighed)) - {"guest"}
"""What of an account is why, and no part of `GuestStood` itself."""


Stood = TypeVar("Stood", GuestStood, HostStood)


@dataclass(slots=True)
class Recall:
    """What events of the kind `stood` tell, taken in one after the other."""

    guests: dict[str, GuestStood] = field(default_factory=dict)
    hosts: dict[str, HostStood] = field(default_factory=dict)

    def take(self, event: Event) -> tuple[list[GuestStood], list[HostStood]]:
        """Take an event in; return what it says."""
        hosts = [_host(event, name, told) for name, told in _table(event, "hosts").items()]
        guests = [_guest(event, uuid, told) for uuid, told in _table(event, "guests").items()]
        self.hosts |= {host.host: host for host in hosts}
        gone = [self.guests[uuid] for uuid in _list(event, "gone") if uuid in self.guests]
        if event.data.get("whole"):
            named = {guest.guest for guest in guests}
            gone += [g for u, g in self.guests.items() if u not in named and not self._unseen(g)]
        for guest in gone:
            self.guests.pop(guest.guest, None)
            guests.append(replace(guest, at=event.at, sentence=event.text, state=GONE))
        self.guests |= {guest.guest: guest for guest in guests if guest.state != GONE}
        return guests, hosts

    def _unseen(self, guest: GuestStood) -> bool:
        host = self.hosts.get(guest.host)
        return host is not None and host.state == "unseen"


def guest_course(events: Iterable[Event], name: str, since: float) -> tuple[GuestStood, ...]:
    """Return how the guest of this name or uuid stood from `since` on, oldest first.

    The first is as it stood then. Events are those of the journal from `since` less WINDOW.
    """
    recall = Recall()
    told = (g for e in _stood(events) for g in recall.take(e)[0] if name in (g.name, g.guest))
    return tuple(_course(told, since))


def host_course(events: Iterable[Event], name: str, since: float) -> tuple[HostStood, ...]:
    """Return how the host stood from `since` on, oldest first."""
    recall = Recall()
    told = (h for e in _stood(events) for h in recall.take(e)[1] if h.host == name)
    return tuple(_course(told, since))


def last_seen(journal: Journal, now: float, within: float) -> tuple[Placement, float]:
    """Return where guests were when a cycle looked last, and when that was; 0.0 if none did.

    Raises UsageError if the journal cannot be read.
    """
    cycles = journal.read(now - within, ("cycle",))
    seen = [float(at) for e in cycles[-1:] if isinstance(at := e.data.get("seen_at"), int | float)]
    if not seen:
        return {}, 0.0
    recall = Recall()
    for event in journal.read(seen[0] - WINDOW, (KIND,)):
        recall.take(event)
    return {guest.guest: guest.host for guest in recall.guests.values()}, seen[0]


def _course(told: Iterable[Stood], since: float) -> Iterator[Stood]:
    """Yield what was so at `since`, and each change after that; what only repeats is left out."""
    before: Stood | None = None
    for line in told:
        if before is not None and _essence(line) == _essence(before):
            continue
        if before is not None and line.at > since:
            yield before
        before = line
    if before is not None:
        yield before


def _essence(told: Stood) -> object:
    """Return what makes a line worth another: not moments, and no shares that go up and down."""
    if isinstance(told, HostStood):
        return replace(told, at=0.0, sentence="")
    weighed = told.weighed
    why = (weighed.stays, frozenset(weighed.rejected), bool(weighed.left)) if weighed else None
    return replace(told, at=0.0, sentence="", weighed=None), why


def _stood(events: Iterable[Event]) -> Iterator[Event]:
    return (event for event in events if event.kind == KIND)


def _guest(event: Event, uuid: str, told: Mapping[str, Any]) -> GuestStood:
    reasons = {key: told[key] for key in REASONS if key in told}
    rest = {key: value for key, value in told.items() if key not in REASONS}
    try:
        return GuestStood(
            at=event.at,
            sentence=event.text,
            policy=str(event.data.get("policy", "")),
            weighed=load_weighed_data({**reasons, "guest": uuid}),
            guest=uuid,
            **rest,
        )
    except TypeError:
        raise UsageError(UNREADABLE) from None


def _host(event: Event, name: str, told: Mapping[str, Any]) -> HostStood:
    try:
        limits = str(event.data.get("hot_above", ""))
        return HostStood(at=event.at, sentence=event.text, host=name, hot_above=limits, **told)
    except TypeError:
        raise UsageError(UNREADABLE) from None


def _table(event: Event, key: str) -> Mapping[str, Any]:
    found = event.data.get(key)
    return found if isinstance(found, dict) else {}


def _list(event: Event, key: str) -> list[str]:
    found = event.data.get(key)
    return found if isinstance(found, list) else []
