"""What a run writes down of itself, on the logger `trivet.runs`: how it begins, why it stops, how it ends."""

from __future__ import annotations

import logging

from trivet.errors import TrivetError
from trivet.summary import Summary

_log = logging.getLogger("trivet.runs")


def begins(run: str, *, task: str, model: str, provider: str, resumed: bool, finished_before: int, lost: int) -> None:
    """A run has its folder; `lost`: calls that an earlier process left in flight."""
    _log.info(
        "run begins",
        extra={
            "run": run,
            "task": task,
            "model": model,
            "provider": provider,
            "resumed": resumed,
            "finished_before": finished_before,
            "possibly_billed": lost,
        },
    )


def stops(reason: Exception | None) -> None:
    """Nothing more is sent: because of an error, by its code, or because somebody asked for it."""
    code = None if reason is None else reason.code if isinstance(reason, TrivetError) else type(reason).__name__
    _log.info("run stops", extra={"error": code})


def ends(summary: Summary) -> None:
    """All that will be written is written."""
    _log.info(
        "run ends",
        extra={
            "run": summary.run,
            "rows": summary.rows,
            "ok": summary.ok,
            "failed": summary.failed,
            "wall_s": round(summary.wall_s, 3),
            "cost_usd": summary.cost_usd,
            "possibly_billed": summary.possibly_billed,
            "interrupted": summary.interrupted,
        },
    )
