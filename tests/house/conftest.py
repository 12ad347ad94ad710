"""The project's files, read once, for the tests that hold the house to its rules."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Source:
    """One Python file: `path` from the project's root, with `/`; its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    def at(self, line: int, what: str) -> str:
        """A violation as editors and terminals link it."""
        return f"{self.path}:{line}: {what}"

    def imports(self) -> Iterator[tuple[str, int]]:
        """Full dotted names of what is imported, with their lines: `from os import path` is `os.path`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((f"{node.module or ''}.{alias.name}", node.lineno) for alias in node.names)

    @cached_property
    def uses(self) -> list[tuple[str, int]]:
        """Dotted names used, with their lines, seen through `import ... as` and `from ... import`."""
        origin: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                origin.update({alias.asname: alias.name for alias in node.names if alias.asname})
            elif isinstance(node, ast.ImportFrom):
                origin.update({a.asname or a.name: f"{node.module or ''}.{a.name}" for a in node.names})
        used: list[tuple[str, int]] = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name | ast.Attribute):
                first, *rest = ast.unparse(node).split(".")
                used.append((".".join([origin.get(first, first), *rest]), node.lineno))
        return used


def parse(text: str, path: str = "src/trivet/some.py") -> Source:
    return Source(path, text, ast.parse(text, path))


def read(*folders: str) -> list[Source]:
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [parse(path.read_text("utf-8"), path.relative_to(ROOT).as_posix()) for path in paths]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def parsed() -> Callable[..., Source]:
    """Makes a source of a text, to try a rule on."""
    return parse


@pytest.fixture(scope="session")
def package() -> list[Source]:
    """Every file of the package."""
    return read("src/trivet")


@pytest.fixture(scope="session")
def tests() -> list[Source]:
    """Every file of the tests."""
    return read("tests")


@pytest.fixture(scope="session")
def python_files(package: list[Source], tests: list[Source]) -> list[Source]:
    """Every Python file of the project."""
    return [*package, *tests, *read("tools", "examples", "benchmarks")]


@pytest.fixture(scope="session")
def text_files() -> dict[str, str]:
    """Every text file that is, or would be, under version control, by its path from the root."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout: no telling which files are the project's")
    found: dict[str, str] = {}
    for name in listing.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file():
            content = path.read_bytes()
            if b"\0" not in content:
                found[name] = content.decode("utf-8", "replace")
    return found
