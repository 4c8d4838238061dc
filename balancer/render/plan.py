"""A plan as people decide on it: what is wrong, each move with its reason, what comes of it."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from balancer.planner.model.plan import Action, Infeasible, Plan, Quality, Score
from balancer.planner.model.resize import What
from balancer.planner.model.violation import Violation
from balancer.render.hosts import hosts_change, hosts_now, meaning
from balancer.render.words import (
    clean,
    count,
    duration,
    listed,
    pad,
    percent,
    setting,
    size,
    waiting,
)

COLUMNS: Final = (("starts", 7), ("takes", 7), ("data", 8), ("pause", 7))
"""Heading and cells of the figures of a move."""
LONGEST_HOST: Final = 16
SHORTEST_NAME: Final = 8
SLOWED: Final = "the guest is slowed down as far as it takes"
UNSAFE: Final = "the target may read old data, where its disks' cache mode is not none"
COPIED: Final = "the old copy is removed once the guest runs there"
COLD: Final = "cold: shut down, and started on the target; all in its memory is gone"
BARS: Final = "▁▂▃▄▅▆▇█"
FEWEST_DRAWN: Final = 3
"""Moves from which on a curve says more than the list."""
WIDEST_CURVE: Final = 40
MOST_OF_IT: Final = 900
"""Per mille of the gain that one would stop at."""
SENTENCES: Final = 8
"""How many broken rules and stays are spelt out."""


def plan(made: Plan, width: int = 80, *, hosts: bool = True) -> RenderableType:
    """Return the whole plan; `hosts` leaves out the bars where they were shown just before."""
    parts: list[RenderableType] = [Text(headline(made), "bold")]
    parts += [_broken(made)] if made.broken_before else []
    parts += [Text(), moves(made.actions, width)] if made.actions else []
    parts += [Text(), resizes(made)] if made.resizes else []
    if hosts:
        draw = hosts_change if made.actions else hosts_now
        parts += [Text(), draw(made.loads, made.hot_hosts)]
        parts += [meaning(made.memory_from)] if made.memory_from else []
    parts += [Text(), _risks(made.actions)] if any(map(risks, made.actions)) else []
    parts += [Text(), _labelled("Left as it is: ", _left(made))] if made.left else []
    parts += [_labelled("Proven: ", clean(c.sentence)) for c in made.certificates]
    told = filter(None, (stops(made), worth(made), gain(made.gained), verdict(made)))
    parts += [Text(), *map(Text, told)] if made.actions else []
    return Group(*parts)


def headline(made: Plan) -> str:
    """Return what is wrong and what the plan costs, in one line."""
    if not made.actions:
        return clean(made.summary)
    return clean(f"{made.summary} {size(made.mib)} in {duration(made.seconds)}.")


def verdict(made: Plan) -> str:
    """Return what the judge and the solver can say for this plan."""
    rules = count(len(made.rules_checked), "hard rule")
    kept = "is kept or gets" if len(made.rules_checked) == 1 else "are kept or get"
    judged = f"Judge: {rules} {kept} no worse at every step."
    if made.dip:
        judged += f" On the way hosts get {percent(made.dip / 1000)} of a host hotter than before and after."
    return f"{judged} {quality(made.quality, made.score_after)}"


def worth(made: Plan) -> str:
    """Return what the plan promises in waiting, and how far such promises are believed."""
    if made.worth is None:
        return ""
    told = waiting(made.worth.saved, made.worth.spent)
    believed = f" Of such promises {percent(made.trust)} is believed." if made.trust < 1 else ""
    return f"It {told} within {duration(made.horizon)} (all guests together).{believed}"


def stops(made: Plan) -> str:
    """Return how many moves only make way for others, and how few any order could have."""
    aside = sum(action.temporary for action in made.actions)
    if not aside:
        return ""
    told = f"Stops on the way: {aside} of {count(len(made.actions), 'move')}"
    if made.least_aside >= aside:
        return f"{told}; no order of them has fewer (proven)."
    return (
        f"{told}; any order has at least {made.least_aside}." if made.least_aside else f"{told}."
    )


def gain(gained: Sequence[int]) -> str:
    """Return the curve of what the moves bring in turn, and where most of it is reached."""
    if len(gained) < FEWEST_DRAWN:
        return ""
    enough = next((n for n, share in enumerate(gained, 1) if share >= MOST_OF_IT), len(gained))
    step = max(1, -(-len(gained) // WIDEST_CURVE))
    drawn = "".join(BARS[share * (len(BARS) - 1) // 1000] for share in gained[step - 1 :: step])
    told = f"Gain, move by move: {drawn}"
    if enough == len(gained):
        return f"{told}  It takes all {enough} for {percent(MOST_OF_IT / 1000)} of it."
    said = f"The first {enough} of {len(gained)} moves bring" if enough > 1 else "The first brings"
    return f"{told}  {said} {percent(gained[enough - 1] / 1000)} of it."


def quality(known: Quality, after: Score) -> str:
    """Return which engine found it, and how far from the best possible answer it may be."""
    if known.proven:
        return f"Found by {known.engine}: no better placement exists (proven)."
    if not known.bound or after.repair or after.overload:
        return f"Best found ({known.engine}); how much better is possible is not known."
    gap = (after.cost - known.bound) / max(1, after.cost)
    said = f"at most {percent(gap)} of the remaining cost could be saved by a better placement."
    return f"Best found ({known.engine}); {said}"


def moves(actions: Sequence[Action], width: int = 80) -> Text:
    """Return each move in order of its start: what, from where to where, how long, and why."""
    ordered = sorted(actions, key=lambda action: action.start)
    number = {action.id: place for place, action in enumerate(ordered, 1)}
    digits = len(str(len(ordered)))
    names, hosts = _name_width(ordered, width), _host_width(ordered)
    heading = f"{'':{digits}} {pad('guest', names)} {pad('from', hosts)}   {pad('to', hosts)}"
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(heading + "".join(f" {title:>{cells}}" for title, cells in COLUMNS) + "\n", "dim")
    for action in ordered:
        text.append(f"{number[action.id]:>{digits}} ")
        text.append(pad(action.name, names), "bold")
        text.append(f" {pad(action.source, hosts)} → {pad(action.target, hosts)}")
        text.append(_figures(action) + "\n")
        text.append(_wrapped(_why(action, number), width, digits + 1) + "\n", "dim")
    text.rstrip()
    return text


def resizes(made: Plan) -> RenderableType:
    """Return what guests are given where they are: those changed alike and for one reason together."""
    together: dict[tuple[str, What, int, int, str], list[str]] = {}
    for one in made.resizes:
        key = (one.host, one.what, one.before, one.after, one.reason)
        together.setdefault(key, []).append(one.name)
    width = min(LONGEST_HOST, max(len(clean(one.host)) for one in made.resizes))
    lines = [
        _labelled(
            f"  {pad(clean(host), width)} {what} {setting(what, before)} → {setting(what, after)}  ",
            f"{listed(names)} ({clean(why)})",
        )
        for (host, what, before, after, why), names in together.items()
    ]
    head = "Changed where they are, before anything moves"
    if made.resizes_save:
        saved = f"{made.resizes_save:,.0f} s of waiting that counts"
        head += f", which saves {saved} within {duration(made.horizon)}"
    head += ":"
    return Group(Text(head), *lines)


def infeasible(answer: Infeasible) -> RenderableType:
    """Return why there is no plan, and what would help."""
    parts: list[RenderableType] = [_labelled("Infeasible: ", clean(answer.reason), "bold red")]
    if answer.conflicting:
        parts.append(_labelled("Rules concerned: ", listed(answer.conflicting)))
    if answer.remedy:
        parts.append(_labelled("What would help: ", clean(answer.remedy)))
    parts += [_labelled("Proven: ", clean(c.sentence)) for c in answer.certificates]
    return Group(*parts)


def violations(found: Sequence[Violation], most: int = SENTENCES) -> RenderableType:
    """Return broken rules, one sentence a line, those past `most` only counted."""
    lines: list[RenderableType] = [
        _labelled("  ✗ " if fault.hard else "  · ", clean(fault.sentence))
        for fault in found[:most]
    ]
    if len(found) > most:
        lines.append(Text(f"    and {len(found) - most:,} more"))
    return Group(*lines)


def _host_width(actions: Sequence[Action]) -> int:
    hosts = {name for action in actions for name in (action.source, action.target)}
    return min(LONGEST_HOST, max(len("from"), *map(len, hosts)))


def _name_width(actions: Sequence[Action], width: int) -> int:
    """Return the cells for guests' names: what they need, as far as the line has room."""
    taken = len(str(len(actions))) + 2 * _host_width(actions) + 5
    room = width - taken - sum(cells + 1 for _, cells in COLUMNS)
    return max(SHORTEST_NAME, min(room, max(len(action.name) for action in actions)))


def _figures(action: Action) -> str:
    expected = action.predicted
    values = (
        duration(action.start),
        duration(expected.seconds),
        size(expected.mib),
        duration(expected.seconds) if action.cold else f"{expected.downtime_ms} ms",
    )
    return "".join(f" {value:>{cells}}" for value, (_, cells) in zip(values, COLUMNS, strict=True))


def _why(action: Action, number: Mapping[str, int]) -> str:
    awaited = [str(number[other]) for other in action.waits_for if other in number]
    parts = (
        f"after {' and '.join(awaited)}" if awaited else "",
        "a stop on the way" if action.temporary else "",
        f"{size(action.predicted.disk_mib)} of it disks" if action.copies else "",
        f"cold: down about {duration(action.predicted.seconds)}" if action.cold else "",
        clean(action.reason),
        waiting(action.worth.saved, action.worth.spent) if action.worth else "",
    )
    return "; ".join(filter(None, parts))


def _wrapped(sentence: str, width: int, indent: int) -> str:
    margin = " " * indent
    return fill(sentence, width, initial_indent=margin, subsequent_indent=margin)


def _broken(made: Plan) -> RenderableType:
    remaining = {fault.key for fault in made.broken_after}
    mended = [fault for fault in made.broken_before if fault.key not in remaining]
    kept = [fault for fault in made.broken_before if fault.key in remaining]
    parts: list[RenderableType] = []
    if mended:
        parts += [Text("Broken now, mended by this plan:"), violations(mended)]
    if kept:
        parts += [Text("Broken now and afterwards:"), violations(kept)]
    return Group(*parts)


def risks(action: Action) -> tuple[str, ...]:
    """Return what this move may do to its guest beyond a short pause, one phrase each."""
    slowed = f"begins with auto-converge: {SLOWED}" if action.auto_converge else ""
    storage = f"unsafe storage: {UNSAFE}" if action.unsafe_storage else ""
    disks = f"copies {listed(action.copies)} along: {COPIED}" if action.copies else ""
    cold = COLD if action.cold else ""
    rungs = (f"{rung.kind.value}: {rung.risk}" for rung in action.rungs if rung.risk)
    return tuple(filter(None, (slowed, storage, disks, cold, *rungs)))


def _risks(actions: Sequence[Action]) -> RenderableType:
    """Return what guests may have to bear by the policy's consent, those of the same fate together."""
    found: dict[str, list[str]] = {}
    for action in actions:
        for risk in risks(action):
            found.setdefault(risk, []).append(action.name)
    lines = [
        _labelled(f"  ! {risk} ", f"({listed(names)})", "yellow") for risk, names in found.items()
    ]
    return Group(Text("Allowed by the policy where a guest does not move without it:"), *lines)


def _left(made: Plan) -> str:
    known = [f"{clean(stay.subject)} ({clean(stay.reason)})" for stay in made.left]
    more = f"; {len(known) - SENTENCES:,} more" if len(known) > SENTENCES else ""
    return "; ".join(known[:SENTENCES]) + more


def _labelled(label: str, sentence: str, style: str = "") -> Text:
    return Text.assemble((label, style), sentence)
