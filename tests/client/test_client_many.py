"""Thousands of calls in flight at once, on both event loops, and few file descriptors."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import trivet
from trivet.client.door import new_loop
from trivet.transport.descriptors import RESERVED, allow_connections, connections_allowed

MANY = 5000
OPENING = 200  # twice as many as the server answers at once
HANGS = 300.0  # seconds after which the calls are taken to wait for each other for ever
FEW = """
import asyncio, sys, trivet
async def main(url):
    held = [open("/dev/null") for _ in range(int(sys.argv[2]))]
    async with trivet.AsyncClient(base_url=url, api_key="any", cache=None) as client:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(client.respond(f"Say {n}.", max_output_tokens=500)) for n in range(300)]
    print(client.concurrency, sum(task.result().status == "completed" for task in tasks))
asyncio.run(main(sys.argv[1]))
"""


@contextmanager
def waiting_for(many: int) -> Iterator[str]:
    """The base URL of a server that answers once so many requests are with it."""
    script = Path(__file__).parent / "many_at_once.py"
    command = ["sh", "-c", 'ulimit -n "$(ulimit -Hn)"; exec "$@"', "sh", sys.executable, str(script), str(many)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        finally:
            server.kill()


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, new_loop], ids=["asyncio", "fastest"])
def test_five_thousand_calls_are_in_flight_at_once(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """A server that answers nobody before all of them are there answers all of them."""
    allow_connections(MANY)
    allowed = connections_allowed()
    if allowed is not None and allowed < MANY:
        pytest.skip(f"this process may open {allowed + RESERVED} files, and {MANY + RESERVED} are needed")

    async def ask_all(url: str) -> int:
        limits = trivet.Limits(concurrency=MANY)
        async with trivet.AsyncClient(base_url=url, api_key="any", cache=None, limits=limits, timeout=600) as client:
            async with asyncio.timeout(HANGS), asyncio.TaskGroup() as group:
                tasks = [group.create_task(client.respond(f"Say {n}.")) for n in range(MANY + OPENING)]
            return sum(task.result().text == "yes" for task in tasks)

    with waiting_for(MANY) as url, asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(ask_all(url)) == MANY + OPENING


@pytest.mark.parametrize("held", [0, 200])
def test_few_descriptors_mean_fewer_calls_at_once(scripted: Callable[..., object], held: int) -> None:
    """Under `ulimit -n 256` all calls are answered, even when the program has most of the descriptors itself."""
    answer = b'{"id":"r","object":"response","status":"completed","model":"m","output":[{"type":"message",'
    answer += b'"role":"assistant","content":[{"type":"output_text","text":"yes"}]}]}'
    server = scripted(200, answer)
    command = ["sh", "-c", 'ulimit -n 256; exec "$@"', "sh", sys.executable, "-c", FEW]
    url = server.url  # type: ignore[attr-defined]
    done = subprocess.run([*command, url, str(held)], capture_output=True, text=True, check=False)
    assert done.stdout == f"{256 - RESERVED} 300\n", done.stderr
