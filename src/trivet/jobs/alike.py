"""Recognises one failure that befalls row after row, so that a mistake does not fail a million rows. Pure."""

from __future__ import annotations

import re

from trivet.errors import RepeatedError
from trivet.records import Failure

ROWS_ALIKE = 50
"""So many rows in a row fail alike before the rest is spared."""

_OWN = re.compile(r"""'[^']*'|"[^"]*"|\S*[0-9]\S*""")
"""What a message says of its own row alone: quoted text; places, ids and figures, which have a digit in them."""


class Alike:
    """Counts rows that fail alike without one between them that does not.

    Alike: the same code, and the same message but for quoted text and words with a digit in them.
    """

    def __init__(self, most: int = ROWS_ALIKE) -> None:
        self._most = most
        self._kind: tuple[str, str] | None = None
        self._times = 0

    def add(self, failure: Failure | None) -> RepeatedError | None:
        """The next row's failure, None if it has a result; the error that ends the run, when it is time."""
        kind = None if failure is None else (failure.code, _OWN.sub("#", failure.message))
        self._times = self._times + 1 if kind == self._kind else 1
        self._kind = kind
        if failure is None or self._times < self._most:
            return None
        return RepeatedError(
            f"{self._times} rows in a row failed alike ({failure.code}), the last with: {failure.message}; mend "
            "the cause, or pass --keep-going (keep_going=True) if the rows after them can fare better"
        )
