"""A server at its worst, on real sockets: every row ends, the books agree, and nothing is left open."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import trivet
from trivet import sim
from trivet.errors import ProtocolError, RepeatedError, TransportError
from trivet.jobs.record_lines import decoded
from trivet.testing import servers

TASK = trivet.Task(
    "Classify into one of: {{ labels | join(', ') }}. Return only the label.\n\nTicket:\n{{ ticket }}",
    output=trivet.Labels("billing", "technical_support"),
    params={"max_output_tokens": 16},
)
FAULTS = (
    *("rate_limit", "server_error", "overloaded", "bad_gateway", "reset", "cut", "hang", "slow", "html"),
    *("malformed", "empty_body", "empty_text", "failed", "refusal", "content_filter", "truncated"),
)


def rows(count: int) -> list[dict[str, str]]:
    return [{"ticket": f"please refund payment {n}"} for n in range(count)]


@asynccontextmanager
async def leaving_nothing() -> AsyncIterator[None]:
    """No file descriptor and no task is there afterwards that was not there before."""
    before, tasks = len(os.listdir("/dev/fd")), len(asyncio.all_tasks())
    yield
    for _ in range(100):
        gc.collect()
        if len(os.listdir("/dev/fd")) <= before and len(asyncio.all_tasks()) <= tasks:
            return
        await asyncio.sleep(0.02)
    assert len(os.listdir("/dev/fd")) <= before
    assert len(asyncio.all_tasks()) <= tasks


async def run_of(
    url: str, count: int, folder: Path, *, keep_going: bool = False, **options: Any
) -> tuple[trivet.Summary, list[trivet.Result]]:
    """A whole run, whatever ends it."""
    results: list[trivet.Result] = []
    async with trivet.AsyncClient(base_url=url, api_key="any", cache=None, **options) as client:
        run = client.map(TASK, rows(count), folder=folder, keep_going=keep_going)
        with suppress(TransportError):
            results.extend([result async for result in run])
        return await run.summary, results


async def test_a_third_of_all_attempts_failing_in_every_way(tmp_path: Path) -> None:
    """Each row has its answer or its reason, and attempts and doubtful bills agree with the provider's books."""
    share = 0.3 / len(FAULTS)
    scenario = sim.Scenario(time_scale=0.02, seed=7, faults=sim.Faults(**dict.fromkeys(FAULTS, share)))
    with sim.start(scenario) as server:
        async with leaving_nothing():
            summary, results = await run_of(server.url, 400, tmp_path, timeout=1.0)
        books = server.books()
        for _ in range(100):
            if books["in_flight"] == 0:
                break
            await asyncio.sleep(0.05)
            books = server.books()
    assert [result.n for result in results] == list(range(400))
    assert all((result.error is None) == (result.output is not None) for result in results)
    assert (summary.rows, summary.interrupted) == (400, False)
    assert summary.ok > 300
    assert set(books["faults"]) == set(FAULTS)
    assert summary.calls.attempts == books["requests"]
    assert books["in_flight"] == 0
    billed = sum(line["requests"] for line in books["billed"].values())
    known = billed_attempts(tmp_path)
    assert known <= billed <= known + summary.possibly_billed
    charged = sum(line["input"] for line in books["billed"].values())
    assert summary.tokens.input <= charged


def billed_attempts(folder: Path) -> int:
    """Attempts whose bill is known."""
    lines = next(folder.glob("*/ledger.jsonl")).read_bytes().splitlines()
    return sum(attempt.usage is not None for line in lines for attempt in decoded(line).attempts)


@asynccontextmanager
async def answering(script: Callable[[servers.Peer], Any]) -> AsyncIterator[str]:
    async with servers.serving(script) as server:
        yield server.url("/v1")


async def test_a_server_that_accepts_and_never_answers(tmp_path: Path) -> None:
    """The run ends, says so, and leaves no socket; what it has asked is possibly billed."""
    async with answering(servers.silent) as url, leaving_nothing():
        summary, _ = await run_of(url, 30, tmp_path, timeout=0.3, retries=1)
    assert summary.interrupted
    assert summary.ok == 0
    assert set(summary.failures) <= {"transport_timeout"}
    assert summary.possibly_billed >= summary.calls.attempts > 0


async def test_a_server_that_stops_answering_in_the_middle(answer: Callable[..., bytes], tmp_path: Path) -> None:
    """It has answered before, so each later row has its reason, and the run ends by itself."""
    served = 0

    async def script(peer: servers.Peer) -> None:
        nonlocal served
        while await peer.request():
            served += 1
            if served > 10:
                await peer.gone()
                return
            await peer.send(servers.reply(answer("billing"), "content-type: application/json"))

    async with answering(script) as url, leaving_nothing():
        summary, _ = await run_of(url, 30, tmp_path, timeout=0.5, retries=0)
    assert (summary.rows, summary.ok, summary.interrupted) == (30, 10, False)
    assert summary.failures == {"transport_timeout": 20}
    assert summary.possibly_billed == 20


async def test_a_server_that_answers_byte_by_byte(answer: Callable[..., bytes], tmp_path: Path) -> None:
    """Slowly is not wrong: every row is answered once."""

    async def script(peer: servers.Peer) -> None:
        while await peer.request():
            whole = servers.reply(answer("billing"), "content-type: application/json")
            await peer.send(*[whole[place : place + 1] for place in range(len(whole))])

    async with answering(script) as url, leaving_nothing():
        summary, _ = await run_of(url, 20, tmp_path, timeout=20.0)
    assert (summary.ok, summary.calls.attempts, summary.possibly_billed) == (20, 20, 0)


@pytest.mark.parametrize("reset", [False, True])
async def test_a_server_that_cuts_its_bodies(answer: Callable[..., bytes], tmp_path: Path, reset: bool) -> None:
    """Half an answer is no answer, though it may be billed: each row is tried again, and then has its reason."""
    whole = servers.reply(answer("billing"), "content-type: application/json")
    served = 0

    async def script(peer: servers.Peer) -> None:
        nonlocal served
        while await peer.request():
            served += 1
            if served <= 1:
                await peer.send(whole)
                continue
            await peer.send(whole[:-40])
            peer.reset() if reset else peer.finish()
            return

    async with answering(script) as url, leaving_nothing():
        summary, _ = await run_of(url, 20, tmp_path, timeout=5.0, retries=1)
    assert (summary.rows, summary.ok, summary.interrupted) == (20, 1, False)
    assert summary.calls.attempts == served == 1 + 19 * 2
    assert summary.possibly_billed == 19 * 2


CALLS = ("trivet.", "asyncio.", "_asyncio.", "uvloop.", "socket.", "builtins.coroutine", "builtins.frame")
"""What a call that is not let go of would hold, and no other test of this process makes meanwhile."""


async def test_failures_leave_nothing_in_memory(answer: Callable[..., bytes], tmp_path: Path) -> None:
    """Ten times as many rows, most of them failed, leave no more objects behind than the first ones did."""
    served = 0

    async def script(peer: servers.Peer) -> None:
        nonlocal served
        while await peer.request():
            served += 1
            whole = servers.reply(answer("billing"), "content-type: application/json")
            if served % 7 == 1:  # the first one too: a server that never answered ends a run
                await peer.send(whole)
                continue
            await peer.send(whole[:-40])
            peer.reset()
            return

    left: list[Counter[str]] = []
    async with answering(script) as url, leaving_nothing():
        for count in (30, 30, 300):
            summary, _ = await run_of(url, count, tmp_path, timeout=5.0, retries=0, keep_going=True)
            assert (summary.rows, summary.interrupted) == (count, False)
            assert summary.failed > count / 2
            del summary, _
            gc.collect()
            kinds = (type(each) for each in gc.get_objects() if not isinstance(each, servers.Received))
            names = (f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)
            left.append(Counter(name for name in names if name.startswith(CALLS)))
    grown = left[2] - left[1]
    assert grown.total() < 150, grown.most_common(10)


async def test_rows_that_fail_alike_end_a_run_in_python_too(answer: Callable[..., bytes], tmp_path: Path) -> None:
    """The rows that failed come first, then the one error; with `keep_going` every row comes."""

    async def script(peer: servers.Peer) -> None:
        while await peer.request():
            await peer.send(servers.reply(answer("nonsense"), "content-type: application/json"))

    async with answering(script) as url, trivet.AsyncClient(base_url=url, api_key="any", cache=None) as client:
        seen = 0
        with pytest.raises(RepeatedError, match="nonsense"):
            async for result in client.map(TASK, rows(500), folder=tmp_path, durable=True):
                assert result.error is not None
                seen += 1
        assert 50 <= seen < 500
        summary = await client.map(TASK, rows(100), folder=None, keep_going=True).summary
    assert (summary.rows, summary.failed, summary.interrupted) == (100, 100, False)


async def test_a_stream_without_its_end_is_an_error_that_says_so() -> None:
    """Text that came is handed out; then there is an error and no reply, and nothing is kept for the next time."""
    event = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"half "}\n\n'
    head = servers.head("content-type: text/event-stream", "transfer-encoding: chunked")
    served = 0

    async def script(peer: servers.Peer) -> None:
        nonlocal served
        while await peer.request():
            served += 1
            await peer.send(head, servers.chunked(event, event))

    async with (
        answering(script) as url,
        leaving_nothing(),
        trivet.AsyncClient(base_url=url, api_key="any") as client,
    ):
        for _ in range(2):
            text = ""
            with pytest.raises(ProtocolError, match=r"(?i)stream.*end") as raised:
                async for each in client.stream("Tell me."):
                    text += each.delta
                    assert each.reply is None
            assert text == "half half "
            assert raised.value.possibly_billed
    assert served == 2


@pytest.mark.soak
async def test_thousands_of_failures_of_every_kind_leave_nothing(tmp_path: Path) -> None:
    """Ten times as many rows as before, a third of all attempts failing: no socket, task, thread or object more."""
    share = 0.3 / len(FAULTS)
    scenario = sim.Scenario(time_scale=0.01, seed=11, faults=sim.Faults(**dict.fromkeys(FAULTS, share)))
    left: list[tuple[int, int]] = []
    with sim.start(scenario) as server:
        for count in (200, 200, 2000):
            async with leaving_nothing():
                summary, results = await run_of(server.url, count, tmp_path, timeout=1.0, keep_going=True)
            assert (summary.rows, summary.interrupted, len(results)) == (count, False, count)
            assert summary.calls.retries > count / 10
            del summary, results
            gc.collect()
            left.append((len(gc.get_objects()), threading.active_count()))
    assert left[2][0] - left[1][0] < 500
    assert left[2][1] <= left[1][1]
