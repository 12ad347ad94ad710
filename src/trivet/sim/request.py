"""Reads a request body as the API does: validates each field and refuses in the provider's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from trivet.sim import provider_errors as errors
from trivet.sim import strict
from trivet.sim.models import Model, find

ROLES = ("assistant", "system", "developer", "user")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
TIERS = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")
INCLUDABLE = (
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
)


class Message(Struct, frozen=True, kw_only=True):
    """One item of the input as the model reads it.

    `breakpoint`: an explicit cache breakpoint stands at its end, with its time to live ("" inherits).
    """

    role: str
    text: str
    images: int = 0
    breakpoint: str | None = None


class Call(Struct, frozen=True, kw_only=True):
    """A validated request; `body` is the JSON it came as, for the fields that are only echoed."""

    body: dict[str, Any]
    model: Model
    model_name: str
    messages: tuple[Message, ...]
    instructions: str | None
    effort: str | None
    verbosity: str
    format: dict[str, Any]
    max_output: int | None
    tier: str
    stream: bool
    obfuscation: bool
    store: bool


def decode(raw: bytes) -> dict[str, Any]:
    """The JSON object of a body; refused when it is none."""
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise errors.not_json() from None
    if not isinstance(body, dict):
        raise errors.not_json()
    return body


def model_of(body: dict[str, Any]) -> tuple[str, Model]:
    """The model asked for."""
    name = body.get("model")
    if name is None:
        raise errors.missing("model")
    if not isinstance(name, str):
        raise errors.wrong_type("model", "a string", name)
    model = find(name)
    if model is None:
        raise errors.no_such_model(name[:200])
    return name, model


def validate(body: dict[str, Any], name: str, model: Model) -> Call:
    """The request as the model will see it, or the provider's refusal."""
    for field, value in body.items():
        check = _FIELDS.get(field)
        if check is None:
            raise errors.unknown(field[:200])
        if value is not None:
            check(field, value)
    if body.get("input") is None and body.get("prompt") is None and body.get("previous_response_id") is None:
        raise errors.missing("input")
    if body.get("background"):
        raise errors.unsupported_parameter("background")
    text = body.get("text") or {}
    options = body.get("stream_options") or {}
    effort = _effort(body, name, model)
    _sampling(body, model)
    return Call(
        body=body,
        model=model,
        model_name=name,
        messages=_messages(body.get("input")),
        instructions=body.get("instructions"),
        effort=effort,
        verbosity=text.get("verbosity") or "medium",
        format=text.get("format") or {"type": "text"},
        max_output=body.get("max_output_tokens"),
        tier=_tier(body.get("service_tier") or "auto", model),
        stream=bool(body.get("stream")),
        obfuscation=options.get("include_obfuscation") is not False,
        store=body.get("store") is not False,
    )


def _effort(body: dict[str, Any], name: str, model: Model) -> str | None:
    asked = (body.get("reasoning") or {}).get("effort")
    if asked is None:
        return model.effort
    if not model.efforts:
        raise errors.unsupported_parameter("reasoning.effort")
    if asked not in model.efforts:
        raise errors.unsupported_value("reasoning.effort", asked, name, model.efforts)
    return str(asked)


def _sampling(body: dict[str, Any], model: Model) -> None:
    if model.sampling:
        return
    for field in ("temperature", "top_p"):
        if body.get(field) not in (None, 1):
            raise errors.unsupported_parameter(field)


def _tier(asked: str, model: Model) -> str:
    """The tier that serves: Fast falls back to the default where a model lacks it, Flex is refused."""
    if asked == "flex" and "flex" not in model.tiers:
        raise errors.no_such_tier()
    if asked in ("priority", "fast"):
        return model.fast_echo if asked in model.tiers else "default"
    return asked if asked in model.tiers else "default"


def _messages(value: Any) -> tuple[Message, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (Message(role="user", text=value),)
    return tuple(_message(f"input[{number}]", item) for number, item in enumerate(value))


def _message(at: str, item: Any) -> Message:
    if not isinstance(item, dict):
        raise errors.wrong_type(at, "an object", item)
    kind = item.get("type", "message")
    if kind != "message":
        text = item.get("output") or item.get("arguments") or ""
        return Message(role="tool", text=text if isinstance(text, str) else msgspec.json.encode(text).decode())
    role = item.get("role")
    if role is None:
        raise errors.missing(f"{at}.role")
    if role not in ROLES:
        raise errors.wrong_value(f"{at}.role", role, ROLES)
    content = item.get("content")
    if content is None:
        raise errors.missing(f"{at}.content")
    if isinstance(content, str):
        return Message(role=role, text=content)
    if not isinstance(content, list):
        raise errors.wrong_type(f"{at}.content", "one of an array of objects or string", content)
    return _parts(at, role, content)


_PARTS = (
    "input_text",
    "input_image",
    "output_text",
    "refusal",
    "input_file",
    "computer_screenshot",
    "summary_text",
)


def _parts(at: str, role: str, content: list[Any]) -> Message:
    texts: list[str] = []
    images, mark = 0, None
    for number, part in enumerate(content):
        here = f"{at}.content[{number}]"
        if not isinstance(part, dict):
            raise errors.wrong_type(here, "an object", part)
        kind = part.get("type")
        if kind is None:
            raise errors.missing(f"{here}.type")
        if kind not in _PARTS:
            raise errors.wrong_value(f"{here}.type", kind, _PARTS)
        if kind in ("input_text", "output_text", "summary_text"):
            if not isinstance(part.get("text"), str):
                raise errors.missing(f"{here}.text")
            texts.append(part["text"])
        elif kind != "refusal":
            images += 1
        if isinstance(part.get("prompt_cache_breakpoint"), dict):
            mark = part["prompt_cache_breakpoint"].get("ttl") or ""
    return Message(role=role, text="\n".join(texts), images=images, breakpoint=mark)


_Check = Callable[[str, Any], None]


def _is(kind: type | tuple[type, ...], expected: str) -> _Check:
    kinds = kind if isinstance(kind, tuple) else (kind,)

    def check(param: str, value: Any) -> None:
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise errors.wrong_type(param, expected, value)

    return check


_string = _is(str, "a string")
_boolean = _is(bool, "a boolean")
_object = _is(dict, "an object")
_array = _is(list, "an array")


def _one_of(*values: str) -> _Check:
    def check(param: str, value: Any) -> None:
        if value not in values if isinstance(value, str) else True:
            raise errors.wrong_value(param, value, values)

    return check


def _integer(low: int, high: int = 2**31 - 1) -> _Check:
    kind = _is(int, "an integer")

    def check(param: str, value: Any) -> None:
        kind(param, value)
        if not low <= value <= high:
            raise errors.out_of_range(param, value, low, high)

    return check


def _number(low: float, high: float) -> _Check:
    kind = _is((int, float), "a decimal")

    def check(param: str, value: Any) -> None:
        kind(param, value)
        if not low <= value <= high:
            raise errors.out_of_range(param, float(value), low, high)

    return check


def _short(limit: int) -> _Check:
    def check(param: str, value: Any) -> None:
        _string(param, value)
        if len(value) > limit:
            message = (
                f"Invalid '{param}': string too long. Expected a string with maximum length {limit}, "
                f"but got a string with length {len(value)} instead."
            )
            raise errors.Refusal(400, message, code="string_above_max_length", param=param)

    return check


def _fields_of(**fields: _Check) -> _Check:
    def check(param: str, value: Any) -> None:
        _object(param, value)
        for key, inner in value.items():
            if key not in fields:
                raise errors.unknown(f"{param}.{key[:100]}")
            if inner is not None:
                fields[key](f"{param}.{key}", inner)

    return check


def _metadata(param: str, value: Any) -> None:
    _object(param, value)
    if len(value) > 16:
        message = f"Invalid '{param}': too many properties. Expected an object with at most 16 properties."
        raise errors.Refusal(400, message, code="object_above_max_properties", param=param)
    for key, text in value.items():
        _short(64)(param, key)
        _short(512)(f"{param}.{key}", text)


def _format(param: str, value: Any) -> None:
    _object(param, value)
    kind = value.get("type")
    if kind is None:
        raise errors.missing(f"{param}.type")
    _one_of("text", "json_schema", "json_object")(f"{param}.type", kind)
    if kind != "json_schema":
        return
    name = value.get("name")
    if name is None:
        raise errors.missing(f"{param}.name")
    _string(f"{param}.name", name)
    if not 0 < len(name) <= 64 or not all(letter.isascii() and (letter.isalnum() or letter in "_-") for letter in name):
        message = f"Invalid '{param}.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."  # noqa: E501
        raise errors.Refusal(400, message, code="invalid_value", param=f"{param}.name")
    if value.get("schema") is None:
        raise errors.missing(f"{param}.schema")
    strict.check(name, value["schema"], strict=bool(value.get("strict")))


_input = _is((str, list), "one of a string or array of objects")
_cache_options = _fields_of(
    mode=_one_of("implicit", "explicit"),
    ttl=_one_of("30m", "12h"),
    prewarm=_boolean,
    comparison_response_id=_string,
)
_FIELDS: dict[str, _Check] = {
    "model": _string,
    "input": _input,
    "instructions": _string,
    "max_output_tokens": _integer(1),
    "max_tool_calls": _integer(1),
    "reasoning": _fields_of(
        effort=_one_of(*EFFORTS),
        summary=_one_of("auto", "concise", "detailed"),
        generate_summary=_one_of("auto", "concise", "detailed"),
        mode=_one_of("standard", "pro"),
        context=_one_of("auto", "current_turn", "all_turns"),
    ),
    "text": _fields_of(format=_format, verbosity=_one_of("low", "medium", "high")),
    "service_tier": _one_of(*TIERS),
    "prompt_cache_key": _string,
    "prompt_cache_options": _cache_options,
    "prompt_cache_retention": _one_of("in_memory", "in-memory", "24h"),
    "store": _boolean,
    "stream": _boolean,
    "stream_options": _fields_of(include_obfuscation=_boolean),
    "background": _boolean,
    "background_options": _object,
    "truncation": _one_of("auto", "disabled"),
    "top_logprobs": _integer(0, 20),
    "include": _array,
    "parallel_tool_calls": _boolean,
    "tool_choice": _is((str, dict), "one of a string or object"),
    "tools": _array,
    "metadata": _metadata,
    "safety_identifier": _short(128),
    "user": _string,
    "moderation": _object,
    "conversation": _is((str, dict), "one of a string or object"),
    "previous_response_id": _string,
    "prompt": _object,
    "context_management": _array,
    "access_programs": _object,
    "image": _object,
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
}
