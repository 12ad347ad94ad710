"""Microseconds of CPU for a hit of LangChain's cache in memory, as its documentation shows it.

    python benchmarks/peer_hits.py URL

It is run by a Python that has the library (requirements/bench.txt). LiteLLM answers this call from
its cache only where all of its proxy is installed, so it is not here.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop
from callers import PROMPT, TICKET

ENTRIES, HITS = 200, 3000


def langchain(url: str) -> Callable[[str], Awaitable[Any]]:
    """LangChain's chat model over the Responses API, with its cache in memory."""
    caches: Any = importlib.import_module("langchain_core.caches")
    settings: Any = importlib.import_module("langchain_core.globals")
    library: Any = importlib.import_module("langchain_openai")
    settings.set_llm_cache(caches.InMemoryCache())
    model = library.ChatOpenAI(
        model="gpt-5.4-mini", base_url=url, api_key="key", use_responses_api=True, max_retries=0, max_tokens=16
    )
    ask: Callable[[str], Awaitable[Any]] = model.ainvoke
    return ask


async def hits(ask: Callable[[str], Awaitable[Any]]) -> float:
    """Ask every question once, then again and again."""
    for number in range(ENTRIES):
        await ask(f"{PROMPT}\n\n{TICKET} {number}")
    await asyncio.sleep(0.5)  # what is kept behind the answer's back is there now
    began = time.process_time()
    for number in range(HITS):
        await ask(f"{PROMPT}\n\n{TICKET} {number % ENTRIES}")
    return (time.process_time() - began) / HITS * 1e6


if __name__ == "__main__":
    print(uvloop.run(hits(langchain(sys.argv[1]))))
