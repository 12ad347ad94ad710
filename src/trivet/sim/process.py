"""Starts the simulated provider in a process of its own, which ends with the one that started it."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec

from trivet.errors import MachineError
from trivet.sim.scenario import Scenario

_START_S = 60.0
_STOP_S = 5.0


class Simulator:
    """A running simulated provider: a context manager, or `stop()` it. `url` is a base URL for any client."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.identity = scenario.identity()
        self._process, self.url = _launch(scenario)

    def books(self) -> dict[str, Any]:
        """The provider's own books: requests, billed tokens by model and tier, refusals, in flight."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        try:
            connection.request("GET", "/v1/trivet/books")
            return msgspec.json.decode(connection.getresponse().read(), type=dict[str, Any])
        except (OSError, http.client.HTTPException, msgspec.MsgspecError) as error:
            raise MachineError(f"the simulated provider at {self.url} does not answer: {error}") from None
        finally:
            connection.close()

    def stop(self) -> None:
        """End the process; harmless when it has ended."""
        process = self._process
        if process.stdin is not None and not process.stdin.closed:
            process.stdin.close()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "running" if self._process.poll() is None else "stopped"
        return f"<Simulator {self.url} {state}>"


def start(scenario: Scenario | None = None) -> Simulator:
    """Run a simulated provider on a free loopback port, and return once it answers.

    MachineError when the process cannot be started.
    """
    return Simulator(scenario or Scenario())


def _launch(scenario: Scenario) -> tuple[subprocess.Popen[bytes], str]:
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "trivet.sim", scenario.to_json(), str(writing)]
    try:
        process = subprocess.Popen(  # noqa: S603 - the interpreter itself, with arguments of our own
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=(writing,),
            start_new_session=True,  # so that Ctrl-C stops the client first, and the server with it
        )
    except OSError as error:
        os.close(reading)
        raise MachineError(f"the simulated provider could not be started: {error.strerror}") from None
    finally:
        os.close(writing)
    with os.fdopen(reading, "rb") as report:
        said = report.readline().decode().strip()
    if said.startswith("http"):
        return process, said
    process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
    raise MachineError(f"the simulated provider did not start: {said.removeprefix('! ') or 'no reason given'}")
