"""The verdict on emptying a host, before anything moves."""

from rich.console import Group, RenderableType
from rich.text import Text

from balancer.planner.model.evacuation import Verdict
from balancer.render.words import clean, count, duration, listed


def verdict(found: Verdict) -> RenderableType:
    """Return whether the host can be emptied, how long it takes, and the remedy for each block."""
    host, guests = clean(found.host), count(len(found.guests), "guest")
    if not found.guests:
        return Text(f"{host} is empty.", "bold")
    if found.possible:
        text = Text(f"{host} can be emptied: {guests}, about {duration(found.seconds)}.", "bold")
        if found.shut_down:
            text.append(f" Shut down at the end: {listed(found.shut_down)}.", "yellow")
        return text
    stay = len(found.blocked)
    lines = [Text(f"{host} cannot be emptied: {stay} of {guests} cannot leave.", "bold red")]
    for block in found.blocked:
        line = Text("✗ ", "bold red").append(clean(block.guest), "bold")
        lines.append(line.append(f"  {clean(block.reason)}; {clean(block.remedy)}", "default"))
    if found.shut_down:
        lines.append(Text(f"Shut down at the end: {listed(found.shut_down)}.", "yellow"))
    return Group(*lines)
