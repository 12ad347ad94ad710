"""Hits of the blocking client, found in the thread that asks."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import trivet
from trivet import sim
from trivet.errors import SettingsError


@pytest.fixture
def where(simulator: sim.Simulator) -> dict[str, Any]:
    """Arguments of a client for the simulated provider."""
    return {"base_url": simulator.url, "simulated": simulator.identity}


def ask(client: trivet.Client, n: int) -> trivet.Reply:
    return client.respond(f"Say {n}.", max_output_tokens=500)


ALONE = """
import sys, threading, trivet
url, identity, cache = sys.argv[1:]
with trivet.Client(base_url=url, simulated=identity, cache=cache) as client:
    reply = client.respond("Say 1.", max_output_tokens=500)
    threads = [thread.name for thread in threading.enumerate()]
    print(reply.source, reply.cost, threads, client.statistics().meter.requests)
"""


def test_a_hit_takes_no_event_loop(where: dict[str, Any], tmp_path: Path) -> None:
    """What an earlier program has kept is answered in the thread that asks: a new process has started no other."""
    cache = f"sqlite:///{tmp_path}/cache.db"
    with trivet.Client(cache=cache, **where) as client:
        ask(client, 1)
    command = [sys.executable, "-c", ALONE, where["base_url"], where["simulated"], cache]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "cache 0 ['MainThread'] 1\n", done.stderr


def test_a_hit_says_what_it_saved_and_is_counted(where: dict[str, Any]) -> None:
    """As one that came through the layers."""
    with trivet.Client(**where) as client:
        first, second = ask(client, 1), ask(client, 1)
        counts = client.statistics().meter
    assert (second.source, second.text, second.cost, second.saved) == ("cache", first.text, 0, first.cost)
    assert second.latency >= 0
    assert (counts.requests, counts.cache_hits, counts.sent, counts.saved) == (2, 1, 1, first.cost)


@pytest.mark.parametrize("cache", ["memory://", "sqlite:///{}/cache.db"])
def test_hits_of_several_threads_are_all_counted(where: dict[str, Any], cache: str, tmp_path: Path) -> None:
    """Each of many threads gets the answers to its own questions, and no hit is lost from the books."""
    with trivet.Client(cache=cache.format(tmp_path), **where) as client:
        texts = [ask(client, n).text for n in range(10)]
        with ThreadPoolExecutor(8) as threads:
            replies = list(threads.map(lambda n: ask(client, n % 10), range(800)))
        counts = client.statistics()
    assert [reply.text for reply in replies] == texts * 80
    assert {reply.source for reply in replies} == {"cache"}
    assert (counts.meter.requests, counts.meter.cache_hits, counts.meter.sent) == (810, 800, 10)
    assert (counts.shelf.hits, counts.shelf.kept) == (800, 10)
    assert counts.store is not None
    assert (counts.store.hits, counts.store.misses) == (800, 10)


def test_what_is_too_old_is_asked_again(where: dict[str, Any], tmp_path: Path) -> None:
    """The time to live holds for a look in the caller's thread too."""
    cache = f"sqlite:///{tmp_path}/cache.db"
    with trivet.Client(cache=cache, **where) as client:
        ask(client, 1)
    with trivet.Client(cache=cache, ttl=1e-9, **where) as client:
        assert ask(client, 1).source == "provider"
        assert client.statistics().shelf.stale == 1


def test_what_must_be_asked_on_its_own_is_not_looked_up(where: dict[str, Any]) -> None:
    """A question whose text is partly on the server is no hit, even asked twice."""
    with trivet.Client(**where) as client:
        first = ask(client, 1)
        for _ in range(2):
            later = client.respond("Go on.", max_output_tokens=500, previous_response_id=first.id)
            assert later.source == "provider"


def test_a_closed_client_answers_nothing(where: dict[str, Any]) -> None:
    """Not even from its cache."""
    client = trivet.Client(**where)
    ask(client, 1)
    client.close()
    with pytest.raises(SettingsError, match="closed"):
        ask(client, 1)
