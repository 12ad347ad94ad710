"""What the layers write down beside each attempt: retries, pauses, and what was learned of the limits.

Records of the logger `trivet.engine`: names, codes, seconds and counts; never a prompt, an answer or a key. A
record that nobody asked for costs one look at the logger's level.
"""

from __future__ import annotations

import logging

from trivet.errors import RequestError
from trivet.types import Request

_log = logging.getLogger("trivet.engine")

NEWS = 1.0
"""Seconds by which a pause must grow to be told again: a thousand refusals at once are one pause."""


def retry(request: Request, error: RequestError, delay: float) -> None:
    """A request will be sent again."""
    if _log.isEnabledFor(logging.DEBUG):
        _log.debug(
            "retry",
            extra={
                "request": request.label,
                "key": request.key.hex()[:16],
                "model": request.model,
                "error": error.code,
                "delay_s": round(delay, 3),
            },
        )


def pause(model: str, error: RequestError, before: float, after: float) -> None:
    """A refusal made every request of the model wait, for `after` seconds instead of `before`."""
    if after > before + NEWS or (after > 0 and not before):
        _log.info("pause", extra={"model": model, "error": error.code, "pause_s": round(after, 3)})


def limits(model: str, requests: float | None, tokens: float | None) -> None:
    """The provider told a limit for the first time, or another one than before; both a minute."""
    _log.info("limit", extra={"model": model, "limit_requests": requests, "limit_tokens": tokens})


def concurrency(at_once: int) -> None:
    """As many requests at once are allowed from now on, where the server tells no limits."""
    if _log.isEnabledFor(logging.DEBUG):
        _log.debug("concurrency", extra={"concurrency": at_once})
