"""trivet: cut your LLM bill, and prove the answers did not get worse.

Importing this package does nothing but define names; each is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trivet import errors as errors
    from trivet import sim as sim
    from trivet.client.blocking import Client as Client
    from trivet.client.client import AsyncClient as AsyncClient
    from trivet.client.run import AsyncRun as AsyncRun
    from trivet.client.run import Run as Run
    from trivet.comparison.compare import compare as compare
    from trivet.comparison.result import Comparison as Comparison
    from trivet.engine.limit import Limits as Limits
    from trivet.explanation.explain import explain as explain
    from trivet.explanation.result import Explanation as Explanation
    from trivet.jobs.runner import Result as Result
    from trivet.linting.lint import lint as lint
    from trivet.reporting.report import report as report
    from trivet.summary import Summary as Summary
    from trivet.tasks.labels import Labels as Labels
    from trivet.tasks.schema import Schema as Schema
    from trivet.tasks.task import Task as Task
    from trivet.tasks.text import Text as Text
    from trivet.types import Event as Event
    from trivet.types import Reply as Reply
    from trivet.types import Usage as Usage

__version__ = "0.1.0"

_HOMES = {
    "AsyncClient": "trivet.client.client",
    "AsyncRun": "trivet.client.run",
    "Client": "trivet.client.blocking",
    "Comparison": "trivet.comparison.result",
    "Event": "trivet.types",
    "Explanation": "trivet.explanation.result",
    "Labels": "trivet.tasks.labels",
    "Limits": "trivet.engine.limit",
    "Reply": "trivet.types",
    "Result": "trivet.jobs.runner",
    "Run": "trivet.client.run",
    "Schema": "trivet.tasks.schema",
    "Summary": "trivet.summary",
    "Task": "trivet.tasks.task",
    "Text": "trivet.tasks.text",
    "Usage": "trivet.types",
    "compare": "trivet.comparison.compare",
    "explain": "trivet.explanation.explain",
    "lint": "trivet.linting.lint",
    "report": "trivet.reporting.report",
}
_ROOMS = ("errors", "sim")

__all__ = [
    "AsyncClient",
    "AsyncRun",
    "Client",
    "Comparison",
    "Event",
    "Explanation",
    "Labels",
    "Limits",
    "Reply",
    "Result",
    "Run",
    "Schema",
    "Summary",
    "Task",
    "Text",
    "Usage",
    "compare",
    "errors",
    "explain",
    "lint",
    "report",
    "sim",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"trivet.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'trivet' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
