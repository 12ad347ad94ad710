"""The `trivet` command: its commands, and how every error ends."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from trivet import errors
from trivet.cli import compare_options as c
from trivet.cli import options as o
from trivet.wording import plain

DONE, SOME_FAILED, WRONG_USAGE, OVER_BUDGET, STOPPED, INTERRUPTED = 0, 1, 2, 3, 4, 130

app = typer.Typer(
    name="trivet",
    help="Cut your LLM bill, and prove the answers did not get worse.",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
cache_app = typer.Typer(help="The cache: what it holds, and making it smaller.")
app.add_typer(cache_app, name="cache")


@app.callback(invoke_without_command=True)
def top(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Cut your LLM bill, and prove the answers did not get worse."""
    if version:
        from trivet import __version__
        from trivet.cli.show import say

        say(f"trivet {__version__}")
        raise typer.Exit
    _help_when_bare(context)


@cache_app.callback(invoke_without_command=True)
def cache_top(context: typer.Context) -> None:
    """The cache: what it holds, and making it smaller."""
    _help_when_bare(context)


def _help_when_bare(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        from trivet.cli.show import say

        say(context.get_help())
        raise typer.Exit(WRONG_USAGE)


@app.command(epilog="Example: trivet run task.toml rows.jsonl -o results.jsonl --budget 5.00")
def run(
    task: o.TaskFile,
    data: o.Data,
    out: o.Out = None,
    model: o.Model = None,
    variant: o.Variant = None,
    param: o.Param = None,
    tier: o.Tier = None,
    sim: o.Sim = False,
    base_url: o.BaseUrl = None,
    cache: o.Cache = None,
    shared: o.Shared = None,
    ttl: o.Ttl = None,
    budget: o.Budget = None,
    concurrency: o.Concurrency = None,
    rpm: o.Rpm = None,
    tpm: o.Tpm = None,
    retries: o.Retries = None,
    timeout: o.Timeout = None,
    first: o.First = None,
    sample: o.Sample = None,
    seed: o.Seed = None,
    shard: o.Shard = None,
    map: o.Map = None,
    id: o.Id = None,
    keep: o.Keep = None,
    format: o.Format = None,
    fresh: o.Fresh = False,
    retry_failed: o.RetryFailed = False,
    dry_run: o.DryRun = False,
    keep_going: o.KeepGoing = False,
    durable: o.Durable = False,
    allow_code: o.AllowCode = False,
    tag: o.Tag = None,
    log: o.Log = None,
    runs: o.Runs = Path("runs"),
    as_json: o.Json = False,
) -> None:
    """Run a task over a dataset: progress, results, summary. An interrupted run is taken up where it stopped."""
    given = locals()
    from trivet.cli.run import RunOptions, execute

    raise typer.Exit(execute(o.pick(RunOptions, given)))


@app.command(epilog="Example: trivet compare task.toml rows.jsonl --variants base,short --truth category")
def compare(
    task: o.TaskFile,
    data: o.Data,
    variants: c.Variants = None,
    models: c.Models = None,
    tries: c.Tries = None,
    keep_proven: c.KeepProven = False,
    truth: c.Truth = None,
    scorer: c.Scorer = None,
    margin: c.Margin = 0.02,
    alpha: c.Alpha = 0.05,
    control: c.Control = None,
    stream: c.Stream = False,
    rate: c.Rate = None,
    objective: c.Objective = None,
    time_alone: c.TimeAlone = False,
    every_row: c.EveryRow = False,
    calibrate: c.Calibrate = True,
    fresh: c.Fresh = False,
    model: o.Model = None,
    param: o.Param = None,
    tier: o.Tier = None,
    sim: o.Sim = False,
    base_url: o.BaseUrl = None,
    cache: o.Cache = None,
    shared: o.Shared = None,
    budget: o.Budget = None,
    concurrency: o.Concurrency = None,
    rpm: o.Rpm = None,
    tpm: o.Tpm = None,
    retries: o.Retries = None,
    timeout: o.Timeout = None,
    first: o.First = None,
    sample: o.Sample = None,
    seed: c.Seed = None,
    map: o.Map = None,
    format: o.Format = None,
    allow_code: o.AllowCode = False,
    log: o.Log = None,
    tag: o.Tag = None,
    runs: o.Runs = Path("runs"),
    as_json: o.Json = False,
) -> None:
    """Variants of a task over the same rows, side by side, with a verdict. The cache is not read."""
    given = locals()
    from trivet.cli.compare import CompareOptions, execute

    raise typer.Exit(execute(o.pick(CompareOptions, given)))


@app.command(epilog="Example: trivet explain task.toml rows.jsonl --usage-tier 2 --deadline 6h")
def explain(
    task: o.TaskFile,
    data: o.Data,
    usage_tier: o.UsageTier = None,
    deadline: o.Deadline = None,
    pilot: o.Pilot = None,
    model: o.Model = None,
    variant: o.Variant = None,
    param: o.Param = None,
    tier: o.Tier = None,
    sim: o.Sim = False,
    base_url: o.BaseUrl = None,
    cache: o.Cache = None,
    ttl: o.Ttl = None,
    budget: o.Budget = None,
    concurrency: o.Concurrency = None,
    rpm: o.Rpm = None,
    tpm: o.Tpm = None,
    timeout: o.Timeout = None,
    first: o.First = None,
    sample: o.Sample = None,
    seed: o.Seed = None,
    shard: o.Shard = None,
    map: o.Map = None,
    format: o.Format = None,
    allow_code: o.AllowCode = False,
    as_json: o.Json = False,
) -> None:
    """What a run will cost and how long it will take, before a cent is spent; and what would make it cheaper."""
    given = locals()
    from trivet.cli.explain import ExplainOptions, execute

    raise typer.Exit(execute(o.pick(ExplainOptions, given)))


@app.command(epilog="Example: trivet lint task.toml --variant verbose")
def lint(
    task: Annotated[
        str,
        typer.Argument(metavar="TASK", help="A task file (.toml), a prompt file, or - for stdin.", show_default=False),
    ],
    variant: o.Variant = None,
    model: o.Model = None,
    write: o.Write = None,
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 where anything is found.")] = False,
    rewrite: Annotated[
        bool, typer.Option("--rewrite", help="Ask a model for a shorter prompt, too; costs it.")
    ] = False,
    sim: o.Sim = False,
    base_url: o.BaseUrl = None,
    budget: o.Budget = None,
    timeout: o.Timeout = None,
    allow_code: o.AllowCode = False,
    as_json: o.Json = False,
) -> None:
    """What wastes tokens in a prompt, and the shorter prompt, as a diff; offline, and nothing is changed."""
    given = locals()
    from trivet.cli.lint import LintOptions, execute

    raise typer.Exit(execute(o.pick(LintOptions, given)))


@app.command(epilog="Example: trivet join runs/tickets-1 runs/tickets-2 -o results.jsonl")
def join(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders of shards of one dataset.", show_default=False)
    ],
    out: o.Out = None,
    fresh: o.Fresh = False,
    as_json: o.Json = False,
) -> None:
    """Put the results of shards together, in the order of the rows; say which rows are missing."""
    given = locals()
    from trivet.cli.join import JoinOptions, execute

    raise typer.Exit(execute(o.pick(JoinOptions, given)))


@app.command(epilog="Example: trivet report runs/tickets-20261122-101500 -o report.html")
def report(
    what: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run folders, comparison folders.", show_default=False),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The page.")] = Path("report.html"),
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Every call as a line of CSV, too.")] = None,
    with_text: Annotated[
        bool, typer.Option("--with-text", help="Show what models wrote, messages and ids, too.")
    ] = False,
    as_json: o.Json = False,
) -> None:
    """A page of one run or several: cost by kind, latency, what happened when, failures, verdicts."""
    given = locals()
    from trivet.cli.report import ReportOptions, execute

    raise typer.Exit(execute(o.pick(ReportOptions, given)))


@app.command(epilog="Example: trivet sim --port 8080, then base_url=http://127.0.0.1:8080/v1 in any client")
def sim(
    port: Annotated[int, typer.Option("--port", help="The port; 0 for a free one.", min=0, max=65535)] = 8080,
    host: Annotated[str, typer.Option("--host", help="Where to listen; loopback unless told otherwise.")] = "127.0.0.1",
    set: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the scenario, like tier=1; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The seed of all draws.")] = 0,
    null: Annotated[
        bool, typer.Option("--null", help="Answer at once, always the same; to calibrate clients.")
    ] = False,
    describe: Annotated[
        bool, typer.Option("--describe", help="Print every constant with its source, and end.")
    ] = False,
    as_json: o.Json = False,
) -> None:
    """The simulated provider as a server, for tests, demos and capacity planning."""
    given = locals()
    from trivet.cli.sim import SimOptions, execute

    raise typer.Exit(execute(o.pick(SimOptions, given)))


@app.command(epilog="Example: trivet doctor --base-url http://127.0.0.1:8000/v1 --model my-model --yes")
def doctor(
    model: o.Model = None,
    sim: o.Sim = False,
    base_url: o.BaseUrl = None,
    timeout: o.Timeout = "30s",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before calling.")] = False,
    as_json: o.Json = False,
) -> None:
    """A dozen calls, under a cent: which documented behaviours this server and key really show."""
    given = locals()
    from trivet.cli.doctor import DoctorOptions, execute

    raise typer.Exit(execute(o.pick(DoctorOptions, given)))


@cache_app.command("stats", epilog="Example: trivet cache stats --cache sqlite:///answers.db")
def cache_stats(cache: o.Cache = None, as_json: o.Json = False) -> None:
    """What the cache holds."""
    from trivet.cli.cache import stats

    raise typer.Exit(stats(cache, as_json=as_json))


@cache_app.command("prune", epilog="Example: trivet cache prune --older-than 30d --size 500MB")
def cache_prune(
    cache: o.Cache = None,
    older_than: Annotated[str | None, typer.Option("--older-than", metavar="30d", help="Forget older answers.")] = None,
    size: Annotated[
        str | None, typer.Option("--size", metavar="500MB", help="Shrink to this, least used first.")
    ] = None,
    as_json: o.Json = False,
) -> None:
    """Make the cache smaller."""
    from trivet.cli.cache import prune

    raise typer.Exit(prune(cache, older_than=older_than, to_size=size, as_json=as_json))


@cache_app.command("clear", epilog="Example: trivet cache clear --yes")
def cache_clear(
    cache: o.Cache = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: o.Json = False,
) -> None:
    """Forget every answer."""
    from trivet.cli.cache import clear

    raise typer.Exit(clear(cache, yes=yes, as_json=as_json))


def exit_code(error: BaseException) -> int:
    """What an error means for the caller of the command."""
    if isinstance(error, errors.UsageError | errors.MissingExtra):
        return WRONG_USAGE
    if isinstance(error, errors.BudgetError):
        return OVER_BUDGET
    return STOPPED


def fail(message: str, code: str, status: int) -> int:
    """Tell the error: a sentence on standard error, or with `--json` a document on standard output."""
    if "--json" in sys.argv:
        print(json.dumps({"error": {"code": code, "message": plain(message)}, "exit": status}))  # noqa: T201
    else:
        print(f"trivet: {plain(message)}", file=sys.stderr)  # noqa: T201
    return status


def _unforeseen(error: Exception) -> int:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, errors.TrivetError):
        return fail(str(error), error.code, exit_code(error))
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    message = f"a mistake in trivet itself: {type(error).__name__}: {error}{place}; what was written is safe"
    return fail(message, "internal", STOPPED)


def main() -> None:
    """The entry point: runs a command, and turns every error into one sentence and an exit code."""
    sys.exit(_main())


def _open_standard_streams() -> None:
    """A process may be started with its standard streams closed; sockets must not come to stand in their place."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            setattr(sys, name, os.fdopen(opened, mode, closefd=False))


def _main() -> int:
    _open_standard_streams()
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else DONE
    except (KeyboardInterrupt, typer.Abort):
        return fail("interrupted", "interrupted", INTERRUPTED)
    except typer.TyperException as error:
        return fail(f"{error.format_message()} (see --help)", "usage", WRONG_USAGE)
    except errors.TrivetError as error:
        return fail(str(error), error.code, exit_code(error))
    except BrokenPipeError:  # the reader of our output has gone: `trivet ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        return fail(f"this machine can't go on: {error}", "machine", STOPPED)
    except Exception as error:  # noqa: BLE001 - what nobody foresaw is a sentence too, with the place to look at
        return _unforeseen(error)


if __name__ == "__main__":
    main()
