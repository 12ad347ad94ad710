"""`--log FILE`: what happens, a line of JSON each. Ids, codes, times and counts; no prompt, answer or key."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from trivet.errors import SettingsError

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


def log_to(file: Path) -> None:
    """Append the structured log to a file that only its owner can read."""
    try:
        file.touch(mode=0o600)
        handler = logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--log {file}: {error.strerror or error}") from None
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("trivet")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
