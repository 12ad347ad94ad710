"""How a task is carried out: the model, and what it is told about effort, verbosity and tier."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from trivet.errors import TaskError
from trivet.tasks.near import did_you_mean

DEFAULT_MODEL = "gpt-5.4-mini"

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
VERBOSITIES = ("low", "medium", "high")
TIERS = {"standard": "default", "flex": "flex", "fast": "fast"}
"""The tiers, and the `service_tier` that each stands for (source: the provider's documentation)."""

_REFUSED: dict[str, tuple[str, ...]] = {
    "gpt-6-luna": ("minimal",),
    "gpt-6-sol": ("minimal",),
    "gpt-6-astra": ("none",),
    "gpt-6.1-sol": ("none", "minimal"),
    "gpt-6.2-sol": ("none", "minimal"),
    "gpt-6.2-astra": ("none", "minimal"),
    "gpt-5.6": ("minimal",),
    "gpt-5.6-sol": ("minimal",),
    "gpt-5.6-terra": ("minimal",),
    "gpt-5.6-luna": ("minimal",),
    "gpt-5.4-mini": ("minimal", "max"),
    "gpt-5.4-nano": ("minimal", "max"),
    "gpt-5.4-pro": ("none", "minimal", "low", "max"),
}
"""Efforts that a model is known to refuse (source: the provider's model pages, November 2026)."""

_LATER = ("pack", "cascade", "via", "fit")
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The options of a plan; None leaves it to the provider. Raises `TaskError` for a value it can't have."""

    model: str | None = None
    effort: str | None = None
    verbosity: str | None = None
    tier: str | None = None

    def __post_init__(self) -> None:
        if self.model is not None:
            check_model(self.model)
        if self.tier == "batch":
            raise TaskError("tier 'batch' is not available in this version: use 'flex', at the same price")
        _one_of("effort", self.effort, EFFORTS)
        _one_of("verbosity", self.verbosity, VERBOSITIES)
        _one_of("tier", self.tier, TIERS)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Plan:
        """A plan from a mapping of options; raises `TaskError` for one that is not known."""
        known = [field.name for field in fields(cls)]
        for name in options:
            if name in _LATER:
                raise TaskError(f"the plan's option '{name}' is not available in this version: leave it out")
            if name not in known:
                near = did_you_mean(str(name), known)
                raise TaskError(f"unknown option '{name}' of a plan{near}: it has {', '.join(known)}")
        return cls(**options)

    def fields(self) -> dict[str, Any]:
        """What the plan adds to the body of a request, its model apart."""
        sent: dict[str, Any] = {}
        if self.effort is not None:
            sent["reasoning"] = {"effort": self.effort}
        if self.verbosity is not None:
            sent["text"] = {"verbosity": self.verbosity}
        if self.tier is not None:
            sent["service_tier"] = TIERS[self.tier]
        return sent


def check_model(model: object) -> None:
    """Raise `TaskError` where this can't be a model's name."""
    if not isinstance(model, str) or not model or model != model.strip():
        raise TaskError(f"model must be the name of a model, not {model!r:.80}")


def check_effort(model: str, effort: object) -> None:
    """Raise `TaskError` where the model is known to refuse the effort; models not known here take any."""
    refused = _REFUSED.get(_DATED.sub("", model), ())
    if effort in refused:
        taken = [each for each in EFFORTS if each not in refused and each != "minimal"]
        raise TaskError(f"{model} does not take the effort '{effort}': use one of {', '.join(taken)}")


def _one_of(name: str, value: object, known: Mapping[str, str] | tuple[str, ...]) -> None:
    if value is not None and value not in tuple(known):
        near = did_you_mean(value, known) if isinstance(value, str) else ""
        raise TaskError(f"{name} must be one of {', '.join(known)}, not {value!r:.80}{near}")
