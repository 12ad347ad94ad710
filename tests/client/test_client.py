"""The doors against a simulated provider on a real socket."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from pathlib import Path
from typing import Any

import pytest

import trivet
from trivet import sim
from trivet.errors import AnswerError, BudgetError, ProviderError, RunError, SettingsError, TransportError

TRIAGE = trivet.Task(
    "Classify into one of: {{ labels | join(', ') }}. Return only the label.\n\nTicket:\n{{ ticket }}",
    output=trivet.Labels("billing", "technical_support"),
    params={"max_output_tokens": 16},
)
QUESTION = "Classify the note into one of: red, blue. Return only the label.\n\nThe blue sky."
ROWS = [{"ticket": f"please refund payment {n}"} for n in range(40)]


@pytest.fixture
def where(simulator: sim.Simulator) -> dict[str, Any]:
    """Arguments of a client for the simulated provider."""
    return {"base_url": simulator.url, "simulated": simulator.identity}


def test_one_call_is_measured(where: dict[str, Any]) -> None:
    """A reply says what it cost, how long it took and where it came from; the second time it is a hit."""
    with trivet.Client(**where) as client:
        first = client.respond(QUESTION, max_output_tokens=16)
        second = client.respond(QUESTION, max_output_tokens=16)
    assert first.text and first.usage and first.cost
    assert (first.source, second.source) == ("provider", "cache")
    assert first.latency > 0
    assert second.cost == 0
    assert second.saved == first.cost
    assert second.text == first.text
    assert len(first.attempts) == 1
    assert first.simulated


def test_a_stream_gives_text_as_it_comes_and_the_reply_at_the_end(where: dict[str, Any]) -> None:
    """Deltas add up to the reply's text; from the cache the same stream comes again."""
    with trivet.Client(**where) as client:
        live = list(client.stream("Explain latency in two sentences."))
        replayed = list(client.stream("Explain latency in two sentences."))
    for events, source in ((live, "provider"), (replayed, "cache")):
        reply = events[-1].reply
        assert reply is not None
        assert reply.source == source
        assert "".join(event.delta for event in events) == reply.text
        assert all(event.reply is None for event in events[:-1])
    assert live[-1].reply.ttft is not None  # type: ignore[union-attr]


def test_a_stream_may_be_left_early(where: dict[str, Any]) -> None:
    """Breaking out of a stream closes it, and the client goes on working."""
    with trivet.Client(**where) as client:
        for event in client.stream("Tell a long story."):
            if event.delta:
                break
        assert client.respond("Say OK in one sentence.").text


def test_what_is_no_answer_raises_with_the_reply(where: dict[str, Any]) -> None:
    """A truncated answer is never handed out as one; the error holds what was paid for."""
    with trivet.Client(**where) as client, pytest.raises(AnswerError) as caught:
        client.respond("Tell a very long story, please.", max_output_tokens=3)
    assert caught.value.code == "incomplete"
    assert caught.value.reply is not None
    assert caught.value.reply.cost


def test_results_stream_in_input_order(where: dict[str, Any], tmp_path: Path) -> None:
    """`map` gives every row its result, in the order of the rows, and the summary agrees."""
    with trivet.Client(**where) as client:
        run = client.map(TRIAGE, ROWS, folder=tmp_path)
        results = list(run)
        summary = run.summary
    assert [result.row for result in results] == ROWS
    assert all(result.output in ("billing", "technical_support") and result.ok for result in results)
    assert (summary.rows, summary.ok) == (40, 40)
    assert run.folder is not None
    assert (run.folder / "results.jsonl").exists()


def test_a_summary_can_be_had_without_reading_results(where: dict[str, Any]) -> None:
    """`run.summary` alone runs everything, more rows than the window holds."""
    rows = [{"ticket": f"refund {n}"} for n in range(1500)]
    with trivet.Client(**where) as client:
        assert client.map(TRIAGE, rows, folder=None).summary.ok == 1500


def test_rows_may_come_from_a_generator_without_end(where: dict[str, Any]) -> None:
    """Rows are read as they are wanted: an endless source can be stopped in the middle."""

    def forever() -> Any:
        n = 0
        while True:
            yield {"ticket": f"refund {n}"}
            n += 1

    with trivet.Client(**where) as client:
        run = client.map(TRIAGE, forever(), folder=None)
        seen = [result for result, _ in zip(run, range(50), strict=False)]
        run.stop()
        summary = run.summary
    assert [result.n for result in seen] == list(range(50))
    assert summary.interrupted


def test_a_bad_row_is_a_result_with_a_reason(where: dict[str, Any]) -> None:
    """Rows that can't be asked about come out in their place with an error."""
    rows: list[Any] = [{"ticket": "refund"}, {"other": 1}, {"ticket": "crash"}]
    with trivet.Client(**where) as client:
        results = list(client.map(TRIAGE, rows, folder=None))
    assert [result.ok for result in results] == [True, False, True]
    assert results[1].error is not None
    assert "ticket" in results[1].error.message


def test_what_ends_a_run_is_raised_after_what_finished(where: dict[str, Any]) -> None:
    """A spent budget raises at the end of the results; the summary is there."""
    with trivet.Client(**where, cache=None, budget="0.0006", limits=trivet.Limits(concurrency=2)) as client:
        run = client.map(TRIAGE, ROWS, folder=None)
        seen: list[trivet.Result] = []
        with pytest.raises(BudgetError):
            seen.extend(run)
        summary = run.summary
    assert 0 < len(seen) < 40
    assert summary.cost_usd is not None
    assert summary.cost_usd <= client.asynchronous.account.budget  # type: ignore[operator]


def test_identical_rows_are_asked_once(where: dict[str, Any]) -> None:
    """50 identical rows at once are one call."""
    with trivet.Client(**where) as client:
        summary = client.map(TRIAGE, [{"ticket": "the same refund"}] * 50, folder=None).summary
    assert summary.calls.sent == 1
    assert summary.calls.cache_hits + summary.calls.coalesced == 49


def test_provider_errors_arrive_as_ours(where: dict[str, Any]) -> None:
    """An unknown model raises a ProviderError with status and code; nothing listening a TransportError."""
    with trivet.Client(**where) as client, pytest.raises(ProviderError) as caught:
        client.respond("x", model="gpt-9")
    assert caught.value.status == 404
    with trivet.Client(base_url="http://127.0.0.1:9/v1", retries=0) as client, pytest.raises(TransportError) as lost:
        client.respond("x")
    assert lost.value.sent is False


def test_many_threads_share_a_client(where: dict[str, Any]) -> None:
    """Calls from ten threads at once all get their own answers."""
    answers: dict[int, str] = {}
    with trivet.Client(**where) as client:

        def ask(n: int) -> None:
            answers[n] = client.respond(f"Repeat in one sentence: number {n}.").text

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(answers) == 10


async def test_the_blocking_client_works_inside_a_running_loop(where: dict[str, Any]) -> None:
    """As in a notebook: a loop is running, and blocking calls work all the same."""
    with trivet.Client(**where) as client:
        assert client.respond("Say OK in one sentence.").text


def test_one_async_client_serves_several_loops(where: dict[str, Any]) -> None:
    """An AsyncClient used from one loop after the other keeps working."""
    client = trivet.AsyncClient(**where, cache=None)

    async def ask() -> str:
        return (await client.respond("Say OK in one sentence.")).text

    assert asyncio.run(ask())
    assert asyncio.run(ask())
    asyncio.run(client.close())


def test_one_async_client_serves_loops_in_four_threads_at_once(where: dict[str, Any]) -> None:
    """Every call in every loop has its answer, and the one budget and the bill have each call once."""
    client = trivet.AsyncClient(**where, cache=None, budget=5)
    costs: list[Any] = []

    async def ask(loop: int) -> None:
        questions = [f"Classify the note into one of: red, blue. The sky of day {n} is {loop}." for n in range(20)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(client.respond(text, max_output_tokens=500)) for text in questions]
        replies = [task.result() for task in tasks]
        assert [reply.source for reply in replies] == ["provider"] * 20
        costs.extend(reply.cost for reply in replies)

    crew = [threading.Thread(target=lambda n=n: asyncio.run(ask(n)), daemon=True) for n in range(4)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert len(costs) == 80
    assert client.account.statistics().settled == sum(costs)
    assert client.account.statistics().reserved == 0
    asyncio.run(client.close())


def _in_child(client: trivet.Client, answer: Any) -> None:
    answer.put(client.respond("Say OK in one sentence, child.").text)


def test_a_client_survives_a_fork(where: dict[str, Any]) -> None:
    """A child process made by fork calls with the client it inherited, and so does the parent afterwards."""
    context = multiprocessing.get_context("fork")
    with trivet.Client(**where, cache=None) as client:
        client.respond("Say OK in one sentence.")
        answer = context.Queue()
        child = context.Process(target=_in_child, args=(client, answer))
        child.start()
        assert answer.get(timeout=20)
        child.join(20)
        assert child.exitcode == 0
        assert client.respond("Say OK in one sentence, parent.").text


async def test_the_asynchronous_door_does_the_same(where: dict[str, Any]) -> None:
    """`async with`, `await`, `async for`: the same calls, the same results."""
    async with trivet.AsyncClient(**where) as client:
        assert (await client.respond("Say OK in one sentence.")).text
        run = client.map(TRIAGE, ROWS, folder=None)
        assert [result.n async for result in run] == list(range(40))
        assert (await run.summary).ok == 40


def test_closing_twice_is_harmless_and_calls_after_it_are_refused(where: dict[str, Any]) -> None:
    """A closed client says so."""
    client = trivet.Client(**where)
    client.respond("Say OK in one sentence.")
    client.close()
    client.close()
    with pytest.raises(SettingsError, match="closed"):
        client.respond("x")


def test_a_folder_that_cannot_be_made_is_said_at_once(where: dict[str, Any]) -> None:
    """`map` refuses before any spend when its records could not be kept."""
    with trivet.Client(**where) as client, pytest.raises((RunError, trivet.errors.MachineError)):
        client.map(TRIAGE, ROWS, folder="/dev/null/runs")


def test_the_key_is_never_shown() -> None:
    """Neither the repr of a client nor of its endpoint holds the key."""
    client = trivet.AsyncClient(api_key="sk-secret-0123456789", base_url="http://127.0.0.1:1/v1")
    assert "sk-secret" not in repr(client) + repr(client.endpoint) + str(vars(client))
