"""Free text, within bounds where some are asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from trivet.errors import TaskError
from trivet.tasks.invalid import invalid
from trivet.tasks.sentences import sentences

_BULLET = re.compile(r"\s*(?:[-*+·–—]\s|[•‣◦▪]|\d{1,3}[.)]\s)\s*(?=\S)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The answer is text. Without bounds it is taken as it came, else without white space around it.

    `sentences`, `bullets`: exactly so many (bullets: one a line, and nothing else). `max_words`: of each
    bullet, or else of the whole text; a word is what white space sets apart. `max_chars`: of the whole text.
    The bounds are checked, not sent: the prompt asks for them. Raises `TaskError` for senseless bounds.
    """

    sentences: int | None = None
    bullets: int | None = None
    max_words: int | None = None
    max_chars: int | None = None

    def __post_init__(self) -> None:
        for name, value in self._bounds().items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise TaskError(f"{name} must be a whole number of at least 1, not {value!r:.40}")
        if self.sentences is not None and self.bullets is not None:
            raise TaskError("text has either sentences or bullets, not both: leave one out")

    @property
    def labels(self) -> None:
        """Free text has no labels."""

    def fields(self) -> dict[str, Any]:
        """Nothing: the bounds are asked for in the prompt's words."""
        return {}

    def parse(self, text: str) -> str:
        """The text; raises `AnswerError` where it breaks a bound."""
        if not self._bounds():
            return text
        text = text.strip()
        if self.max_chars is not None and len(text) > self.max_chars:
            raise invalid(f"at most {self.max_chars:,} characters and not {len(text):,}", text)
        if self.sentences is not None:
            fewest, most = sentences(text)
            if not fewest <= self.sentences <= most:
                came = str(fewest) if fewest == most else f"{fewest} to {most}"
                raise invalid(f"{_many(self.sentences, 'sentence')} and not {came}", text)
        if self.bullets is None:
            self._check_words(text, text, "")
            return text
        found = _bullets(text)
        if found is None:
            raise invalid(f"{_many(self.bullets, 'bullet')} and nothing else", text)
        if len(found) != self.bullets:
            raise invalid(f"{_many(self.bullets, 'bullet')} and not {len(found)}", text)
        for number, bullet in enumerate(found, 1):
            self._check_words(bullet, text, f" in bullet {number}")
        return text

    def describe(self) -> dict[str, Any]:
        """What the bounds are, for the task's digest."""
        return {"text": self._bounds()}

    def _check_words(self, part: str, text: str, where: str) -> None:
        if self.max_words is not None and (words := len(part.split())) > self.max_words:
            raise invalid(f"at most {_many(self.max_words, 'word')}{where} and not {words:,}", text)

    def _bounds(self) -> dict[str, int]:
        bounds = {
            "sentences": self.sentences,
            "bullets": self.bullets,
            "max_words": self.max_words,
            "max_chars": self.max_chars,
        }
        return {name: value for name, value in bounds.items() if value is not None}


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _bullets(text: str) -> list[str] | None:
    """The bullets without marks; an indented line goes on with the one above. None: there is other text."""
    found: list[str] = []
    for line in text.splitlines():
        if mark := _BULLET.match(line):
            found.append(line[mark.end() :])
        elif not line.strip():
            continue
        elif found and line[0].isspace():
            found[-1] += " " + line.strip()
        else:
            return None
    return found
