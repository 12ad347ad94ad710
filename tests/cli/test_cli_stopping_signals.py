"""Signals: the first lets a run end in order wherever it is, the second ends the process at once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from trivet.cli.stopping import SIGNALS, signals_given_back, stopping


async def ended(number: int) -> list[str]:
    """What a run that gets a signal behind its last row calls."""
    calls: list[str] = []
    with stopping(lambda: calls.append("stop")):
        await asyncio.sleep(0)
    os.kill(os.getpid(), number)
    await asyncio.sleep(0)
    return calls


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_behind_the_last_row_leaves_the_results_to_be_written(number: int, capsys) -> None:
    """It neither ends the process nor stops anything, says so, and means afterwards what it meant before."""
    before = [signal.getsignal(each) for each in SIGNALS]
    with signals_given_back():
        assert asyncio.run(ended(number)) == []
    assert "results are being written" in capsys.readouterr().err
    assert [signal.getsignal(each) for each in SIGNALS] == before


SECOND = """
import asyncio, os, signal
from trivet.cli.stopping import stopping

async def run():
    with stopping(lambda: None):
        os.kill(os.getpid(), signal.{first})
        await asyncio.sleep(0.05)
    os.kill(os.getpid(), signal.{second})
    print("still here")

asyncio.run(run())
"""


@pytest.mark.parametrize(("first", "second"), [("SIGINT", "SIGINT"), ("SIGTERM", "SIGINT")])
def test_a_second_signal_ends_the_process_behind_the_last_row_too(first: str, second: str) -> None:
    """130 at once, even where the first came while rows were in flight."""
    script = SECOND.format(first=first, second=second)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (130, b""), done.stderr
    assert b"calls in flight may finish" in done.stderr
