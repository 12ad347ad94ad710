"""`Client`: the blocking door onto `AsyncClient`. One implementation, no twin."""

from __future__ import annotations

import weakref
from collections.abc import Coroutine, Iterable, Iterator
from os import PathLike
from typing import Any, Self, TypeVar, Unpack

from trivet.client.client import AsyncClient
from trivet.client.door import Door
from trivet.client.options import ClientOptions
from trivet.client.run import AsyncRun, Run
from trivet.client.statistics import ClientStatistics
from trivet.tasks.task import Task
from trivet.types import Event, Reply

T = TypeVar("T")


class Client:
    """Calls a model, measured, cached, limited and within a budget. Takes what `AsyncClient` takes.

    May be used from several threads and inside a notebook.
    """

    def __init__(self, **options: Unpack[ClientOptions]) -> None:
        self.asynchronous = AsyncClient(**options)
        self._door = Door()
        # a program that ends without closing must not lose answers that wait to be written
        self._finish = weakref.finalize(self, _close, self.asynchronous, self._door)

    def respond(
        self, input: str | list[Any], *, model: str | None = None, timeout: float | str | None = None, **params: Any
    ) -> Reply:
        """One request, one reply; see `AsyncClient.respond`. A hit from the cache is found in the caller's thread."""
        request = self.asynchronous.request(input, model, timeout, params)
        return self.asynchronous.stored(request) or self._door.call(self.asynchronous.answer(request))

    def stream(self, input: str | list[Any], **params: Any) -> Iterator[Event]:
        """One request, its events as they come; see `AsyncClient.stream`."""
        events = self.asynchronous.stream(input, **params)
        try:
            while (event := self._door.call(_next(events))) is not None:
                yield event
        finally:
            self._door.call(events.aclose())

    def map(
        self,
        task: Task,
        rows: str | PathLike[str] | Iterable[Any],
        *,
        model: str | None = None,
        id: str | None = None,
        keep: Iterable[str] = (),
        folder: str | PathLike[str] | None = "runs",
        durable: bool = False,
        keep_going: bool = False,
    ) -> Run:
        """Run a task over rows, results in input order; see `AsyncClient.map`."""

        async def start() -> AsyncRun:
            return self.asynchronous.map(
                task,
                rows,
                model=model,
                id=id,
                keep=keep,
                folder=folder,
                durable=durable,
                keep_going=keep_going,
            )

        return Run(self._door.call(start()), self._door)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine where this client lives, and wait for it."""
        return self._door.call(work)

    def statistics(self) -> ClientStatistics:
        """Counts so far; see `AsyncClient.statistics`."""
        return self.asynchronous.statistics()

    def close(self) -> None:
        """Let shared requests land, then close connections and the cache."""
        self._finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self.asynchronous).replace("AsyncClient", "Client", 1)


def _close(client: AsyncClient, door: Door) -> None:
    door.call(client.close())
    door.close()


async def _next(events: Any) -> Event | None:
    try:
        event: Event = await anext(events)
    except StopAsyncIteration:
        return None
    return event
