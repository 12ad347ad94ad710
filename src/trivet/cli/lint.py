"""`trivet lint`: what wastes tokens in a prompt, and the shorter prompt."""

from __future__ import annotations

import asyncio
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from trivet.cli.connect import client, server
from trivet.cli.options import CallOptions
from trivet.cli.show import document, note, say
from trivet.client.door import new_loop
from trivet.client.today import today
from trivet.errors import SettingsError
from trivet.linting import rewrite
from trivet.linting.lint import MAX_BYTES, decoded, lint, lint_text, read_prompt
from trivet.linting.measure import Meter
from trivet.linting.result import Lint
from trivet.linting.write import append
from trivet.prices.book import standard_book
from trivet.tasks import file as task_file
from trivet.tasks.plan import DEFAULT_MODEL
from trivet.tasks.task import Task
from trivet.types import Reply
from trivet.wording import SIMULATED, dollars


@dataclass(frozen=True, slots=True, kw_only=True)
class LintOptions:
    """Everything `trivet lint` was told."""

    task: str
    variant: str | None
    model: str | None
    write: str | None
    strict: bool
    rewrite: bool
    allow_code: bool
    calls: CallOptions
    as_json: bool

    def __post_init__(self) -> None:
        asked = self.calls.sim or self.calls.base_url or self.calls.budget or self.calls.timeout
        if asked and not self.rewrite:
            raise SettingsError("--sim, --base-url, --budget and --timeout are for --rewrite: the rules ask no model")
        if not self.is_task and (self.variant or self.write):
            raise SettingsError("--variant and --write are for task files (.toml)")

    @property
    def is_task(self) -> bool:
        """Whether TASK names a task file."""
        return self.task.endswith(".toml")


def execute(options: LintOptions) -> int:
    """Lint; the exit code."""
    found, task, original = _linted(options)
    rewritten = _rewritten(options, task, original) if options.rewrite else None
    if options.write:
        found = _written(options, found, task, rewritten)
    if options.as_json:
        fields = msgspec.to_builtins(found, builtin_types=(type(found.usd_per_million_calls),))
        document(fields | ({"rewrite": rewritten} if rewritten else {}))
    else:
        say(str(found))
        if found.changed and found.compare and not options.write:
            own = found.compare.partition("--variants ")[2].split(" ")[0].split(",")[-1]
            say(f"       after: trivet lint {shlex.quote(options.task)}{_variant(options)} --write {own}")
        if rewritten:
            _show_rewrite(rewritten)
    return 1 if options.strict and found.findings else 0


def _linted(options: LintOptions) -> tuple[Lint, Task | None, str]:
    if options.is_task:
        task = task_file.load(options.task, options.variant, allow_code=options.allow_code)
        found = lint(
            Path(options.task), variant=options.variant, model=options.model, allow_code=options.allow_code, day=today()
        )
        return found, task, task.prompt
    if options.task == "-":
        text, name = decoded(sys.stdin.buffer.read(MAX_BYTES), "standard input"), "standard input"
    else:
        text, name = read_prompt(Path(options.task)), options.task
    return lint_text(text, name=name, model=options.model or DEFAULT_MODEL, day=today()), None, text


def _variant(options: LintOptions) -> str:
    return f" --variant {shlex.quote(options.variant)}" if options.variant else ""


def _rewritten(options: LintOptions, task: Task | None, original: str) -> dict[str, Any]:
    """A model's shorter prompt, what it costs, and what speaks against it."""
    model = options.model or (task.model_for() if task else DEFAULT_MODEL)
    labels = task.contract.labels if task else None
    with server(options.calls) as where, asyncio.Runner(loop_factory=new_loop) as loop:
        reply = loop.run(_asked(options, where, model, original))
    new = rewrite.taken(reply.text)
    meter = Meter(labels)
    before, after = meter.count(original), meter.count(new)
    against = rewrite.objections(original, new, labels)
    price = standard_book().price_of(model, None, today())
    return {
        "prompt": new,
        "offered": not against,
        "objections": against,
        "tokens_before": before,
        "tokens_after": after,
        "usd_per_million_calls": None if price is None or against else (before - after) * price.input,
        "diff": rewrite.difference(original, new),
        "model": reply.model,
        "cost_usd": reply.cost,
        "simulated": reply.simulated,
    }


async def _asked(options: LintOptions, where: dict[str, Any], model: str, original: str) -> Reply:
    async with client(options.calls, where, cache=None) as calls:
        most = 4_000 + 2 * Meter(None).count(original)
        return await calls.respond(rewrite.asked(original), model=model, max_output_tokens=most)


def _show_rewrite(rewritten: dict[str, Any]) -> None:
    say()
    say(f"rewritten by {rewritten['model']}, for {dollars(rewritten['cost_usd'])}:")
    if rewritten["simulated"]:
        say(SIMULATED)
    if rewritten["objections"]:
        say(f"not offered: {'; '.join(rewritten['objections'])}")
        return
    say(rewritten["diff"].rstrip("\n"))
    say(
        f"{rewritten['tokens_before']:,} -> {rewritten['tokens_after']:,} constant tokens of the prompt; "
        f"unproven, as above"
    )


def _written(options: LintOptions, found: Lint, task: Task | None, rewritten: dict[str, Any] | None) -> Lint:
    """The shorter prompt (the model's, where one was asked for and may be offered) as a variant of the file."""
    if task is None or options.write is None:
        return found
    texts: dict[str, str] = {}
    if rewritten:
        if not rewritten["offered"]:
            raise SettingsError(
                f"nothing written: the rewritten prompt can't be offered ({rewritten['objections'][0]})"
            )
        texts["prompt"] = rewritten["prompt"]
    elif not found.changed:
        raise SettingsError("nothing written: no mechanical edit makes the prompt shorter")
    else:
        texts["prompt"] = found.prompt
        if found.instructions is not None:
            texts["instructions"] = found.instructions
    append(Path(options.task), options.write, texts, like=options.variant, allow_code=options.allow_code)
    note(f"{options.task}: [variants.{options.write}] added at the end; unproven")
    baseline = options.variant or next(iter(task_file.variants(options.task, allow_code=options.allow_code)))
    command = (
        f"trivet compare {shlex.quote(options.task)} DATA --variants "
        f"{shlex.quote(baseline)},{options.write} --truth COLUMN"
    )
    return msgspec.structs.replace(found, compare=command)
