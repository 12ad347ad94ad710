"""A variant at the end of a task file, which stays as it is otherwise, to the comment."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivet.errors import TaskError
from trivet.tasks import file as task_file


def append(path: Path, name: str, texts: Mapping[str, str], *, like: str | None, allow_code: bool = False) -> None:
    """Add `[variants.NAME]` with the texts to a task file; what else the variant `like` has goes with it.

    The file is replaced at once, and only by one that can be read. Raises `TaskError`.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise TaskError(f"a variant's name is made of letters, digits, _ and -, not {name!r:.60}")
    known = task_file.variants(path, allow_code=allow_code)
    if name in known or name == "base":
        raise TaskError(f"{path} has a variant {name!r} already: choose another name")
    others = {} if like is None else {k: v for k, v in task_file.differences(path, like).items() if k not in texts}
    source = path.read_text("utf-8")
    made = source + ("" if source.endswith("\n") else "\n") + _table(name, {**texts, **others})
    target = Path(os.path.realpath(path))
    handle, other = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}-", suffix=".toml")
    new = Path(other)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(made)
        new.chmod(target.stat().st_mode & 0o7777)
        task_file.load(new, name, allow_code=allow_code)
        new.replace(target)
    except TaskError as error:
        raise TaskError(f"{path}: the variant can't be added as a table at its end: {error}") from None
    finally:
        new.unlink(missing_ok=True)


def _table(name: str, values: Mapping[str, Any]) -> str:
    lines = ["", f"[variants.{name}]              # shorter, unproven: compare it"]
    lines += [f"{key} = {_text(value) if isinstance(value, str) else _value(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    plain = all(each in "\n\t" or each.isprintable() for each in text)
    if plain and "\\" not in text and '"""' not in text and not text.endswith('"'):
        return f'"""\n{text}"""'
    if plain and "'''" not in text and not text.endswith("'"):
        return f"'''\n{text}'''"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str | bool | int | float):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
