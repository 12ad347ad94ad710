"""CPU of a cache hit through the client: memory, a SQLite file of 200,000 entries, Redis; asynchronous and blocking.

    python benchmarks/cache_hits.py [--entries 200000] [--hits 20000] [--turns 3] [--no-peers]

The controls are a bare dict and a bare SELECT by the same keys; other libraries' caches where they are installed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

from callers import PROMPT, TICKET
from null_server import REPLY
from processes import HERE, PEERS, child, has_peers, serving
from ratios import Ratio, show

import trivet
from trivet.errors import SettingsError
from trivet.types import HttpCall, HttpReply, HttpStream

THREADS = 4
SELECT = "SELECT value.value FROM entry JOIN value ON value.seq = entry.seq WHERE entry.id = ?"
BODY = REPLY.partition(b"\r\n\r\n")[2]


class Ready:
    """A transport that has its answer before it is asked, to fill a cache with."""

    async def fetch(self, call: HttpCall) -> HttpReply:
        """The one reply."""
        return HttpReply(status=200, headers={"content-type": "application/json"}, body=BODY)

    def stream(self, call: HttpCall) -> HttpStream:
        """Not asked for."""
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing to let go of."""


def question(number: int) -> str:
    """The prompt of an entry."""
    return f"{PROMPT}\n\n{TICKET} {number}"


def options(cache: str) -> dict[str, object]:
    """A client that reaches nothing."""
    return {"base_url": "http://127.0.0.1:9/v1", "api_key": "key", "cache": cache, "transport": Ready()}


async def fill(cache: str, entries: int) -> None:
    """Ask every question once."""
    async with trivet.AsyncClient(**options(cache)) as client:
        for first in range(0, entries, 1000):
            async with asyncio.TaskGroup() as group:
                for number in range(first, min(first + 1000, entries)):
                    group.create_task(client.respond(question(number), max_output_tokens=16))


def spent(work: Callable[[], object], hits: int) -> float:
    """Microseconds of CPU, of all threads, for each of so many hits."""
    began = time.process_time()
    work()
    return (time.process_time() - began) / hits * 1e6


class Hits:
    """One cache, filled, and the ways to hit it. `drawn`: which of its entries are asked for, in which order."""

    def __init__(self, cache: str, entries: int, drawn: list[int]) -> None:
        self._cache = cache
        self._entries = entries
        self._drawn = drawn

    def __call__(self, turns: int) -> dict[str, list[float]]:
        """Microseconds of CPU a hit, a list of turns for each way."""
        found: dict[str, list[float]] = {"async": [], "blocking": [], "threads": []}
        hits = len(self._drawn)
        with trivet.Client(**options(self._cache)) as client:
            if self._cache.startswith("memory:"):
                client.call(self._ask(client.asynchronous, range(self._entries)))
            for _ in range(turns):
                found["async"].append(spent(lambda: client.call(self._ask(client.asynchronous, self._drawn)), hits))
                found["blocking"].append(spent(lambda: self._block(client, self._drawn), hits))
                found["threads"].append(spent(lambda: self._crowd(client), hits))
        return found

    async def _ask(self, client: trivet.AsyncClient, numbers: Iterable[int]) -> None:
        for number in numbers:
            await client.respond(question(number), max_output_tokens=16)

    def _block(self, client: trivet.Client, numbers: Iterable[int]) -> None:
        for number in numbers:
            client.respond(question(number), max_output_tokens=16)

    def _crowd(self, client: trivet.Client) -> None:
        shares = [self._drawn[n::THREADS] for n in range(THREADS)]
        crew = [threading.Thread(target=self._block, args=(client, share)) for share in shares]
        for each in crew:
            each.start()
        for each in crew:
            each.join()


def bare_dict(entries: int, drawn: list[int]) -> float:
    """The control of memory: the same texts as keys of a dict."""
    held = {question(number): BODY for number in range(entries)}
    return spent(lambda: [held.get(question(number)) for number in drawn], len(drawn))


def bare_select(path: Path, drawn: list[int]) -> float:
    """The control of SQLite: the same lookup in the same file, by keys that are known."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        ids = [row[0] for row in db.execute("SELECT id FROM entry LIMIT ?", (max(drawn) + 1,))]
        keys = [ids[number % len(ids)] for number in drawn]
        return spent(lambda: [db.execute(SELECT, (key,)).fetchone() for key in keys], len(drawn))


@contextmanager
def redis(folder: Path) -> Iterator[str | None]:
    """The URL of a Redis of our own; None where there is no program for it."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        print("Redis is left out: redis-server is not installed", file=sys.stderr)
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                time.sleep(0.02)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


def main() -> None:
    """Fill the caches, hit them in turns, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--hits", type=int, default=20_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true", help="leave out the libraries of requirements/bench.txt")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        show(measured(chosen, Path(name)), as_json=chosen.json)


def measured(chosen: argparse.Namespace, folder: Path) -> list[Ratio]:
    """The lines of the table."""
    few = min(chosen.entries, 20_000)  # what fits a cache in memory as it comes
    draws = random.Random(7)
    small = [draws.randrange(few) for _ in range(chosen.hits)]
    large = [draws.randrange(chosen.entries) for _ in range(chosen.hits)]
    file = folder / "cache.db"
    asyncio.run(fill(f"sqlite:///{file}", chosen.entries))
    memory = Hits("memory://", few, small)(chosen.turns)
    dicts = [bare_dict(few, small) for _ in range(chosen.turns)]
    sqlite = Hits(f"sqlite:///{file}", chosen.entries, large)(chosen.turns)
    selects = [bare_select(file, large) for _ in range(chosen.turns)]
    lines = _lines("memory", memory, "a dict", dicts, "20 us")
    lines += _lines(f"SQLite, {chosen.entries:,} entries", sqlite, "a bare SELECT", selects, "40 us")
    with redis(folder) as url:
        if url is not None:
            try:
                asyncio.run(fill(url, few))
                lines += _lines("Redis on the loopback", Hits(url, few, small)(1), "a dict", dicts, "")
            except SettingsError as error:
                print(f"Redis is left out: {error}", file=sys.stderr)
    if not chosen.no_peers and has_peers():
        lines.append(_peer(median(memory["async"])))
    return lines


def _lines(name: str, found: dict[str, list[float]], control: str, controls: list[float], wanted: str) -> list[Ratio]:
    """A line for each way: the first against the bare lookup, the blocking ones against the first."""
    hit, bare = median(found["async"]), median(controls)
    ways = {"blocking": "the blocking client", "threads": f"the blocking client in {THREADS} threads"}
    return [
        Ratio(
            what=f"cache hit, {name}",
            ours=f"{hit:.1f} us",
            control=f"{control} {bare:.2f} us",
            ratio=hit / bare,
            wanted=wanted,
        ),
        *(
            Ratio(
                what=f"cache hit, {name}, {ways[way]}",
                ours=f"{median(found[way]):.1f} us",
                control=f"asynchronous {hit:.1f} us",
                ratio=median(found[way]) / hit,
                wanted="adds little" if way == "blocking" else "",
            )
            for way in ways
        ),
    ]


def _peer(ours: float) -> Ratio:
    """The cache in memory of another library."""
    with serving(0.0) as url:
        theirs = float(child([str(HERE / "peer_hits.py"), url], python=PEERS).printed.split()[-1])
    return Ratio(
        what="cache hit, memory, against LangChain",
        ours=f"{ours:.1f} us",
        control=f"{theirs:,.0f} us",
        ratio=ours / theirs,
    )


if __name__ == "__main__":
    main()
