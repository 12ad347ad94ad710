"""`--log FILE`: what happens, a line of JSON each. Ids, codes, times and counts; no prompt, answer or key."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from trivet.errors import MachineError, SettingsError

_FIELDS = frozenset(
    (
        *("request", "key", "model", "status", "error", "request_id", "latency_s", "ttft_s"),
        *("input_tokens", "output_tokens", "body_bytes"),
        *("delay_s", "pause_s", "limit_requests", "limit_tokens", "concurrency"),
        *("run", "task", "provider", "resumed", "finished_before", "possibly_billed"),
        *("rows", "ok", "failed", "wall_s", "cost_usd", "interrupted"),
    )
)
"""Whatever else a record carries stays out of the file."""


class JsonLines(logging.Formatter):
    """A record as JSON: event, level, logger, timestamp, and those of its fields that are known to be harmless."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields: dict[str, Any] = {
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": datetime.fromtimestamp(record.created, UTC),
        }
        fields.update((name, value) for name, value in record.__dict__.items() if name in _FIELDS)
        return _encode(fields).decode()


_encode = msgspec.json.Encoder(decimal_format="number").encode


class LogFile(logging.FileHandler):
    """Tells `on_failure`, once and from any thread, when a line can't be written; nobody asked for half a log."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, encoding="utf-8")
        self.on_failure: Callable[[MachineError], object] | None = None
        self._failed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        if not self._failed:
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base class names it
        """What the base class calls when that fails; its own way is a traceback for each line."""
        error = sys.exc_info()[1]
        self._failed = True
        reason = error.strerror if isinstance(error, OSError) else None
        if self.on_failure is not None:
            self.on_failure(MachineError(f"--log {self.baseFilename} can't be written: {reason or error}; make room"))

    def close(self) -> None:
        """Let go of the file; what it did not take is lost, and was told."""
        with suppress(OSError):
            super().close()


def log_to(file: Path) -> LogFile:
    """Append the structured log to a file that only its owner can read."""
    try:
        file.touch(mode=0o600)
        handler = LogFile(file)
    except OSError as error:
        raise SettingsError(f"--log {file}: {error.strerror or error}") from None
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("trivet")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    return handler
