"""How actions ended."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from balancer.planner.model.plan import Outcome, Result
from balancer.render.words import clean, count, duration, pad, size

WORD = {
    Result.DONE: "done",
    Result.FAILED: "failed",
    Result.ABORTED: "aborted",
    Result.STALLED: "stalled",
    Result.REFUSED: "not started",
    Result.LOST: "LOST",
}


def outcome(ended: Outcome, name_width: int = 0) -> Text:
    """Return how one action ended, in one line that says what was measured or why it failed."""
    action = ended.action
    good = ended.result is Result.DONE
    line = Text("✓ " if good else "✗ ", "green" if good else "bold red")
    line.append(pad(action.name, name_width) if name_width else clean(action.name))
    line.append(f"  {clean(action.source)} → {clean(action.target)}  {WORD[ended.result]}")
    line.append(_measured(ended) if good else _why(ended))
    for sentence in ended.left_behind:
        line.append(f"\n  ! {clean(sentence)}", "yellow")
    return line


def outcomes(ended: Sequence[Outcome]) -> RenderableType:
    """Return every outcome that is not simply done, and one closing sentence."""
    troubled = [o for o in ended if o.result is not Result.DONE or o.left_behind]
    return Group(*(outcome(o) for o in troubled), Text(closing(ended), "bold"))


def closing(ended: Sequence[Outcome]) -> str:
    """Return what came of the whole plan."""
    done = [o for o in ended if o.result is Result.DONE]
    moved = size(sum(o.mib for o in done))
    if not ended:
        return "Nothing was moved."
    span = duration(max(o.ended for o in ended) - min(o.started for o in ended))
    if len(done) == len(ended):
        return f"{count(len(done), 'move')} done in {span}, {moved} sent."
    rest = {word: sum(o.result is result for o in ended) for result, word in WORD.items()}
    others = ", ".join(f"{n} {word}" for word, n in rest.items() if n and word != "done")
    return f"{len(done)} of {count(len(ended), 'move')} done in {span}; {others}."


def _measured(ended: Outcome) -> str:
    took = f" {duration(ended.ended - ended.started)}"
    promised = f" (promised {duration(ended.action.predicted.seconds)})"
    pause = "" if ended.downtime_ms is None else f", pause {ended.downtime_ms} ms"
    return f"{took}{promised}{pause}, {size(ended.mib)}"


def _why(ended: Outcome) -> str:
    return f": {clean(ended.reason)}" if ended.reason else ""
