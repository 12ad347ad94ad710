"""A task: what is asked of every row, and what an answer must be."""

from __future__ import annotations

import hashlib
import importlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from dataclasses import fields as fields_of
from os import PathLike
from typing import Any

import msgspec

from trivet.errors import DataError, TaskError, UsageError
from trivet.tasks import answer
from trivet.tasks.fields import assembled, check_encodable, check_params, merged, yielding
from trivet.tasks.frame import Frame, frame_of
from trivet.tasks.near import did_you_mean
from trivet.tasks.output import Contract, contract_of
from trivet.tasks.plan import DEFAULT_MODEL, Plan, check_effort, check_model
from trivet.tasks.template import Template
from trivet.tasks.where import Origin, Where, located
from trivet.types import Journal, Reply, Request
from trivet.wire.cacheable import cacheable as may_share
from trivet.wire.openai_responses import encode

_DIGEST_FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False, init=False, repr=False)
class Task:
    """A prompt template and an output contract, with default parameters.

    `output`: a contract, a JSON Schema dict, a pydantic model class, or `str`. `instructions`: sent as the
    request's instructions; a template too. `params`: go to the provider as they are. `cache_version`: raise
    it to forget old answers. `normalise`: white space and Unicode form are folded in the cache key. `origin`:
    the file it was read from, for messages. Raises `TaskError` for whatever can be seen to be wrong.
    """

    prompt: str
    output: Any
    instructions: str | None
    params: dict[str, Any]
    model: str | None
    plan: Plan
    cache_version: int
    normalise: bool
    name: str
    origin: Origin | None
    contract: Contract = field(init=False)
    _prompt: Template = field(init=False)
    _instructions: Template | None = field(init=False)
    _body: dict[str, Any] = field(init=False)
    _frames: dict[str, Frame | None] = field(init=False)

    def __init__(
        self,
        prompt: str,
        *,
        output: Any = str,
        instructions: str | None = None,
        params: Mapping[str, Any] | None = None,
        model: str | None = None,
        plan: Plan | Mapping[str, Any] | None = None,
        cache_version: int = 0,
        normalise: bool = False,
        name: str = "task",
        origin: Origin | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "prompt", prompt)
        put(self, "output", output)
        put(self, "instructions", instructions or None)
        put(self, "model", model)
        put(self, "cache_version", cache_version)
        put(self, "normalise", normalise)
        put(self, "name", name)
        put(self, "origin", origin)
        with located(origin, "output"):
            put(self, "contract", contract_of(output))
        with located(origin, "plan"):
            put(self, "plan", plan if isinstance(plan, Plan) else Plan.of(_mapping("plan", plan)))
        with located(origin, "params"):
            put(self, "params", merged({}, _mapping("params", params)))
        self._check_settings()
        self._compile()
        check_params(self.params, self.contract, origin)
        put(self, "_body", assembled(self.params, self.plan, self.contract, origin))
        put(self, "_frames", {})
        with located(origin, "output"):
            check_encodable(self._body)

    @classmethod
    def load(cls, path: str | PathLike[str], variant: str | None = None, *, allow_code: bool = False) -> Task:
        """The task of a task file, or one of its variants; see `trivet.tasks.file.load`."""
        # By name, as the module that reads files is built on this one.
        task: Task = importlib.import_module("trivet.tasks.file").load(path, variant, allow_code=allow_code)
        return task

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that every row must have, in order of appearance."""
        return tuple(name for name in self._names() if name not in self._optional())

    @property
    def optional_columns(self) -> tuple[str, ...]:
        """The columns that are used where a row has them."""
        return tuple(name for name in self._names() if name in self._optional())

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of everything about the task that can change a result."""
        return hashlib.sha256(msgspec.json.encode(self.describe())).hexdigest()

    def describe(self) -> dict[str, Any]:
        """What the digest is made of, as JSON; fields that only change price and delivery are not in it."""
        head, _ = encode({"model": self.model_for(), **self._body})
        return {
            "format": _DIGEST_FORMAT,
            "prompt": self.prompt.removesuffix("\n"),  # as the template leaves it out
            "instructions": self.instructions and self.instructions.removesuffix("\n"),
            "output": self.contract.describe(),
            "request": msgspec.json.decode(head + b"}"),
            "cache_version": self.cache_version,
            "normalise": self.normalise,
        }

    def model_for(self, model: str | None = None) -> str:
        """The model that a call uses: the call's own, else the plan's, else the task's, else the default."""
        return model or self.plan.model or self.model or DEFAULT_MODEL

    def fields(self, model: str | None = None, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """All fields of a request's body but the prompt and the instructions; what the call gives wins.

        Raises `TaskError` for what the model is known to refuse: ask for it before any spend.
        """
        chosen = self.model_for(model)
        sent = self._body
        if params:
            check_params(params, self.contract)
            sent = assembled(merged(self.params, params), yielding(self.plan, params), self.contract)
        reasoning = sent.get("reasoning")
        if isinstance(reasoning, dict):
            with located(self.origin, "params.reasoning" if self.plan.effort is None else "plan.effort"):
                check_effort(chosen, reasoning.get("effort"))
        return {"model": chosen, **sent}

    def rendered(self, row: Mapping[str, Any]) -> str:
        """The prompt for a row; raises `DataError` where the row does not fit it."""
        text = self._prompt.render(row)
        if not text or text.isspace():
            raise DataError("the prompt is empty for this row: its columns hold no text")
        return text

    def request(
        self,
        row: Mapping[str, Any],
        *,
        model: str | None = None,
        params: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        sample: int = 0,
        stream: bool = False,
        cacheable: bool = True,
        label: str = "",
        journal: Journal | None = None,
    ) -> Request:
        """The request for a row. `timeout`: seconds an attempt may take; `sample`: the n-th answer wanted.

        Raises `DataError` where this row can't be asked about, `TaskError` where none can.
        """
        given: dict[str, Any] = {
            "accept": self.accept,
            "sample": sample,
            "version": self.cache_version,
            "timeout": timeout,
            "label": label,
            "journal": journal,
        }
        if not (params or stream or self.normalise):
            frame = self._frame(self.model_for(model))
            framed = None if frame is None else frame.request(row, cacheable, given)
            if framed is not None:
                return framed
        body = self.fields(model, params)
        if stream:
            body["stream"] = True
        body["input"] = self.rendered(row)
        if self._instructions is not None:
            body["instructions"] = self._instructions.render(row)
        try:
            head, tail = encode(body)
        except UsageError as error:
            raise DataError(str(error)) from None
        return Request(
            head=head,
            tail=tail,
            model=body["model"],
            max_output=body.get("max_output_tokens"),
            tier=body.get("service_tier"),
            fold=_folded_head(body) if self.normalise else None,
            cacheable=cacheable and may_share(body),
            characters=len(body["input"]) + len(body.get("instructions", "")),
            **given,
        )

    def _frame(self, model: str) -> Frame | None:
        """The constant parts of a request to the model; None where the template does more than insert columns."""
        if model not in self._frames:
            self._frames[model] = frame_of(self.fields(model), self._prompt, self._instructions)
        return self._frames[model]

    def accept(self, reply: Reply) -> str | None:
        """None when the reply is a result, else the reason why it is not."""
        return answer.reason(reply, self.contract)

    def result(self, reply: Reply) -> Any:
        """What the reply says, as the contract reads it; raises `AnswerError` where it is not a result."""
        return answer.result(reply, self.contract)

    def with_(self, **changes: Any) -> Task:
        """The same task but for these; raises `TaskError` for a name that a task does not have."""
        known = [each.name for each in fields_of(self) if each.init]
        for name in changes:
            if name not in known:
                raise TaskError(f"a task has no '{name}'{did_you_mean(name, known)}: it has {', '.join(known)}")
        origin = self.origin.without(*changes) if self.origin else None
        return replace(self, **{"origin": origin, **changes})

    def __repr__(self) -> str:
        return f"Task({self.name!r}, columns={self.columns}, output={self.contract!r:.80})"

    def _names(self) -> tuple[str, ...]:
        more = self._instructions.variables if self._instructions else ()
        return tuple(dict.fromkeys(self._prompt.variables + more))

    def _optional(self) -> set[str]:
        parts = [part for part in (self._prompt, self._instructions) if part is not None]
        needed = {name for part in parts for name in part.variables if name not in part.optional}
        return set(self._names()) - needed

    def _check_settings(self) -> None:
        if self.model is not None:
            with located(self.origin, "model"):
                check_model(self.model)
        version = self.cache_version
        if not isinstance(version, int) or isinstance(version, bool) or not 0 <= version < 2**31:
            with located(self.origin, "cache.version"):
                raise TaskError(f"the cache version must be a whole number from 0 on, not {version!r:.40}")
        if not isinstance(self.normalise, bool):
            with located(self.origin, "cache.normalise"):
                raise TaskError(f"normalise must be true or false, not {self.normalise!r:.40}")

    def _compile(self) -> None:
        labels = self.contract.labels
        provided = {} if labels is None else {"labels": labels}
        put = object.__setattr__
        put(self, "_prompt", Template(self.prompt, self._where("prompt"), provided))
        if self.instructions is None:
            put(self, "_instructions", None)
        else:
            put(self, "_instructions", Template(self.instructions, self._where("instructions"), provided))
        with located(self.origin, "prompt"):
            if not self.prompt.strip():
                raise TaskError("the prompt is empty: write what is asked of every row")
            if not self._names():
                raise TaskError(
                    "the prompt uses no column, so every row would be asked the same: put one in, such as {{ text }}"
                )

    def _where(self, key: str) -> Where:
        return self.origin.where(key) if self.origin else Where(what=key)


def _mapping(name: str, value: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise TaskError(f"{name} must be a mapping of names to values, not {type(value).__name__}")
    return value or {}


def _folded_head(body: dict[str, Any]) -> bytes:
    """The head with the prompt's and the instructions' white space and Unicode form folded, nothing else."""
    texts = [name for name in ("input", "instructions") if name in body]
    return encode(body | {name: _folded(body[name]) for name in texts})[0]


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
