"""Which variants a comparison is of: those of the task file, models, and changes to try."""

from __future__ import annotations

from msgspec import Struct

from trivet.cli.options import TaskOptions, listed, once
from trivet.cli.run import overridden
from trivet.comparison.tries import Change, change_of, names_of, tried
from trivet.errors import SettingsError, TaskError
from trivet.tasks import file as task_file
from trivet.tasks.near import did_you_mean
from trivet.tasks.task import Task


class Chosen(Struct, frozen=True, kw_only=True):
    """The variants by name, the baseline first. `changes`: of those that are tried, what makes them.

    `written`: the tasks as the file would say them, without what the command line changes of all of them.
    `baseline_variant`: the baseline's table in the file, None for the task itself.
    """

    tasks: dict[str, Task]
    changes: dict[str, Change] = {}
    written: dict[str, Task] = {}
    baseline_variant: str | None = None


def chosen(options: TaskOptions, variants: str | None, models: str | None, tries: tuple[str, ...]) -> Chosen:
    """The variants that the options name; raises `UsageError`."""
    known = task_file.variants(options.task, allow_code=options.allow_code)
    own = next(iter(known))
    if models is not None and (variants is not None or options.model is not None):
        raise SettingsError("--models makes variants of the task itself: leave --variants and --model away")
    if not (models or tries):
        return Chosen(tasks=_named(options, known, list(known) if variants is None else _names(variants)))
    bases = [own] if variants is None else _names(variants)
    tasks = _named(options, known, bases, least=1)
    first = next(iter(tasks))
    if models is not None:
        tasks = _of_models(options, known[own], own, models)
        first = next(iter(tasks))
    once("--try", list(tries))
    changes = [change_of(text) for text in tries]
    named = dict(zip(names_of(changes), changes, strict=True))
    base = tasks[first]
    taken = sorted(set(named) & set(tasks))
    if taken:
        raise TaskError(f"{taken[0]!r} is a variant already: leave --try {taken[0]} away")
    made = {name: tried(base, change) for name, change in named.items()}
    variant = None if models is not None or first in (own, "base") else first
    source = known[own] if variant is None else known[variant]
    written = {name: tried(source, change) for name, change in named.items()} if models is None else {}
    return Chosen(tasks={**tasks, **made}, changes=named, written=written, baseline_variant=variant)


def _names(text: str) -> list[str]:
    return list(listed("--variants", text))


def _named(options: TaskOptions, known: dict[str, Task], names: list[str], least: int = 2) -> dict[str, Task]:
    own = next(iter(known))
    tasks = {}
    for name in names:
        found = known.get(own if name == "base" else name)
        if found is None:
            raise TaskError(
                f"{options.task} has no variant {name!r}{did_you_mean(name, known)}: it has {', '.join(known)}"
            )
        tasks[name] = overridden(found, options)
    if len(tasks) < least:
        raise TaskError(
            f"{options.task}: a comparison takes two variants at least; it has {', '.join(known)}: add one, or make "
            "one with --try key=value or --models a,b"
        )
    return tasks


def _of_models(options: TaskOptions, task: Task, own: str, models: str) -> dict[str, Task]:
    """A variant for each model, the first named the baseline; of a single one, against the task as it is."""
    names = list(listed("--models", models))
    tasks = {name: overridden(task, _with_model(options, name)) for name in names}
    if len(names) > 1:
        return tasks
    mine = overridden(task, options)
    if mine.model_for() == names[0]:
        raise SettingsError(f"--models {names[0]}: that is the task's own model: name another one")
    return {own: mine, **tasks}


def _with_model(options: TaskOptions, model: str) -> TaskOptions:
    return TaskOptions(
        task=options.task, model=model, param=options.param, tier=options.tier, allow_code=options.allow_code
    )
