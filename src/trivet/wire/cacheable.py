"""Which requests may share an answer at all, and why the others may not.

| field | why not |
|---|---|
| `background` | the reply is a receipt, not an answer |
| `previous_response_id`, `conversation` | the question is partly on the server, and changes there |
| `prompt` | a stored prompt can be edited without its id changing |
| `tools` that run on the server | the answer depends on the world (web, files, code, a remote computer) |
| an `item_reference` in `input` | what it refers to is on the server |
| a file or image in `input` given by its URL | what lies there can change; data URLs and uploaded files can't |
| `tools` or `input` that can't be looked into | they could hold any of these |
| a `model` that searches by itself (`...-search-preview`, `...-deep-research`) | the answer depends on the web |

Of chat completions:

| field | why not |
|---|---|
| `web_search_options`, a `model` that searches by itself | the answer depends on the web |
| `tools` that are not the caller's own | as above |
| an image in `messages` given by its URL | what lies there can change; data URLs can't |
| an `audio` that an earlier message refers to by its id | what it refers to is on the server, and expires there |
| `messages` that can't be looked into | they could hold any of these |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ON_THE_SERVER = ("background", "previous_response_id", "conversation", "prompt")
_LOCAL_TOOLS = ("function", "custom")
_SEARCHING = ("-search-preview", "-search-api", "-deep-research")
_LINKS = ("image_url", "file_url")


def cacheable(fields: Mapping[str, Any]) -> bool:
    """Whether the body's fields alone decide the question."""
    if any(fields.get(name) for name in _ON_THE_SERVER) or _searches(fields.get("model")):
        return False
    tools, items = fields.get("tools"), fields.get("input")
    return (tools is None or (isinstance(tools, list | tuple) and all(_is_local(tool) for tool in tools))) and (
        items is None or isinstance(items, str) or _is_self_contained(items)
    )


def chat_cacheable(fields: Mapping[str, Any]) -> bool:
    """The same of a chat completion."""
    if fields.get("web_search_options") is not None or _searches(fields.get("model")):
        return False
    tools, messages = fields.get("tools"), fields.get("messages")
    return (
        (tools is None or (isinstance(tools, list | tuple) and all(_is_local(tool) for tool in tools)))
        and isinstance(messages, list | tuple)
        and all(isinstance(m, Mapping) and not m.get("audio") and _has_no_links(m.get("content")) for m in messages)
    )


def _searches(model: object) -> bool:
    return isinstance(model, str) and any(part in model for part in _SEARCHING)


def _is_local(tool: object) -> bool:
    return isinstance(tool, Mapping) and tool.get("type") in _LOCAL_TOOLS


def _is_self_contained(items: object) -> bool:
    return isinstance(items, list | tuple) and all(
        isinstance(item, Mapping)
        and (item.get("type") or ("message" if "role" in item else "item_reference")) != "item_reference"
        and _has_no_links(item.get("content"))
        and _has_no_links(item.get("output"))
        for item in items
    )


def _has_no_links(content: object) -> bool:
    """Whether everything a message or a tool's output holds is in the body itself."""
    if content is None or isinstance(content, str):
        return True
    parts = [content] if isinstance(content, Mapping) else content
    return isinstance(parts, list | tuple) and all(
        isinstance(part, Mapping) and all(_is_data(part.get(name)) for name in _LINKS) for part in parts
    )


def _is_data(url: object) -> bool:
    if isinstance(url, Mapping):  # as chat completions write it
        url = url.get("url")
    return url is None or (isinstance(url, str) and url.startswith("data:"))
