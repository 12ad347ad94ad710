"""The linter: a task, a prompt or a file in, findings and a shorter prompt out. Nothing is sent, nothing is changed."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from os import PathLike
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from trivet.errors import TaskError, UsageError
from trivet.linting import advice
from trivet.linting.mask import FIELD
from trivet.linting.measure import GAP, Meter
from trivet.linting.result import Finding, Lint
from trivet.linting.shorter import MOST, About, shorten, speaks_english
from trivet.prices.book import standard_book
from trivet.tasks import file as task_file
from trivet.tasks.task import Task

MAX_BYTES = 16_000_000
_MILLION = 1_000_000


def lint(
    source: Task | str | PathLike[str],
    *,
    variant: str | None = None,
    model: str | None = None,
    allow_code: bool = False,
    day: date | None = None,
) -> Lint:
    """What wastes tokens in a prompt, and the shorter prompt that the mechanical edits give.

    `source`: a task, the text of a prompt, or the path of a task file (`.toml`) or of a prompt file.
    `variant`: of a task file. `model`, `day`: what the saving is priced at, by default the task's model today.
    Raises `TaskError` for a file that can't be read.
    """
    if isinstance(source, Task):
        return lint_task(source, model=model, day=day)
    if isinstance(source, str):
        return lint_text(source, model=model, day=day)
    if not isinstance(source, PathLike):
        raise UsageError(f"lint takes a Task, the text of a prompt, or a path, not {type(source).__name__}")
    path = Path(source)
    if path.suffix == ".toml":
        task = task_file.load(path, variant, allow_code=allow_code)
        name = variant if variant is not None else next(iter(task_file.variants(path, allow_code=allow_code)))
        return lint_task(task, model=model, day=day, file=str(path), variant=name)
    if variant is not None:
        raise UsageError(f"'{path}' is a prompt file: only a task file has variants")
    return lint_text(read_prompt(path), name=str(path), model=model, day=day)


def read_prompt(path: Path) -> str:
    """The text of a prompt file; raises `TaskError`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise TaskError(f"can't read the prompt '{path}': {getattr(error, 'strerror', None) or error}") from None
    if len(data) > MAX_BYTES:
        raise TaskError(f"'{path}' is larger than {MAX_BYTES // _MILLION} MB: is it data, and not a prompt?")
    return decoded(data, str(path))


def decoded(data: bytes, name: str) -> str:
    """A prompt's bytes as text with line feeds; raises `TaskError` where they are not UTF-8."""
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise TaskError(f"{name}: the prompt is not UTF-8 text: save it as UTF-8") from None


def lint_text(text: str, *, name: str = "prompt", model: str | None = None, day: date | None = None) -> Lint:
    """The findings of a prompt that belongs to no task."""
    if not text.strip():
        raise TaskError(f"{name}: the prompt is empty")
    about = About(meter=Meter(None), task="{{" in text or bool(FIELD.search(text)))
    shorter, findings = shorten(text, about)
    findings = _whole(findings, advice.advise(text, about))
    return _result(name, {"prompt": (text, shorter)}, about.meter, findings, model, day)


def lint_task(
    task: Task,
    *,
    model: str | None = None,
    day: date | None = None,
    file: str | None = None,
    variant: str | None = None,
) -> Lint:
    """The findings of a task. `file`, `variant`: where it stands, for the command that would prove it."""
    described = task.contract.describe()
    schema = described.get("schema") if isinstance(described, Mapping) else None
    meter = Meter(task.contract.labels)
    about = About(
        meter=meter,
        labels=task.contract.labels,
        structured=bool(task.contract.fields().get("text", {}).get("format")),
        reasons=advice.reasons(schema),
        columns=(*task.columns, *task.optional_columns),
        task=True,
    )
    texts, findings = {"prompt": task.prompt, "instructions": task.instructions}, []
    pairs: dict[str, tuple[str, str]] = {}
    for where, text in texts.items():
        if text is None:
            continue
        # What is asked stands in the prompt: instructions alone are not rebuilt from the labels.
        own = About(**{**_fields(about), "where": where, "labels": about.labels if where == "prompt" else None})
        shorter, made = shorten(text, own)
        pairs[where] = (text, shorter)
        findings += _placed(_whole(made, advice.advise(text, own)), task, where)
    findings += _of_request(task, about, schema, meter)
    found = _result(file or task.name, pairs, meter, findings, model or task.model_for(), day)
    return _proof(found, file, variant) if file and variant else found


def _fields(about: About) -> dict[str, Any]:
    return {name: getattr(about, name) for name in About.__slots__}


def _of_request(task: Task, about: About, schema: Any, meter: Meter) -> list[Finding]:
    found = []
    if "max_output_tokens" not in task.params:
        found.append(advice.uncapped(about))
    if isinstance(schema, Mapping):
        found += advice.of_schema(schema, f"{task.instructions or ''} {task.prompt}")
    head = meter.constant(task.prompt).partition(GAP)[0]
    near = advice.near_cacheable(meter.count(task.instructions or "") + meter.count(head))
    return [*found, near] if near else found


def _whole(made: list[Finding], hints: list[Finding]) -> list[Finding]:
    """Edits and hints together, by line; a hint on what an edit mends says nothing new."""
    mended = {(each.code, each.text) for each in made}
    codes = {each.code for each in made}
    kept = [
        each
        for each in hints
        if (each.code, each.text) not in mended and not (each.code == "discarded_reasoning" and each.code in codes)
    ]
    return sorted([*made, *kept], key=lambda each: (each.line is None, each.line or 0))


def _placed(findings: list[Finding], task: Task, where: str) -> list[Finding]:
    """The same with the lines of the file instead of those of the text."""
    if task.origin is None or (start := task.origin.lines.get(where)) is None:
        return findings
    exact = task.origin.texts.get(where)
    if exact is not None:
        return [replace(each, line=None if each.line is None else each.line + exact - 1) for each in findings]
    try:
        below = Path(task.origin.file).read_text("utf-8").split("\n")[start - 1 :]
    except (OSError, ValueError):
        below = []
    # Lines that a backslash joins: the text's own beginning is looked for.
    return [replace(each, line=None if each.line is None else start + _nearest(below, each.text)) for each in findings]


def _nearest(below: list[str], text: str) -> int:
    for size in (60, 40, 24, 12, 9):
        for number, line in enumerate(below):
            if text[:size].split("\n")[0] and text[:size].split("\n")[0] in line:
                return number
    return 0


def _result(
    name: str,
    pairs: dict[str, tuple[str, str]],
    meter: Meter,
    findings: list[Finding],
    model: str | None,
    day: date | None,
) -> Lint:
    before = sum(meter.count(old) for old, _ in pairs.values())
    after = sum(meter.count(new) for _, new in pairs.values())
    saved = before - after
    price = None
    if model is not None:
        price = standard_book().price_of(model, None, day or datetime.now(UTC).date())
    return Lint(
        name=name,
        tokens_before=before,
        tokens_after=after,
        findings=tuple(findings),
        prompt=pairs["prompt"][1],
        instructions=pairs["instructions"][1] if "instructions" in pairs else None,
        diff=diff_of(pairs),
        saved_per_call=saved,
        saved_per_million_calls=saved * _MILLION,
        model=model,
        usd_per_million_calls=None if price is None else Decimal(saved) * price.input,
        price_since=None if price is None else price.since,
        notes=tuple(_notes(pairs)),
    )


def _notes(pairs: dict[str, tuple[str, str]]) -> list[str]:
    notes = []
    if any(len(old) > MOST for old, _ in pairs.values()):
        notes.append(f"texts of over {MOST:,} characters are counted, not read sentence by sentence")
    if any(not speaks_english(old) for old, _ in pairs.values() if len(old) <= MOST):
        notes.append("the rules on wording are for English: elsewhere only white space and structure were looked at")
    return notes


def diff_of(pairs: dict[str, tuple[str, str]]) -> str:
    """The unified diff of the texts that changed."""
    parts: list[str] = []
    for where, (old, new) in pairs.items():
        if old != new:
            parts += difflib.unified_diff(old.splitlines(), new.splitlines(), where, f"{where}, shorter", lineterm="")
    return "\n".join(parts) + ("\n" if parts else "")


def _proof(found: Lint, file: str, variant: str) -> Lint:
    if not found.changed:
        return found
    own = re.sub(r"\W+", "_", variant) + "_short"
    task = shlex.quote(file)
    command = f"trivet compare {task} DATA --variants {shlex.quote(variant)},{own} --truth COLUMN"
    return replace(found, compare=command)
