"""Tokens of the constant part of a prompt: what every row is billed for, whatever its columns hold."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trivet import tokens
from trivet.linting.mask import BLOCK, FIELD, is_labels

_JOINED = re.compile(r"\{\{-?\s*labels\s*\|\s*join\(\s*(['\"])(?P<by>.*?)\1\s*\)\s*-?\}\}")


GAP = "\U0010ffff"
"""Stands for what differs from row to row; no character, so that no text has it."""


class Meter:
    """Counts constant tokens; a placeholder is none, except for the task's labels, which are always the same."""

    def __init__(self, labels: Sequence[str] | None) -> None:
        self._labels = labels
        self._counted: dict[str, int] = {}

    def constant(self, text: str) -> str:
        """The text with the labels written out and `GAP` for each placeholder that differs from row to row."""

        def written(found: re.Match[str]) -> str:
            if self._labels is None or not is_labels(found.group()):
                return GAP
            joined = _JOINED.fullmatch(found.group())
            return (joined["by"] if joined else ", ").join(self._labels)

        return FIELD.sub(written, BLOCK.sub("", text))

    def count(self, text: str) -> int:
        """Tokens of the text but for its placeholders."""
        if text not in self._counted:
            self._counted[text] = sum(tokens.count(piece) for piece in self.constant(text).split(GAP) if piece)
        return self._counted[text]
