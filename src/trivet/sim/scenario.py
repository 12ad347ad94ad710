"""What a simulated provider is like: every knob, validated when it is set."""

from __future__ import annotations

import difflib
import hashlib
import math
from collections.abc import Mapping
from typing import Any, Literal, Self, get_args, get_type_hints

import msgspec
from msgspec import Struct

from trivet.errors import SettingsError

VERSION = 1
"""Of the simulator's answers: raised when the same request would be answered otherwise."""

Refill = Literal["continuous", "window"]


def _between(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not (math.isfinite(value) and low <= value <= high):
        raise SettingsError(f"{name} is {value}; it must be between {low:g} and {high:g}")


class Faults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong, each as a share of the requests (0 to 1); at most one of them befalls a request."""

    rate_limit: float = 0.0  # 429 rate_limit_exceeded, though the limit is not reached
    slow_down: float = 0.0  # 429 slow_down
    quota: float = 0.0  # 429 insufficient_quota, of one of its four codes
    flex_unavailable: float = 0.0  # 429 Resource Unavailable, of requests for the flex tier only
    server_error: float = 0.0  # 500
    overloaded: float = 0.0  # 503 server_is_overloaded
    bad_gateway: float = 0.0  # 502 with a page of HTML
    reset: float = 0.0  # the connection is reset before any byte
    cut: float = 0.0  # the connection ends in the middle of the body or stream
    hang: float = 0.0  # accepted, never answered
    slow: float = 0.0  # the reply dribbles in a few bytes at a time
    html: float = 0.0  # status 200 with a page of HTML
    malformed: float = 0.0  # status 200 with JSON that breaks off
    empty_body: float = 0.0  # status 200 without a body
    empty_text: float = 0.0  # a completed answer without text
    failed: float = 0.0  # status "failed" in a 200 body
    refusal: float = 0.0  # the model refuses
    content_filter: float = 0.0  # incomplete, reason content_filter
    truncated: float = 0.0  # incomplete, reason max_output_tokens

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            _between(f"faults.{name}", getattr(self, name), 0, 1)
        if sum(getattr(self, name) for name in self.__struct_fields__) > 1 + 1e-9:
            raise SettingsError("the shares under faults add up to more than 1; lower some of them")


class Latency(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Overrides of the models' own speeds: median TTFT in seconds, output tokens a second, spread.

    `spread` is the standard deviation of the logarithm, of both; 0 makes every reply take the median.
    """

    ttft: float | None = None
    tokens_per_s: float | None = None
    spread: float | None = None

    def __post_init__(self) -> None:
        _between("latency.ttft", self.ttft, 0, 3600)
        _between("latency.spread", self.spread, 0, 3)
        if self.tokens_per_s is not None:
            _between("latency.tokens_per_s", self.tokens_per_s, 0.001, 1e12)


class Scenario(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A simulated provider and account.

    `tier`: usage tier 1 to 5 with the published limits of each model; `rpm` and `tpm` replace them for every
    model; none of the three: no limit. `refill`: the limit comes back continuously, or all at once at the end
    of a window; `burst_s`: seconds' worth of the limit that may be used at once (and the window's length).
    `stranger`: share of the limit that someone else on the same key uses up. `refused_count`: a refused
    request uses up the limit like any other, as documented. `ramp_from`: input tokens a minute from where
    traffic may grow by half in 15 minutes at most (None: no such rule). `retry_after_ms`: refusals carry that
    header too. `time_scale`: multiplies every duration of the model; 0 answers at once. `noise`: share of
    label answers that differ between attempts. `null`: the fixed tiny answer, at once, for calibration.
    """

    seed: int = 0
    tier: int | None = None
    rpm: int | None = None
    tpm: int | None = None
    refill: Refill = "continuous"
    burst_s: float = 60.0
    stranger: float = 0.0
    refused_count: bool = True
    ramp_from: int | None = None
    retry_after_ms: bool = False
    time_scale: float = 1.0
    noise: float = 0.0
    null: bool = False
    latency: Latency = Latency()
    faults: Faults = Faults()

    def __post_init__(self) -> None:
        _between("tier", self.tier, 1, 5)
        _between("rpm", self.rpm, 1, 10**9)
        _between("tpm", self.tpm, 1, 10**12)
        _between("burst_s", self.burst_s, 0.01, 3600)
        _between("stranger", self.stranger, 0, 0.99)
        _between("ramp_from", self.ramp_from, 1, 10**12)
        _between("time_scale", self.time_scale, 0, 1000)
        _between("noise", self.noise, 0, 1)
        if not -(2**63) <= self.seed < 2**63:
            raise SettingsError(f"seed is {self.seed}; it must fit in 64 bits")
        if self.refill not in get_args(Refill):
            raise SettingsError(f"refill is {self.refill!r}; it is one of continuous, window")

    @classmethod
    def parse(cls, options: Mapping[str, str]) -> Self:
        """From strings by dotted name, `{"tier": "1", "faults.reset": "0.1"}`; SettingsError when wrong."""
        tree: dict[str, Any] = {}
        for name, text in options.items():
            kind = _kind_of(cls, name)
            branch = tree
            *path, leaf = name.split(".")
            for step in path:
                branch = branch.setdefault(step, {})
            branch[leaf] = _value(name, text, kind)
        return msgspec.convert(tree, cls)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """From the JSON of `to_json`; SettingsError when it is not a scenario."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.MsgspecError as error:
            raise SettingsError(f"not a scenario of the simulator: {error}") from None

    def to_json(self) -> str:
        """One JSON object holding every knob."""
        return msgspec.json.encode(self).decode()

    def identity(self) -> str:
        """Names what the answers depend on: `<digest>; seed=<n>; version=<n>`. Part of a cache's keys."""
        digest = hashlib.sha256(self.to_json().encode()).hexdigest()[:12]
        return f"{digest}; seed={self.seed}; version={VERSION}"


def _kind_of(cls: type[Struct], name: str) -> Any:
    known: dict[str, Any] = {}
    for field, kind in get_type_hints(cls).items():
        if isinstance(kind, type) and issubclass(kind, Struct):
            known |= {f"{field}.{leaf}": inner for leaf, inner in get_type_hints(kind).items() if leaf[0] != "_"}
        elif field[0] != "_":
            known[field] = kind
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        raise SettingsError(f"the simulator has no option {name!r}; {hint}")
    return known[name]


def _value(name: str, text: str, kind: Any) -> Any:
    text = text.strip()
    kinds = get_args(kind) or (kind,)
    if type(None) in kinds and text.lower() in ("", "none", "off"):
        return None
    if bool in kinds:
        words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False}
        words["0"] = False
        if text.lower() in words:
            return words[text.lower()]
        raise SettingsError(f"{name} is {text!r}; it must be true or false")
    if int in kinds or float in kinds:
        number = int if int in kinds else float
        try:
            return number(text.replace("_", ""))
        except ValueError:
            what = "a whole number" if number is int else "a number"
            raise SettingsError(f"{name} is {text!r}; it must be {what}") from None
    if text not in kinds:
        raise SettingsError(f"{name} is {text!r}; it is one of {', '.join(kinds)}")
    return text
