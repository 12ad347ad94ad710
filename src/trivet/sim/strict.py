"""What the provider refuses in a strict JSON Schema, in its own words.

The strict dialect (provider's documentation, structured outputs): the root is an object and no `anyOf`; every
object says `additionalProperties: false` and requires each of its properties; `allOf`, `not`,
`if`/`then`/`else`, `dependentRequired`, `dependentSchemas` and `patternProperties` are not permitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trivet.sim.provider_errors import bad_schema

_FORBIDDEN = (
    "allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas",
    "patternProperties",
)  # fmt: skip
_TYPES = frozenset(("object", "array", "string", "number", "integer", "boolean", "null"))
_DEPTH = 40


def check(name: str, schema: Any, *, strict: bool) -> None:
    """Raise the provider's refusal when the schema is none, or breaks a rule that `strict` asks for."""
    if not isinstance(schema, dict):
        raise bad_schema(name, (), "schema must be a JSON object.")
    kind = schema.get("type")
    if strict and kind != "object" and "$ref" not in schema:
        raise bad_schema(
            name, (), f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind or 'None'}\"'."
        )
    if strict and "anyOf" in schema:
        raise bad_schema(name, (), "'anyOf' is not permitted at the root.")
    _check(name, schema, (), strict, schema)


def _check(name: str, node: Any, at: tuple[str, ...], strict: bool, root: Mapping[str, Any]) -> None:
    if len(at) > _DEPTH:
        raise bad_schema(name, at[:4], "the schema is nested too deeply.")
    if not isinstance(node, dict):
        if isinstance(node, bool) and not strict:
            return
        raise bad_schema(name, at, "schema must be a JSON object.")
    _check_node(name, node, at, strict, root)
    for keyword in ("properties", "$defs", "definitions"):
        children = node.get(keyword)
        if children is None:
            continue
        if not isinstance(children, dict):
            raise bad_schema(name, at, f"'{keyword}' must be an object.")
        for key, child in children.items():
            _check(name, child, (*at, keyword, key), strict, root)
    if "items" in node:
        _check(name, node["items"], (*at, "items"), strict, root)
    branches = node.get("anyOf", [])
    if not isinstance(branches, list) or ("anyOf" in node and not branches):
        raise bad_schema(name, at, "'anyOf' must be a non-empty array.")
    for number, child in enumerate(branches):
        _check(name, child, (*at, "anyOf", str(number)), strict, root)


def _check_node(name: str, node: Mapping[str, Any], at: tuple[str, ...], strict: bool, root: Mapping[str, Any]) -> None:
    kinds = node.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if not isinstance(kind, str) or kind not in _TYPES:
            raise bad_schema(name, at, f"'{kind}' is not valid under any of the given schemas.")
    if "enum" in node and not (isinstance(node["enum"], list) and node["enum"]):
        raise bad_schema(name, at, "'enum' must be a non-empty array.")
    if "$ref" in node and resolve(root, node["$ref"]) is None:
        raise bad_schema(name, at, f"reference can only point to definitions of this schema, got '{node['$ref']}'.")
    if not strict:
        return
    for keyword in _FORBIDDEN:
        if keyword in node:
            raise bad_schema(name, at, f"'{keyword}' is not permitted.")
    if not any(keyword in node for keyword in ("type", "$ref", "anyOf", "enum", "const")):
        raise bad_schema(name, at, "schema must have a 'type' key.")
    if "array" in kinds and "items" not in node:
        raise bad_schema(name, at, "array schema missing items.")
    if "object" in kinds or "properties" in node:
        _check_object(name, node, at)


def _check_object(name: str, node: Mapping[str, Any], at: tuple[str, ...]) -> None:
    if node.get("additionalProperties", True) is not False:
        raise bad_schema(name, at, "'additionalProperties' is required to be supplied and to be false.")
    properties = node.get("properties", {})
    required = node.get("required", [])
    prefix = "'required' is required to be supplied and to be an array including every key in properties."
    if not isinstance(required, list):
        raise bad_schema(name, at, prefix)
    for key in properties:
        if key not in required:
            raise bad_schema(name, at, f"{prefix} Missing '{key}'.")
    for key in required:
        if key not in properties:
            raise bad_schema(name, at, f"{prefix} Extra required key '{key}' supplied.")


def resolve(root: Mapping[str, Any], reference: Any) -> Any:
    """What a local reference (`#`, `#/$defs/Name`) points to; None when it points nowhere."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    node: Any = root
    for step in reference[1:].strip("/").split("/"):
        if not step:
            continue
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict) and step in node:
            node = node[step]
        elif isinstance(node, list) and step.isdigit() and int(step) < len(node):
            node = node[int(step)]
        else:
            return None
    return node
