"""The strict dialect of JSON Schema.

With `strict: true` the provider only lets the model write what fits the schema, and refuses a schema outside
a subset: the root is an object, every object lists all its properties as required and allows no others, and
some keywords are not there (source: the provider's guide to structured outputs, and its SDK, which rewrites
the schemas of pydantic models into the dialect).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_UNSUPPORTED = frozenset(
    {
        "allOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "dependentRequired",
        "dependentSchemas",
        "patternProperties",
        "propertyNames",
        "prefixItems",
        "contains",
        "unevaluatedItems",
        "unevaluatedProperties",
        "uniqueItems",
        "minProperties",
        "maxProperties",
    }
)
_MAPS = ("properties", "$defs", "definitions")


def is_strict(schema: dict[str, Any]) -> bool:
    """Whether the schema keeps to the strict dialect."""
    return schema.get("type") == "object" and "anyOf" not in schema and _keeps_to_it(schema)


def _keeps_to_it(schema: Any) -> bool:
    if not isinstance(schema, dict) or not _UNSUPPORTED.isdisjoint(schema):
        return False
    kinds = schema.get("type", [])
    if "properties" in schema or "object" in ([kinds] if isinstance(kinds, str) else kinds):
        required = schema.get("required", [])
        closed = schema.get("additionalProperties") is False
        if not closed or set(required) != set(schema.get("properties", {})):
            return False
    return all(_keeps_to_it(child) for child in _children(schema))


def _children(schema: dict[str, Any]) -> Iterator[Any]:
    for name in _MAPS:
        yield from schema.get(name, {}).values()
    if "items" in schema:
        yield schema["items"]
    yield from schema.get("anyOf", [])


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that a pydantic model generated, in the strict dialect as far as it can be put into it.

    Objects are closed and all their properties required, intersections of one are dissolved, defaults of
    null left out, and references with other keywords beside them replaced by what they point to (but for
    one inside of what it points to, which goes without those keywords, as it has no end otherwise).
    """
    rewritten: dict[str, Any] = _rewritten(schema, schema, ())
    return rewritten


def _rewritten(schema: Any, root: dict[str, Any], inside: tuple[str, ...]) -> Any:
    if not isinstance(schema, dict):
        return schema
    if "default" in schema and schema["default"] is None:
        schema = {key: value for key, value in schema.items() if key != "default"}
    reference = schema.get("$ref")
    if isinstance(reference, str) and len(schema) > 1:
        if reference in inside:
            return {"$ref": reference}
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _rewritten({**beside, **_resolved(reference, root), **beside}, root, (*inside, reference))
    new = dict(schema)
    for name in _MAPS:
        if isinstance(new.get(name), dict):
            new[name] = {key: _rewritten(value, root, _entered(inside, name, key)) for key, value in new[name].items()}
    if new.get("type") == "object":
        new.setdefault("additionalProperties", False)
    if isinstance(new.get("properties"), dict):
        new["required"] = list(new["properties"])
    if "items" in new:
        new["items"] = _rewritten(new["items"], root, inside)
    for name in ("anyOf", "allOf"):
        if isinstance(new.get(name), list):
            new[name] = [_rewritten(each, root, inside) for each in new[name]]
    if len(new.get("allOf", ())) == 1:
        new.update(new.pop("allOf")[0])
    return new


def _entered(inside: tuple[str, ...], name: str, key: str) -> tuple[str, ...]:
    return inside if name == "properties" else (*inside, f"#/{name}/{key}")


def _resolved(reference: str, root: dict[str, Any]) -> dict[str, Any]:
    target: Any = root
    for part in reference.removeprefix("#/").split("/"):
        target = target[part]
    return dict(target)
