"""Standard output and standard error: the only place that writes to them."""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from trivet.wording import plain


def say(text: str = "") -> None:
    """A line for people, on standard output."""
    sys.stdout.write(plain(text) + "\n")


def note(text: str) -> None:
    """A line about what is going on, on standard error."""
    sys.stderr.write(plain(text) + "\n")
    sys.stderr.flush()


def document(value: Any) -> None:
    """The one JSON document of `--json`."""
    sys.stdout.write(_json.encode(value).decode() + "\n")


_json = msgspec.json.Encoder(decimal_format="number")
