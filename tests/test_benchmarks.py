"""The benchmarks run, and what they say of memory at a million rows holds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SMALL = {
    "throughput": ["--calls", "100", "--turns", "1", "--no-sdk", "--no-peers"],
    "cache_hits": ["--entries", "100", "--hits", "100", "--turns", "1", "--no-peers"],
    "memory": ["--most", "300"],
    "start_up": ["--turns", "1"],
}


def measured(name: str, *arguments: str) -> list[dict[str, Any]]:
    """The lines of a benchmark's table."""
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return lines


@pytest.mark.parametrize("name", SMALL)
def test_a_small_one_runs(name: str) -> None:
    """Each benchmark does its work and gives a ratio to its control."""
    lines = measured(name, *SMALL[name])
    assert lines
    assert all(line["ours"] and line["control"] and line["ratio"] for line in lines)


def test_all_of_them_are_run_together_and_described() -> None:
    """`all.py` and the folder's page leave none out."""
    page, together = (BENCHMARKS / "README.md").read_text(), (BENCHMARKS / "all.py").read_text()
    for name in (*SMALL, "limit_tracking"):
        assert f"| `{name}.py` |" in page
        assert together.count(f'"{name}"') >= 2
    for file in BENCHMARKS.glob("*.py"):
        assert f"`{file.name}" in page or f"/{file.name}`" in page, file.name


@pytest.mark.soak
def test_a_million_rows_in_flat_memory() -> None:
    """A run of a million rows, stopped, taken up and joined, stays under 300 MB, as a tenth of it does."""
    flat = measured("memory")[0]
    assert float(flat["ours"].split()[0]) < 300
    assert flat["ratio"] < 1.5  # page caches fill up meanwhile
