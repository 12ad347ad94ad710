"""A rule that nothing can break is no rule: what the shape tests look for is seen however it is spelt."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import os\nos.environ['A']", "os.environ"),
        ("import os as o\no.environ.get('A')", "os.environ"),
        ("from os import environ\nenviron['A']", "os.environ"),
        ("from os import getenv as g\ng('A')", "os.getenv"),
        ("import asyncio as aio\naio.gather(a, b)", "asyncio.gather"),
        ("from asyncio import create_task\ncreate_task(f())", "asyncio.create_task"),
        (
            "import asyncio\nasyncio.get_running_loop().create_task(f())",
            "asyncio.get_running_loop().create_task",
        ),
        ("self._loop.create_task(f())", "self._loop.create_task"),
        ("import sys\nsys.stdout.buffer.write(b'')", "sys.stdout"),
        ("from datetime import datetime as d\nd.now()", "datetime.datetime.now"),
        ("def f():\n    import time\n    time.sleep(1)", "time.sleep"),
        ("import tomllib as t\nt.load(f)", "tomllib.load"),
    ],
)
def test_a_name_is_seen_through_aliases(parsed: Any, code: str, name: str) -> None:
    assert name in [used for used, _ in parsed(code).uses]


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("from unittest import mock", "unittest.mock"),
        ("import unittest.mock as m", "unittest.mock"),
        ("from unittest.mock import Mock", "unittest.mock.Mock"),
        ("def f():\n    from trivet.errors import DataError", "trivet.errors.DataError"),
    ],
)
def test_an_import_is_seen_wherever_it_stands(parsed: Any, code: str, name: str) -> None:
    assert name in [imported for imported, _ in parsed(code).imports()]


def test_a_task_group_is_not_taken_for_a_loop(parsed: Any) -> None:
    names = [used for used, _ in parsed("async with asyncio.TaskGroup() as g:\n    g.create_task(f())").uses]
    assert "g.create_task" in names
    assert "asyncio.create_task" not in names


def test_the_place_is_given_as_editors_link_it(parsed: Any) -> None:
    source = parsed("\nprint(1)\n", "src/trivet/a.py")
    assert [source.at(line, name) for name, line in source.uses if name == "print"] == ["src/trivet/a.py:2: print"]
