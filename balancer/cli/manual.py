"""Man pages and completion scripts, made from the commands: `python -m balancer.cli.manual FOLDER`.

What is written there is what packages install; nothing of it is written by hand.
"""

import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click
from click.shell_completion import get_completion_class

from balancer.cli import VERBS, balancer

SHELLS: Final = {"bash": "balancer.bash", "zsh": "_balancer", "fish": "balancer.fish"}
EXIT_CODES: Final = (
    ("0", "done, or nothing to do"),
    ("2", "infeasible, or refused: stale, unsafe, frozen"),
    ("3", "usage, input or environment"),
    ("4", "with --exit-code: the dry run found moves"),
    ("5", "some moves failed or were stopped; a simulation did not keep its promises"),
    ("70", "a fault of ours"),
)
FILES: Final = (
    ("/etc/balancer/config.toml", "how this installation works"),
    ("/usr/share/balancer/policies/", "policies that are shipped"),
    ("/var/lib/balancer/", "journal, status, and what says that the service stopped itself"),
)


def write(folder: Path) -> tuple[Path, ...]:
    """Write every man page and completion script below `folder`; return their paths."""
    texts = {folder / "man1" / "balancer.1": page("balancer", balancer, verbs=True)}
    context = click.Context(balancer, info_name="balancer")
    for name in VERBS:
        command = balancer.get_command(context, name)
        assert command is not None  # noqa: S101 - every verb has its command
        texts[folder / "man1" / f"balancer-{name}.1"] = page(f"balancer-{name}", command)
    for shell, file in SHELLS.items():
        completion = get_completion_class(shell)
        assert completion is not None  # noqa: S101 - click knows these three
        source = completion(balancer, {}, "balancer", "_BALANCER_COMPLETE").source()
        texts[folder / "completions" / file] = source
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tuple(texts)


def page(name: str, command: click.Command, *, verbs: bool = False) -> str:
    """Return the man page of one command, as roff."""
    return "\n".join(_page(name, command, verbs=verbs)) + "\n"


def _page(name: str, command: click.Command, *, verbs: bool) -> Iterator[str]:
    context = click.Context(command, info_name=name.replace("-", " ", 1))
    paragraphs = [" ".join(p.split()) for p in (command.help or "").split("\n\n")]
    about = VERBS[name.partition("-")[2]].about if "-" in name else paragraphs[0]
    usage = " ".join(command.collect_usage_pieces(context))
    yield f'.TH {name.upper()} 1 "" "balancer {version("balancer")}" "balancer"'
    yield from (".SH NAME", f"{_roff(name)} \\- {_roff(about.rstrip('.'))}")
    yield from (".SH SYNOPSIS", f".B {_roff(context.command_path)}", _roff(usage))
    yield ".SH DESCRIPTION"
    for paragraph in paragraphs:
        yield from (".PP", _roff(paragraph))
    records = (parameter.get_help_record(context) for parameter in command.get_params(context))
    yield from _list("OPTIONS", [record for record in records if record])
    if isinstance(command, click.Group) and not verbs:
        for sub in command.commands.values():
            yield from _section(context, sub)
    if verbs:
        yield from _list("VERBS", [(f"balancer-{v}(1)", k.about) for v, k in VERBS.items()])
    yield from _list("EXIT STATUS", EXIT_CODES)
    yield from _list("FILES", FILES)
    if not verbs:
        yield from (".SH SEE ALSO", ".BR balancer (1)")


def _section(parent: click.Context, command: click.Command) -> Iterator[str]:
    """Yield what one verb of a group does, with its own options."""
    context = click.Context(command, info_name=command.name, parent=parent)
    yield f".SH {_roff(context.command_path.upper())}"
    yield from (".PP", _roff(" ".join(command.collect_usage_pieces(context))))
    for paragraph in (command.help or "").split("\n\n"):
        yield from (".PP", _roff(" ".join(paragraph.split())))
    records = (parameter.get_help_record(context) for parameter in command.get_params(context))
    yield from _list("", [record for record in records if record])


def _list(title: str, rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    if title:
        yield f".SH {title}"
    for key, meaning in rows:
        yield from (".TP", f".B {_roff(key)}", _roff(meaning))


def _roff(text: str) -> str:
    r"""Return `text` with what roff would take for its own escaped.

    A backslash, a hyphen (else typeset as a dash), a dot or an apostrophe that begins a line.
    """
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    write(Path(sys.argv[1]))
