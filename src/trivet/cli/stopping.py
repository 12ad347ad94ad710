"""What Ctrl-C and SIGTERM do to a run: the first lets it end in order, the second ends the process at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trivet.cli import progress
from trivet.cli.show import note

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[None]:
    """The first signal calls `stop`. Behind the last row it changes nothing: what is left is writing, and is short.

    A run that was cut off there would have its results in place and say that it was interrupted.
    """
    loop = asyncio.get_running_loop()
    asked = False

    def first() -> None:
        nonlocal asked
        if asked:
            progress.restore()
            os._exit(130)
        asked = True

    def during(*_: object) -> None:
        first()
        note("trivet: stopping; calls in flight may finish (Ctrl-C again to leave at once)")
        stop()

    def after(*_: object) -> None:
        first()
        note("trivet: nothing more is asked, and the results are being written (Ctrl-C again to leave at once)")

    for number in SIGNALS:
        loop.add_signal_handler(number, during)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # or one that comes between the two would end the process
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, after)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


@contextmanager
def signals_given_back() -> Iterator[None]:
    """Signals do again, behind this, what they did before."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
