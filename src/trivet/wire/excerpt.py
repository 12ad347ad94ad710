"""Foreign text made fit for an error message: no control characters, no keys, no great length."""

from __future__ import annotations

import re

_SECRETS = re.compile(
    r"\b(?:sk|gsk|csk|pk|rk|xai|nvapi|hf|pplx|fw|tgp)[-_][\w*\-]{3,}"  # keys as providers shape them
    r"|\bAIza[\w\-]{10,}|\beyJ[\w\-]{6,}(?:\.[\w\-]+)*"
    r"|(?<!\w)[A-Za-z0-9]{32,}(?!\w)"  # an unprefixed key; ids such as resp_... are told by their underscore
)
_NAMED_SECRETS = re.compile(
    r"""((?:api|access|secret)[ _-]?(?:key|token)[^:=\n]{0,24}[:=]\s*["'`]?|\bbearer\s+(?!token|auth))"""
    r"""[^\s"'`,;}]+""",
    re.IGNORECASE,
)


def clean(text: str, limit: int) -> str:
    """One printable line of at most `limit` characters, with whatever looks like an API key masked."""
    line = "".join(char if char.isprintable() else " " for char in text[: 8 * limit])
    line = _SECRETS.sub("***", _NAMED_SECRETS.sub(r"\1***", " ".join(line.split())))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def excerpt(body: bytes, limit: int = 80) -> str:
    """The beginning of a body, in quotes, for a message that says what came instead of the expected."""
    return f"'{clean(body[: 8 * limit].decode('utf-8', 'replace'), limit)}'"
