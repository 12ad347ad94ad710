"""Writes a JSON document that is valid against a schema: structured outputs, and keys named in prose."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from trivet.sim import content, numbers, pattern, text
from trivet.sim.chooser import Chooser
from trivet.sim.read import Shape, read
from trivet.sim.strict import resolve

_DEPTH = 12
"""Levels after which recursion takes its shortest way out."""

_FORMATS = {
    "date-time": "2026-01-15T09:30:00Z",
    "date": "2026-01-15",
    "time": "09:30:00Z",
    "duration": "PT30M",
    "email": "customer@example.com",
    "idn-email": "customer@example.com",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.10",
    "ipv6": "2001:db8::10",
    "uri": "https://example.com/",
    "uri-reference": "/help",
    "iri": "https://example.com/",
    "iri-reference": "/help",
    "json-pointer": "/0",
    "regex": "^.*$",
}
_LABEL_NAMES = re.compile(r"(?i)categor|label|class|intent|sentiment|topic|department|queue|route|type")
_FREE_NAMES = re.compile(r"(?i)^(?:id|n|no|number|index|row|i)$|_(?:id|index|number)$|row")


class Writer:
    """Fills a schema for one prompt: `ask` is its shape in words, `matter` what it is about."""

    def __init__(self, schema: Mapping[str, Any], ask: Shape, matter: str, verbosity: str, choose: Chooser) -> None:
        self._root = schema
        self._ask = ask
        self._verbosity = verbosity
        self._pick = choose
        self._matter = matter
        self._row: str | None = None
        self._shapes = dict(ask.keys)

    def write(self) -> Any:
        """A value that is valid against the schema."""
        return self._fill(self._root, "", 0)

    def _fill(self, schema: Any, name: str, depth: int) -> Any:
        if not isinstance(schema, Mapping):
            return None
        schema = self._plain(schema, depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._choose(schema["enum"], schema)
        kind = self._kind(schema, depth)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind in ("integer", "number"):
            return self._number(schema, name, kind)
        if kind == "boolean":
            return self._boolean(name, schema)
        return None if kind == "null" else self._string(schema, name)

    def _plain(self, schema: Mapping[str, Any], depth: int) -> Mapping[str, Any]:
        """The schema with references followed, alternatives decided and `allOf` merged."""
        for _ in range(50):
            if "$ref" in schema:
                target = resolve(self._root, schema["$ref"])
                rest = {key: value for key, value in schema.items() if key != "$ref"}
                schema = {**target, **rest} if isinstance(target, Mapping) else rest
            elif "anyOf" in schema or "oneOf" in schema:
                key = "anyOf" if "anyOf" in schema else "oneOf"
                rest = {name: value for name, value in schema.items() if name != key}
                schema = {**rest, **self._branch(schema[key], depth)}
            elif "allOf" in schema:
                merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
                for part in schema["allOf"]:
                    part = self._plain(part, depth) if isinstance(part, Mapping) else {}
                    merged = {
                        **merged,
                        **part,
                        "properties": {**merged.get("properties", {}), **part.get("properties", {})},
                        "required": [*merged.get("required", []), *part.get("required", [])],
                    }
                schema = merged
            else:
                break
        return schema

    def _branch(self, branches: Any, depth: int) -> Mapping[str, Any]:
        usable = [branch for branch in branches if isinstance(branch, Mapping)] or [{}]
        nulls = [branch for branch in usable if branch.get("type") == "null"]
        if depth >= _DEPTH:
            simple = [b for b in usable if b.get("type") not in ("object", "array", None) or "enum" in b]
            return (nulls or simple or usable)[0]
        return next((branch for branch in usable if branch not in nulls), usable[0])

    def _kind(self, schema: Mapping[str, Any], depth: int) -> str:
        kinds = schema.get("type")
        if isinstance(kinds, list):
            if depth >= _DEPTH and "null" in kinds:
                return "null"
            kinds = next((kind for kind in kinds if kind != "null"), "null")
        if isinstance(kinds, str):
            return kinds
        if "properties" in schema:
            return "object"
        return "array" if "items" in schema or "prefixItems" in schema else "string"

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required", [])
        properties = schema.get("properties", {})
        wanted = {name: inner for name, inner in properties.items() if depth < _DEPTH or name in required}
        filled = {name: self._fill(inner, name, depth + 1) for name, inner in wanted.items()}
        extra = schema.get("additionalProperties")
        for name in required:
            if name not in filled:
                filled[name] = self._fill(extra, name, depth + 1) if isinstance(extra, Mapping) else ""
        for number in range(schema.get("minProperties", 0) - len(filled)):
            filled[f"key_{number + 1}"] = self._fill(extra if isinstance(extra, Mapping) else {}, "", depth + 1)
        return filled

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        prefix = [self._fill(item, name, depth + 1) for item in schema.get("prefixItems", [])]
        items = schema.get("items", {})
        low, high = schema.get("minItems", 0), schema.get("maxItems", 10_000)
        entries = content.rows(self._matter) if self._row is None else []
        if entries and isinstance(items, Mapping) and low <= len(entries) <= high:
            return self._entries(entries, items, name, depth)
        plain = self._plain(items, depth) if isinstance(items, Mapping) else {}
        values = plain.get("enum")
        count = min(max(low, 1 if values or depth >= _DEPTH - 1 else 2), high)
        count = low if depth >= _DEPTH else count
        if values and schema.get("uniqueItems") is not False:
            first = self._choose(values, plain)
            ordered = [first, *(value for value in values if value != first)]
            return prefix + [ordered[n % len(ordered)] for n in range(count)]
        filled = prefix + [self._fill(items, name, depth + 1) for _ in range(count - len(prefix))]
        return _distinct(filled) if schema.get("uniqueItems") else filled

    def _entries(self, entries: list[tuple[str, str]], items: Any, name: str, depth: int) -> list[Any]:
        """One item for each numbered row of the prompt, each filled from its own row."""
        whole, filled = self._matter, []
        for number, matter in entries:
            self._matter, self._row = matter, number
            filled.append(self._fill(items, name, depth + 1))
        self._matter, self._row = whole, None
        return filled

    def _choose(self, values: list[Any], schema: Mapping[str, Any]) -> Any:
        names = [value for value in values if isinstance(value, str) and value.strip()]
        if len(names) < 2:
            return values[0]
        described = dict(self._ask.labels)
        for shape in self._shapes.values():
            described |= dict(shape.labels)
        return self._pick(tuple((name, described.get(name, "")) for name in names), self._matter)

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        low, high = schema.get("minLength", 0), schema.get("maxLength", 1 << 30)
        if isinstance(schema.get("pattern"), str):
            made = pattern.example(schema["pattern"], low)
            if made is not None:
                return made
        form = schema.get("format")
        if form == "uuid":
            digits = hashlib.sha256(self._matter.encode("utf-8", "replace")).hexdigest()
            return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"
        if form in _FORMATS:
            return _FORMATS[form]
        if self._row is not None and _FREE_NAMES.search(name):
            return self._row
        said = self._prose(name, str(schema.get("description") or ""))
        said = said[:high]
        return said if len(said) >= low else (said + " " + "and more " * (low // 9 + 1))[:low].ljust(low, ".")

    def _prose(self, name: str, description: str) -> str:
        shape = self._shapes.get(name) or read(f"{name.replace('_', ' ')}: {description}")
        if _LABEL_NAMES.search(name):
            labels = shape.labels or self._ask.labels
            if labels:
                return self._pick(labels, self._matter)
        elif shape.labels:
            return self._pick(shape.labels, self._matter)
        if shape.kind == "text" and not (shape.sentences or shape.words or shape.bullets):
            long = re.search(r"(?i)summar|descri|reason|explan|detail|action|step|reply|response|answer|text", name)
            if not long:
                return text.first_words(text.topic(self._matter), 5)
            shape = Shape(sentences=1, topic=shape.topic, kind="text")
        return text.write(shape, self._matter, verbosity=self._verbosity)

    def _number(self, schema: Mapping[str, Any], name: str, kind: str) -> int | float:
        if self._row is not None and _FREE_NAMES.search(name) and self._row.isdigit():
            return int(self._row)
        chance = re.search(r"(?i)confiden|probab|likel", name) is not None
        return numbers.within(schema, whole=kind == "integer", chance=chance)

    def _boolean(self, name: str, schema: Mapping[str, Any]) -> bool:
        words = f"{name} {schema.get('description') or ''}"
        return self._pick(((words.replace("_", " "), ""), ("other", "")), self._matter) != "other"


def _distinct(values: list[Any]) -> list[Any]:
    seen: list[Any] = []
    for number, value in enumerate(values):
        if value in seen and isinstance(value, str):
            value = f"{value} ({number + 1})"
        elif value in seen and isinstance(value, (int, float)) and not isinstance(value, bool):
            value = value + number
        seen.append(value)
    return seen


def of_keys(shape: Shape, matter: str, verbosity: str, choose: Chooser) -> dict[str, Any]:
    """A JSON object with the keys that a prompt names in prose."""
    return {name: _of_key(inner, matter, verbosity, choose) for name, inner in shape.keys}


def _of_key(shape: Shape, matter: str, verbosity: str, choose: Chooser) -> Any:
    if shape.keys:
        return of_keys(shape, matter, verbosity, choose)
    if shape.labels:
        return choose(shape.labels, matter)
    if shape.kind == "boolean":
        return bool(re.search(r"(?i)\b(?:urgent|immediately|asap|not|never)\b", matter))
    if shape.kind == "number":
        return 0.9 if shape.high == 1 else text.score(shape, matter)
    if shape.kind == "list":
        return text.topic(matter).split()[1:4]
    if not (shape.sentences or shape.words or shape.bullets):
        shape = Shape(kind=shape.kind, sentences=1, topic=shape.topic)
    return text.write(shape, matter, verbosity=verbosity)
