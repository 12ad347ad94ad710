"""At which line of a TOML file each key stands.

The standard parser does not tell. This reads only as much of the language as finding keys takes: table
headers, `key =` at the start of a line, and where a text of several lines begins and ends. It is held
against the parsed document, so that what looks like a key and is none (a list within a list) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from trivet.tasks.where import Origin

_HEADER = re.compile(r"\s*\[{1,2}([^\[\]#]+)\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*=\s*", re.ASCII)
_PART = re.compile(r"[\w-]+|\"[^\"]*\"|'[^']*'", re.ASCII)


def origin_of(file: str, source: str, document: Mapping[str, Any]) -> Origin:
    """The lines of the keys of a parsed TOML document, by their dotted path."""
    lines: dict[str, int] = {}
    texts: dict[str, int] = {}
    table: list[str] = []
    closing = ""
    key = ""
    for number, line in enumerate(source.split("\n"), 1):
        if closing:
            if closing == '"""' and "\\" in line:
                texts.pop(key, None)  # an escape may be a line break, or take one away
            if closing in line:
                closing = ""
        elif (header := _HEADER.match(line)) and _holds(document, _parts(header[1])):
            table = _parts(header[1])
            lines.setdefault(".".join(table), number)
        elif (assigned := _KEY.match(line)) and _holds(document, [*table, *_parts(assigned[1])]):
            key = ".".join([*table, *_parts(assigned[1])])
            lines.setdefault(key, number)
            value = line[assigned.end() :].rstrip()
            if value[:3] in ('"""', "'''"):
                closing = "" if value[:3] in value[3:] else value[:3]
                if not (value.startswith('"""') and "\\" in value):
                    texts[key] = number if value[3:] else number + 1
    return Origin(file=file, lines=lines, texts=texts)


def _parts(path: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(path)]


def _holds(document: Any, parts: list[str]) -> bool:
    for part in parts:
        if not isinstance(document, Mapping) or part not in document:
            return False
        document = document[part]
    return True
