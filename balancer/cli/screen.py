"""Where a verb says its answer: lines for people, or one JSON document for programs."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from rich.console import RenderableType
from rich.progress import Progress
from rich.text import Text

from balancer import codec
from balancer.cli import logs
from balancer.cli.options import Session
from balancer.render.screen import console
from balancer.render.words import clean


class Screen:
    """Answers go to stdout; where that carries a document, everything else goes to stderr."""

    def __init__(self, session: Session) -> None:
        self.json = session.json
        self.quiet = session.quiet
        self.out = console(sys.stdout)
        self.people = console(sys.stderr) if session.json else self.out
        self._err = console(sys.stderr)
        logs.configure(session.verbose)

    def show(self, answer: RenderableType) -> None:
        """Show an answer to people; programs get theirs by `document`."""
        if not self.json:
            self.out.print(answer)

    def document(self, kind: str, **content: object) -> None:
        """Write one versioned JSON document if a program reads the answer."""
        told = {
            "format": f"balancer-{kind}/1",
            **{k: codec.as_data(v) for k, v in content.items()},
        }
        self.text(codec.visible(json.dumps(told, ensure_ascii=False, indent=1)) + "\n")

    def text(self, document: str) -> None:
        """Write a finished document if a program reads the answer."""
        if self.json:
            sys.stdout.write(document)

    def hint(self, sentence: str) -> None:
        """Say what may be done next, to people only."""
        if not self.quiet:
            self.show(Text(sentence, "dim"))

    def warn(self, sentences: Iterable[str]) -> None:
        """Say what the answer should not be read without, on stderr."""
        for sentence in sentences:
            self._err.print(Text(f"warning: {clean(sentence)}", "yellow"))

    def busy(self, doing: str) -> AbstractContextManager[object]:
        """Show that something goes on, where somebody watches."""
        if self.quiet or not self._err.is_terminal:
            return nullcontext()
        return self._err.status(Text(clean(doing)))

    @contextmanager
    def progress(self, doing: str, of: int) -> Iterator[Callable[[], None]]:
        """Show a bar, where somebody watches; call what is given once for each of `of` parts."""
        with Progress(console=self._err, disable=self.quiet or not self._err.is_terminal) as bar:
            task = bar.add_task(clean(doing), total=of)
            yield lambda: bar.advance(task)

    def save(self, path: Path, document: str) -> None:
        """Write a document to a file. Raises UsageError."""
        codec.write_atomically(path, document)
        self.hint(f"Saved to {clean(str(path))}.")
