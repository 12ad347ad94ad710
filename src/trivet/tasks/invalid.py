"""The error of an answer that breaks its contract."""

from __future__ import annotations

from trivet.errors import AnswerError

SHOWN = 80
"""Characters of an answer that a message shows."""


def invalid(expected: str, text: str) -> AnswerError:
    """An `AnswerError` with the code `invalid_output`: what was expected, and how the answer starts.

    The text is shown as Python writes a string, so that control and direction characters in it are harmless.
    """
    came = f"starts {text[:SHOWN]!r}" if len(text) > SHOWN else f"is {text!r}"
    return AnswerError(f"expected {expected}, but the answer {came}", code="invalid_output")
