"""What the cluster could bear, for people: the answer first, then what stands behind it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from balancer.planner.capacity.asking import Wanted
from balancer.planner.capacity.baseline import Baseline
from balancer.planner.capacity.compat import Row
from balancer.planner.capacity.failures import Failure, Remedy
from balancer.planner.capacity.fit import Fit, Way
from balancer.planner.capacity.shrink import Energy, Shrink
from balancer.planner.capacity.trend import Trend
from balancer.planner.model.evacuation import Verdict
from balancer.planner.model.plan import Plan
from balancer.planner.model.power import DEFAULT_WATTS
from balancer.planner.model.resources import CPU, MEMORY
from balancer.render.plan import moves
from balancer.render.words import clean, count, duration, listed, pad, size

SPELT_OUT: Final = 4
"""Homeless guests of one failure that are named."""
CORE: Final = 1000
GIB: Final = 1024
BARS: Final = "▁▂▃▄▅▆▇█"
NOT_ALL: Final = (
    "Of so large a cluster only the roomiest hosts were asked to make room by moves: "
    "more might find a place after moves than is said."
)
LISTED: Final = 12
"""Moves that make room which are shown."""
WIDEST: Final = 28
"""Cells for a guest's name."""


def fit(asked: str, wanted: Wanted, found: Fit, ways: Sequence[Way], width: int) -> RenderableType:
    """Return how many fit, on which hosts, what binds, and what would let more of them fit."""
    memory = f"{size(wanted.use[MEMORY])} of memory (resident, else balloon or allocated)"
    use = f"{wanted.use[CPU] / CORE:.1f} cores and {memory}"
    parts: list[RenderableType] = [
        Text(f"{_how_many(asked, found)}{_spared(wanted)}", "bold"),
        Text(_how_sure(found), "dim"),
        Text(f"Each is expected to use {use}: as busy as those that run.", "dim"),
    ]
    if wanted.hosts_lost:
        parts.append(Text(_after_a_loss(found), "yellow" if found.stranded else "dim"))
    if found.hosts:
        each = (f"{host} ({number})" for host, number in sorted(found.hosts.items()))
        parts.append(Text(f"Now on {clean(listed(list(each)))}."))
    if found.hot:
        parts.append(Text(f"{clean(listed(found.hot))} would be hot then.", "yellow"))
    if found.moves:
        made, total = found.moves.actions, count(len(found.moves.actions), "move")
        time = duration(found.moves.seconds)
        parts += [
            Text(),
            Text(f"Room is made by {total}, {size(found.moves.mib)}, {time}:", "bold"),
        ]
        parts.append(moves(made[:LISTED], width))
        if len(made) > LISTED:
            parts.append(Text(f"and {len(made) - LISTED} more: all with --format json", "dim"))
    if found.binding:
        parts += [Text(), Text(f"Against one more speak: {_reasons(found.binding)}.")]
    if ways:
        parts += [Text(), Text("Ways to more, each tried:", "bold")]
        parts += [Text(f"  {clean(way.words)}: {way.fit} fit") for way in ways]
    return Group(*parts)


def _how_many(asked: str, found: Fit) -> str:
    many = f"{count(found.after, 'more guest')} of {clean(asked)}{_verb(found.after)}"
    return many if found.after == found.now else f"{many}: {found.now} now, the rest after moves"


def _spared(wanted: Wanted) -> str:
    lost = wanted.hosts_lost
    return f", with {count(lost, 'host')} to be lost afterwards." if lost else "."


def _after_a_loss(found: Fit) -> str:
    if not found.stranded:
        return "Whichever is lost, everybody finds a place, the new ones included."
    return (
        f"Today losses leave {count(found.stranded, 'guest')} without a place in all; "
        "none leaves more then than it does now."
    )


def _how_sure(found: Fit) -> str:
    more = found.at_most - found.after
    if not found.binding:
        return "That is all that was asked for."
    if not more:
        return "Proven: no placement takes more of them."
    if found.unreached:
        return (
            f"Up to {more} more might fit in placements to which no way of live moves was found."
        )
    return f"Not proven to be all: up to {more} more might fit."


def _verb(number: int) -> str:
    return " fits" if number == 1 else " fit"


def name(host: str) -> RenderableType:
    """Return the name of a host, alone."""
    return Text(clean(host))


def nowhere(found: Fit) -> str:
    """Return why no host takes it."""
    if found.after:
        moved = len(found.moves.actions) if found.moves else 0
        return (
            f"no host has room now; {count(moved, 'move')} would make it (balancer capacity fit)"
        )
    return f"no host takes it: {_reasons(found.binding)}"


def failures(found: Sequence[Failure], remedies: Sequence[Remedy], width: int) -> RenderableType:
    """Return a line for each loss, the worst first, and who would be without a place."""
    table = _table(("lost", "guests", "restart", "after moves", "without a place"), width)
    for loss in sorted(found, key=lambda f: (f.after_moves - f.guests, f.restarted - f.guests)):
        style = "" if loss.survived else ("yellow" if not loss.homeless else "bold red")
        later = f"{loss.after_moves} ({count(loss.moves, 'move')})" if loss.moves else ""
        table.add_row(
            clean(loss.lost),
            f"{loss.guests}",
            f"{loss.restarted}",
            later,
            _homeless(loss.homeless),
            style=style,
        )
    survived = sum(f.survived for f in found)
    summary = f"{survived} of {len(found)} losses leave everybody a place."
    if survived == len(found):
        summary = "Whichever is lost, everybody finds a place while nobody else moves."
    parts: list[RenderableType] = [Text(summary, "bold"), table]
    if remedies:
        parts += [Text(), Text("What would help:", "bold")]
    for remedy in remedies:
        parts.append(Text(f"  {clean(remedy.words)} (lost: {clean(listed(remedy.losses))})"))
    if any(not loss.whole for loss in found):
        parts.append(Text(NOT_ALL, "dim"))
    return Group(*parts)


def drains(found: Sequence[Verdict], width: int) -> RenderableType:
    """Return a line for each host: how long it takes to empty it, or what blocks it."""
    table = _table(("host", "guests", "takes", "data", "blocked by"), width)
    for verdict in found:
        made = verdict.decision
        table.add_row(
            clean(verdict.host),
            f"{len(verdict.guests)}",
            duration(verdict.seconds) if verdict.possible else "",
            size(made.mib) if verdict.possible and isinstance(made, Plan) else "",
            _homeless(
                {block.guest: f"{block.reason}; {block.remedy}" for block in verdict.blocked}
            ),
            style="" if verdict.possible else "yellow",
        )
    possible = sum(verdict.possible for verdict in found)
    return Group(
        Text(f"{possible} of {count(len(found), 'host')} can be emptied now.", "bold"), table
    )


def shrink(found: Shrink, width: int) -> RenderableType:
    """Return how few hosts suffice, how far from the least that is, and the moves there."""
    proven = ": no placement needs fewer." if found.needed == found.at_least else "."
    parts: list[RenderableType] = [
        Text(f"{count(found.needed, 'host')} of {found.used} carry what runs{proven}", "bold")
    ]
    if found.needed > found.at_least:
        parts.append(Text(f"By volume alone {found.at_least} might do.", "dim"))
    if found.emptied:
        parts.append(Text(f"Emptied: {clean(listed(list(found.emptied)))}."))
        parts += [Text(), *_energy(found.energy)]
    made = found.decision
    if isinstance(made, Plan) and made.actions:
        parts += [Text(), moves(made.actions[:LISTED], width)]
        if len(made.actions) > LISTED:
            parts.append(
                Text(f"and {len(made.actions) - LISTED} more: all with --format json", "dim")
            )
        total = f"{count(len(made.actions), 'move')}, {size(made.mib)}, {duration(made.seconds)}"
        parts += [Text(), Text(f"{total}; hourly limits of the policy are not counted.", "dim")]
    return Group(*parts)


def _energy(energy: Energy) -> Sequence[RenderableType]:
    """Return what switching the emptied hosts off saves, and what that rests on."""
    saved = (
        f"Switched off they save {energy.saved:,.0f} of {energy.before:,.0f} W: "
        f"{energy.a_day:,.1f} kWh a day, {energy.a_year:,.0f} a year."
    )
    if not energy.assumed:
        return (Text(saved, "bold"),)
    idle, busy = DEFAULT_WATTS[0], DEFAULT_WATTS[-1]
    who = clean(listed(list(energy.assumed)))
    return (
        Text(saved, "bold"),
        Text(
            f"Assumed: {idle} W idle, {busy} W busy of {who}; declare power in hosts.toml.", "dim"
        ),
    )


def trend(found: Sequence[Trend]) -> RenderableType:
    """Return, for each resource, a bar a day, its growth, and when the limit is reached."""
    parts: list[RenderableType] = []
    for line in found:
        unit = "cores" if line.resource == CPU else "GiB"
        per = CORE if line.resource == CPU else GIB
        most = max(*line.days, line.limit, 1)
        bars = "".join(BARS[round((len(BARS) - 1) * day / most)] for day in line.days)
        parts += [
            Text(f"{line.resource}: {_runs_out(line)}", "bold"),
            Text(
                f"  {bars}  {count(len(line.days), 'day')}, a bar each, full at the limit", "dim"
            ),
            Text(
                f"  {line.days[-1] / per:,.1f} of {line.limit / per:,.1f} {unit} on the last day, "
                f"{line.per_day / per:+,.2f} a day"
            ),
        ]
    return Group(*parts)


def _runs_out(line: Trend) -> str:
    if line.likely is None:
        soon = "" if line.soonest is None else f", at the earliest in {line.soonest:,.0f} days"
        return f"does not run out as it looks now{soon}"
    late = "or not at all" if line.latest is None else f"to {line.latest:,.0f}"
    return f"runs out in {line.likely:,.0f} days ({line.soonest or 0:,.0f} {late})"


def _homeless(reasons: Mapping[str, str]) -> str:
    some = [f"{clean(who)}: {clean(why)}" for who, why in list(reasons.items())[:SPELT_OUT]]
    more = len(reasons) - len(some)
    return "\n".join([*some, *([f"and {more} more"] if more else [])])


def _reasons(binding: Mapping[str, int]) -> str:
    return ", ".join(f"{clean(why)} on {count(n, 'host')}" for why, n in binding.items())


def _table(headings: Iterable[str], width: int) -> Table:
    table = Table(box=None, pad_edge=False, width=width, header_style="dim")
    for number, heading in enumerate(headings):
        last = number == 4  # noqa: PLR2004 - the column of words
        right = number in (1, 2, 3)
        table.add_column(heading, justify="right" if right else "left", ratio=1 if last else None)
    return table


def compat(
    rows: Sequence[Row], hosts: Sequence[str], obstacles: Mapping[str, Sequence[str]]
) -> RenderableType:
    """Return the matrix, guests that are alike in one line, and every obstacle with its guests."""
    movable = sum(row.movable for row in rows)
    parts: list[RenderableType] = [
        Text(f"{movable} of {count(len(rows), 'guest')} could move to some other host.", "bold")
    ]
    longest = max((len(clean(host)) for host in hosts), default=0)
    label = max((len(clean(row.guest)) for row in rows), default=0)
    label = min(max(label + 4, 8), WIDEST)
    for height in range(longest):
        heads = "".join(clean(host).rjust(longest)[height] for host in hosts)
        parts.append(Text(f"{'':{label}} {heads}", "dim"))
    alike: dict[str, list[str]] = {}
    for row in rows:
        alike.setdefault("".join(_mark(row, host) for host in hosts), []).append(row.guest)
    for marks, guests in alike.items():
        names = pad(guests[0] if len(guests) == 1 else f"{guests[0]} +{len(guests) - 1}", label)
        line = Text(f"{names} ")
        for mark in marks:
            line.append(mark, {"✓": "green", "●": "bold", "○": "yellow", "·": "dim"}[mark])
        parts.append(line)
    parts.append(
        Text(
            "● runs there   ✓ could   ○ could after what is said below   · could not   +n: n more like it",
            "dim",
        )
    )
    if obstacles:
        parts += [Text(), Text("Against it speak:", "bold")]
    for why, kept in obstacles.items():
        parts.append(Text(f"  {clean(why)}: {clean(listed(list(kept)))}"))
    return Group(*parts)


def processors(found: Sequence[Baseline]) -> RenderableType:
    """Return, by architecture, what all hosts can give, and whom that would free."""
    parts: list[RenderableType] = []
    for one in found:
        head = f"{clean(one.architecture)}, {count(len(one.hosts), 'host')}: "
        whom = (
            f"{clean(listed(list(one.kept)))} would become movable."
            if one.kept
            else ("no guest is kept by its processor.")
        )
        parts.append(Text(head + whom, "bold"))
        if one.xml:
            parts.append(Text("The widest processor that all can give, for their <cpu>:"))
            parts.append(Text("\n".join(clean(line) for line in one.xml.splitlines())))
        elif one.doubt:
            parts.append(
                Text(f"libvirt cannot say which is the widest: {clean(one.doubt)}.", "yellow")
            )
        named = clean(listed(list(one.models), 12)) if one.models else "none"
        parts.append(Text(f"Named models that all offer: {named}.", "dim"))
    return Group(*parts)


def _mark(row: Row, host: str) -> str:
    if host == row.home:
        return "●"
    if row.tied:
        return "·"
    return "✓" if host in row.fits else "○" if host in row.would else "·"
