"""`--log FILE`: every attempt as one line of JSON. Ids, status, times and tokens; no prompt, answer or key."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from trivet.errors import MachineError, SettingsError

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
    import structlog

    try:
        file.touch(mode=0o600)
        handler = LogFile(file)
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
    return handler
