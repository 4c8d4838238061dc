"""What stays broken, and why nobody could be moved to mend it. Says what holds, not the least set."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from balancer.planner.formulation import (
    Apart,
    AtMostPerDomain,
    Budget,
    DomainCount,
    Flow,
    Formulation,
    Ints,
    Level,
    Near,
    Packing,
    Refuge,
    Row,
)
from balancer.planner.model.plan import Stay
from balancer.planner.place.answer import Answer
from balancer.planner.place.evaluate import excesses, strandeds

Counted = Row | AtMostPerDomain | DomainCount | Near | Apart | Packing | Refuge

NAMED = 3
"""Reasons and guests that are spelt out; the rest is counted."""


def explain(formulation: Formulation, answer: Answer) -> tuple[Stay, ...]:
    """Return what is still broken in `answer`, each with why it was left so.

    One for each guest that should not be where it is, one for each host, domain or group in
    which a hard rule is exceeded, and one for each host that is overloaded.
    """
    placement = answer.placement
    guests = tuple(_misplaced(formulation, placement))
    return (*guests, *_exceeded(formulation, placement))


def _misplaced(formulation: Formulation, placement: Ints) -> Iterator[Stay]:
    allowed = formulation.allowed[np.arange(len(placement)), placement]
    for guest in np.flatnonzero(~allowed).tolist():
        free = not formulation.held[guest] and formulation.allowed[guest].any()
        dear = _unaffordable(formulation, placement, guest) if free else ""
        yield Stay(subject=_name(formulation, guest), reason=dear or why_stays(formulation, guest))


def _unaffordable(formulation: Formulation, placement: Ints, guest: int) -> str:
    """Return which budget one more move would overspend, in one phrase; or nothing."""
    moved = placement != formulation.start
    over = (
        p.label
        for p in formulation.primitives
        if isinstance(p, Budget) and p.weight[moved].sum() + p.weight[guest] > p.limit
    )
    label = next(over, "")
    return f"{label} has no room left for it in this plan" if label else ""


def _exceeded(formulation: Formulation, placement: Ints) -> Iterator[Stay]:
    for primitive in formulation.primitives:
        if isinstance(primitive, Budget | Flow) or primitive.penalty.level is Level.COST:
            continue
        state = "stays broken" if primitive.hard else "stays exceeded"
        for number in np.flatnonzero(excesses(formulation, primitive, placement)).tolist():
            members = _inside(primitive, number, placement)
            yield Stay(
                subject=_where(formulation, primitive, number),
                reason=f"{primitive.label} {state}: {_why(formulation, members)}",
            )


def why_stays(formulation: Formulation, guest: int) -> str:
    """Return why the guest of this number cannot be moved, in one phrase."""
    if reasons := formulation.holds.get(guest):
        return "; ".join(dict.fromkeys(filter(None, reasons)))
    others = formulation.allowed[guest].copy()
    others[formulation.start[guest]] = False
    if others.any():
        count = int(others.sum())
        some = "the only host" if count == 1 else f"none of the {count} hosts"
        return (
            f"{some} it could go to {'cannot' if count == 1 else 'can'} take it: room, or a rule"
        )
    labels = Counter(
        label
        for label, guests, sites in formulation.bans
        if guest in guests
        for site in sites.tolist()
        if site != formulation.start[guest]
    )
    because = ", ".join(f"{label} ({_hosts(n)})" for label, n in labels.most_common(NAMED))
    return f"no other host is open to it: {because}" if because else "there is no other host"


def _hosts(count: int) -> str:
    return "1 host" if count == 1 else f"{count} hosts"


def _why(formulation: Formulation, members: Ints) -> str:
    held = [guest for guest in members.tolist() if formulation.held[guest]]
    named = [f"{_name(formulation, g)} ({why_stays(formulation, g)})" for g in held[:NAMED]]
    if len(held) > NAMED:
        named.append(f"{len(held) - NAMED} more")
    if len(held) == len(members):
        return f"all guests concerned stay: {', '.join(named)}"
    tail = f"; what must stay: {', '.join(named)}" if named else ""
    return f"no permitted move of the others mends it{tail}"


def _inside(  # noqa: PLR0911 - one for each primitive
    primitive: Counted, number: int, placement: Ints
) -> Ints:
    """Return the guests that make up the excess of that number."""
    match primitive:
        case Row():
            return np.flatnonzero((placement == number) & (primitive.use > 0))
        case AtMostPerDomain():
            members = primitive.members
            inside: Ints = members[primitive.domain[placement[members]] == number]
            return inside
        case Packing():
            packed: Ints = primitive.members[placement[primitive.members] == number]
            return packed
        case Refuge():
            return np.array(strandeds(primitive, placement)[number], dtype=np.int64)
        case DomainCount():
            return primitive.members
        case Apart():
            both = np.concatenate([primitive.one, primitive.other])
            sharing: Ints = both[primitive.domain[placement[both]] == number]
            return sharing
        case _:
            return np.array([primitive.a, primitive.b])


def _where(formulation: Formulation, primitive: Counted, number: int) -> str:
    hosts = formulation.problem.cluster.hosts
    match primitive:
        case Row() | Packing():
            return hosts[number].name
        case Refuge():
            return " and ".join(hosts[site].name for site in primitive.lost[number].tolist())
        case AtMostPerDomain() | Apart():
            sites = np.flatnonzero(primitive.domain == number).tolist()
            return ", ".join(hosts[site].name for site in sites)
        case _:
            return primitive.label


def _name(formulation: Formulation, guest: int) -> str:
    return formulation.problem.cluster.guests[guest].name
