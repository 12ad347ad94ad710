"""Where a text or a setting of a task stands, so that a message can name the file and the line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from msgspec import Struct

from trivet.errors import TaskError


class Where(Struct, frozen=True, kw_only=True):
    """Where a template stands: `what` it is, and in a file the line it begins at.

    `exact`: its lines are those of the file, one to one; else `line` is only where its key stands.
    """

    what: str = "prompt"
    file: str | None = None
    line: int | None = None
    exact: bool = False

    def at(self, line: int) -> str:
        """The place of the template's own line (from 1): "triage.toml:7", or "line 2"."""
        if self.file is None:
            return f"line {line}"
        if self.line is None:
            return f"{self.file}, line {line} of the {self.what}"
        if self.exact:
            return f"{self.file}:{self.line + line - 1}"
        return f"{self.file}:{self.line}"


class Origin(Struct, frozen=True, kw_only=True):
    """The file a task was read from: the line of each key, by its dotted path.

    `texts`: the line of the file at which the value of a key begins, where its lines are those of the file.
    """

    file: str
    lines: Mapping[str, int] = {}
    texts: Mapping[str, int] = {}

    def place(self, key: str) -> str:
        """Where a key stands ("triage.toml:14"): its line, or that of the nearest table around it."""
        while key and key not in self.lines:
            key = key.rpartition(".")[0]
        return f"{self.file}:{self.lines[key]}" if key else self.file

    def where(self, key: str) -> Where:
        """Where the template under this key stands."""
        exact = self.texts.get(key)
        return Where(what=key, file=self.file, line=exact or self.lines.get(key), exact=exact is not None)

    def without(self, *keys: str) -> Origin:
        """The same without what was said of these keys and what is below them: they were changed since."""
        return Origin(
            file=self.file,
            lines={key: line for key, line in self.lines.items() if key.partition(".")[0] not in keys},
            texts={key: line for key, line in self.texts.items() if key.partition(".")[0] not in keys},
        )


@contextmanager
def located(origin: Origin | None, key: str) -> Iterator[None]:
    """Put the place of the key before the message of a `TaskError` raised inside."""
    try:
        yield
    except TaskError as error:
        if origin is None or str(error).startswith(f"{origin.file}:"):
            raise
        raise TaskError(f"{origin.place(key)}: {error}") from None
