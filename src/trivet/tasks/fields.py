"""The fields of a request's body: what the task's params, plan and contract each add, put together.

Nothing is lost on the way: where two of them say something about the same field, that is an error.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from trivet.errors import TaskError, UsageError
from trivet.tasks.output import Contract
from trivet.tasks.plan import Plan
from trivet.tasks.where import Origin, located
from trivet.wire.openai_responses import encode

_OWNED = {
    "input": "it is what the prompt becomes",
    "instructions": "write it as the task's instructions",
    "model": "write it as the task's model",
    "stream": "the call decides whether it streams",
}


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both, tables within tables too; where both have a value, that of `over`. Neither is changed."""
    new = dict(base)
    for key, value in over.items():
        below = new.get(key)
        new[key] = (
            merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else copy.deepcopy(value)
        )
    return new


def check_params(params: Mapping[str, Any], contract: Contract, origin: Origin | None = None) -> None:
    """Raise `TaskError` for params that are the task's own business, or that no request can carry."""
    for name, why in _OWNED.items():
        if name in params:
            with located(origin, f"params.{name}"):
                raise TaskError(f"'{name}' can't be one of the params: {why}")
    text = params.get("text")
    if isinstance(text, Mapping) and "format" in text and "format" in contract.fields().get("text", {}):
        with located(origin, "params.text.format"):
            raise TaskError("'text.format' can't be one of the params: it comes from the task's output")
    cap = params.get("max_output_tokens")
    if cap is not None and (not isinstance(cap, int) or isinstance(cap, bool) or cap < 1):
        with located(origin, "params.max_output_tokens"):
            raise TaskError(f"max_output_tokens must be a whole number of at least 1, not {cap!r:.40}")
    for name, value in params.items():
        with located(origin, f"params.{name}"):
            check_encodable({name: value})


def check_encodable(fields: Mapping[str, Any]) -> None:
    """Raise `TaskError` for a field that JSON can't carry."""
    try:
        encode(fields)
    except UsageError as error:
        raise TaskError(str(error)) from None


def assembled(
    params: Mapping[str, Any], plan: Plan, contract: Contract, origin: Origin | None = None
) -> dict[str, Any]:
    """All fields of the body but the model and the row's own text.

    Raises `TaskError` where two of params, plan and contract set the same field.
    """
    sent = _joined(copy.deepcopy(dict(params)), contract.fields(), "the output", origin)
    return _joined(sent, plan.fields(), "the plan", origin)


def yielding(plan: Plan, params: Mapping[str, Any]) -> Plan:
    """The plan without the options that these params set themselves, as those of a call do."""
    effort = _has(params, "reasoning", "effort")
    verbosity = _has(params, "text", "verbosity")
    return Plan(
        model=plan.model,
        effort=None if effort else plan.effort,
        verbosity=None if verbosity else plan.verbosity,
        tier=None if "service_tier" in params else plan.tier,
    )


def _has(params: Mapping[str, Any], table: str, key: str) -> bool:
    inner = params.get(table)
    return isinstance(inner, Mapping) and key in inner


def _joined(
    sent: dict[str, Any], added: Mapping[str, Any], source: str, origin: Origin | None, path: str = ""
) -> dict[str, Any]:
    for name, value in added.items():
        place = f"{path}{name}"
        if name not in sent:
            sent[name] = copy.deepcopy(value)
        elif isinstance(value, Mapping) and isinstance(sent[name], dict):
            _joined(sent[name], value, source, origin, f"{place}.")
        else:
            with located(origin, f"params.{place}"):
                raise TaskError(f"'{place}' is set in the params and by {source}: keep one of them")
    return sent
