"""The habits of docs/design/house.md that a syntax tree can check, for every file of the project."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath
from typing import Any

import grimp
import pytest

import trivet

FILE_LINES = 400
FUNCTION_LINES = 60
PUBLIC_NAMES = 25
PROTOCOLS = 5

VAGUE = {"util", "utils", "common", "helper", "helpers", "misc"}

# Rooms that know no clock: time is passed in. The shells of the simulator are where its clock is.
PURE = ("limits/", "wire/", "stats/", "prices/", "sim/", "records.py", "types.py", "keys.py", "tokens.py")
CLOCK_SHELLS = ("sim/server.py", "sim/inprocess.py", "sim/__main__.py")
CLOCKS = ("time.time", "time.monotonic", "time.perf_counter", "datetime.now", "datetime.utcnow", "date.today")

BARE_TASKS = ("asyncio.create_task", "asyncio.ensure_future", "asyncio.gather")

# Where a rule does not hold, and why.
ENVIRONMENT = {"settings.py": "the one reader of the environment"}
TOML = {"settings.py": "the user's settings", "tasks/file.py": "task files"}
STDOUT = {
    "cli/": "the command line",
    "openai/program.py": "flushes that of the program it runs",
    "sim/__main__.py": "hands its address to whoever started it",
}
TASKS = {"engine/flights.py": "owns the flights that outlive their first caller"}


def within(path: str, places: Iterable[str]) -> bool:
    name = path.removeprefix("src/trivet/")
    return any(name == place or (place.endswith("/") and name.startswith(place)) for place in places)


def ends_with(name: str, endings: Iterable[str]) -> bool:
    return any(name == ending or name.endswith("." + ending) for ending in endings)


def none_of(violations: Iterable[str]) -> None:
    found = sorted(set(violations))
    assert not found, "\n".join(["", *found])


def uses_outside(sources: Any, allowed: Iterable[str], rule: Callable[[str], bool]) -> list[str]:
    outside = [source for source in sources if not within(source.path, allowed)]
    return [s.at(line, name) for s in outside for name, line in s.uses if rule(name)]


def functions(source: Any) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    nodes = ast.walk(source.tree)
    return (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_no_file_is_longer_than_400_lines(python_files: Any) -> None:
    lengths = [(source, source.text.count("\n")) for source in python_files]
    none_of(source.at(n, f"{n} lines") for source, n in lengths if n > FILE_LINES)


def test_no_function_is_longer_than_60_lines(python_files: Any) -> None:
    none_of(
        source.at(function.lineno, f"{function.name} has {lines} lines")
        for source in python_files
        for function in functions(source)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    )


def test_no_module_has_a_name_that_says_nothing(python_files: Any) -> None:
    none_of(
        source.path
        for source in python_files
        if VAGUE & {part.strip("_") for part in PurePosixPath(source.path).with_suffix("").parts}
    )


def test_no_import_is_relative(python_files: Any) -> None:
    none_of(
        source.at(node.lineno, "relative import")
        for source in python_files
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.level
    )


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("trivet", cache_dir=None)
    # The package itself imports its parts for type checkers only; at run time it loads them on first use.
    imports = {m: graph.find_modules_directly_imported_by(m) for m in graph.modules if m != "trivet"}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as found:
        pytest.fail(" -> ".join(found.args[1]))


def test_the_environment_is_read_in_one_place(package: Any) -> None:
    names = ("os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv")
    none_of(uses_outside(package, ENVIRONMENT, lambda name: name in names))


def test_toml_is_read_where_files_are_the_users(package: Any) -> None:
    none_of(uses_outside(package, TOML, lambda name: name.split(".")[0] == "tomllib"))


def test_standard_output_belongs_to_the_command_line(package: Any) -> None:
    names = ("print", "builtins.print", "sys.stdout", "sys.__stdout__")
    none_of(uses_outside(package, STDOUT, lambda name: name in names))


def test_tasks_are_started_in_task_groups(package: Any) -> None:
    """`loop.create_task` is as bare as `asyncio.create_task`; a task group's own is what is wanted."""

    def bare(name: str) -> bool:
        owner, _, method = name.rpartition(".")
        return name in BARE_TASKS or (method == "create_task" and "loop" in owner)

    none_of(uses_outside(package, TASKS, bare))


def test_pure_rooms_know_no_clock(package: Any) -> None:
    pure = [s for s in package if within(s.path, PURE)]
    none_of(uses_outside(pure, CLOCK_SHELLS, lambda name: ends_with(name, CLOCKS)))


def test_the_package_has_few_public_names() -> None:
    assert 0 < len(trivet.__all__) <= PUBLIC_NAMES


def test_protocols_are_few(package: Any) -> None:
    found = [
        source.at(node.lineno, node.name)
        for source in package
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).split("[")[0] in ("Protocol", "typing.Protocol") for base in node.bases)
    ]
    assert len(found) <= PROTOCOLS, "\n".join(["", *found])


def test_tests_fake_nothing_by_patching(tests: Any) -> None:
    imported = [s.at(line, name) for s in tests for name, line in s.imports() if "unittest.mock" in name]
    patched = uses_outside(tests, (), lambda name: name.endswith("monkeypatch.setattr"))
    none_of([*imported, *patched])


def test_tests_do_not_block_in_sleep(tests: Any) -> None:
    polled = ("tests/cli/test_cli_interrupted.py",)  # watches the files of another process
    none_of(uses_outside(tests, polled, lambda name: name == "time.sleep"))


def test_every_test_says_what_must_hold(tests: Any) -> None:
    """By its name, in three words or more, or in a docstring."""
    none_of(
        source.at(function.lineno, function.name)
        for source in tests
        for function in functions(source)
        if function.name.startswith("test_") and len(function.name.split("_")) < 4 and not ast.get_docstring(function)
    )


def test_no_two_test_files_share_a_name(tests: Any) -> None:
    names = [PurePosixPath(source.path).name for source in tests]
    none_of(name for name in names if name != "conftest.py" and names.count(name) > 1)
