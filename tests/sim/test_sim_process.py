"""A simulated provider in a process of its own, which never outlives the one that started it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import pytest

from trivet import sim
from trivet.errors import MachineError
from trivet.sim.scenario import Faults, Scenario

PARENT = """
import sys, time
from trivet import sim
server = sim.start(sim.Scenario(null=True))
print(server._process.pid, flush=True)
sys.stdin.read()
"""


def gone(pid: int) -> bool:
    """Whether the process ends within ten seconds."""
    descriptor = os.pidfd_open(pid)
    try:
        return bool(select.select([descriptor], [], [], 10)[0])
    finally:
        os.close(descriptor)


def test_it_starts_serves_and_stops() -> None:
    """With its books, its identity and a repr that says where it is."""
    scenario = Scenario(null=True, seed=7)
    with sim.start(scenario) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert server.url.endswith("/v1")
        assert server.identity == scenario.identity()
        assert server.books()["requests"] == 0
        assert "running" in repr(server)
    assert "stopped" in repr(server)
    server.stop()
    with pytest.raises(MachineError, match="does not answer"):
        server.books()


def test_it_starts_from_a_thread_and_outlives_it() -> None:
    """The thread may end; the process is the owner."""
    made: list[sim.Simulator] = []
    thread = threading.Thread(target=lambda: made.append(sim.start(Scenario(null=True))))
    thread.start()
    thread.join(30)
    try:
        assert made[0].books()["requests"] == 0
    finally:
        made[0].stop()


def test_stopping_with_requests_in_flight_is_quick_and_silent(capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is said of those that hang."""
    server = sim.start(Scenario(faults=Faults(hang=1.0)))
    body = b'{"model":"gpt-5.4-mini","input":"x"}'
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = f"POST /v1/responses HTTP/1.1\r\nauthorization: Bearer k\r\ncontent-length: {len(body)}\r\n"
        connection.sendall(head.encode() + b"content-type: application/json\r\n\r\n" + body)
        while not server.books()["in_flight"]:
            pass
        began = time.perf_counter()
        server.stop()
    assert time.perf_counter() - began < 4
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux to wait for a process that is not a child")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, None])
def test_it_ends_when_its_parent_dies_in_any_way(how: signal.Signals | None) -> None:
    """Killed, terminated, or simply at its end without a word."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        if how is None:
            parent.stdin.close()
        else:
            parent.send_signal(how)
        parent.wait(10)
    with contextlib.suppress(ProcessLookupError):
        assert gone(child)


def test_a_scenario_that_cannot_be_is_reported_with_its_reason() -> None:
    """What the child says is what the caller reads."""
    done = subprocess.run(
        [sys.executable, "-m", "trivet.sim", '{"tier": 9}', "1"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stdout.startswith("! tier is 9")


def test_importing_the_simulator_loads_nothing_heavy() -> None:
    """No server, no tokenizer, no event loop."""
    code = (
        "import sys, trivet.sim; trivet.sim.start; trivet.sim.Scenario;"
        "sys.exit(' '.join({'uvicorn', 'tiktoken', 'asyncio', 'httptools'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
