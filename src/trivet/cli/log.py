"""`--log FILE`: every attempt as one line of JSON. Ids, status, times and tokens; no prompt, answer or key."""

from __future__ import annotations

import logging
from pathlib import Path

from trivet.errors import SettingsError

_FIELDS = (
    "request",
    "key",
    "model",
    "status",
    "error",
    "request_id",
    "latency_s",
    "ttft_s",
    "input_tokens",
    "output_tokens",
    "body_bytes",
)


def log_to(file: Path) -> None:
    """Append the structured log to a file that only its owner can read."""
    import structlog

    try:
        file.touch(mode=0o600)
        handler = logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--log {file}: {error.strerror or error}") from None
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.stdlib.ExtraAdder(_FIELDS),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logger = logging.getLogger("trivet")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
