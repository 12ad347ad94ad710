"""What a transport holds for each event loop: opened on first use, closed as its loop ends, never shared by a fork.

An asynchronous generator stands suspended beside each session. An event loop closes its generators when it
shuts down (`asyncio.run` and its kin do), and this one closes the session, so that nothing outlives its loop.
"""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from typing import Generic, TypeVar

from trivet.transport.protocol import TransportStatistics

CLOSING = 1.0  # seconds to wait for another thread's event loop


class Droppable(ABC):
    """An exchange under way, as its session knows it."""

    @abstractmethod
    def drop(self) -> None:
        """The transport closes: fail at the next step, at once where one is awaited."""


class Session(ABC):
    """What belongs to one event loop: its connections, and the exchanges under way."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.exchanges = 0
        self.under_way: set[Droppable] = set()
        self.guard = self._stand()

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether nothing more can be done with it: also when its event loop is over, or a parent process's."""

    @property
    @abstractmethod
    def opened(self) -> int:
        """Connections opened so far."""

    @abstractmethod
    async def shut(self) -> None:
        """Close every connection."""

    async def _stand(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            for exchange in list(self.under_way):
                exchange.drop()
            await self.shut()


S = TypeVar("S", bound=Session)


class Sessions(Generic[S]):
    """The sessions of one transport, by event loop."""

    def __init__(self, open_session: Callable[[], S]) -> None:
        self._open_session = open_session
        self._sessions: dict[asyncio.AbstractEventLoop, S] = {}
        self._inherited: list[S] = []
        self._past_exchanges = 0
        self._past_connections = 0
        self.closed = False

    def found(self) -> S | None:
        """The session of the running event loop, if it has one."""
        session = self._sessions.get(asyncio.get_running_loop())
        return None if session is None or session.closed else session

    async def here(self) -> S:
        """The session of the running event loop, of an open transport."""
        session = self.found()
        if session is None:
            self._sweep()
            session = self._sessions[asyncio.get_running_loop()] = self._open_session()
            await anext(session.guard)
        return session

    async def close(self) -> None:
        """Close every session; exchanges under way fail."""
        self.closed = True
        here = asyncio.get_running_loop()
        for loop, session in list(self._sessions.items()):
            if session.closed:
                continue
            if loop is here:
                await session.guard.aclose()
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(_close(session), loop)
                await asyncio.wait([asyncio.wrap_future(closing)], timeout=CLOSING)
            # A loop that is at rest, or about to end, closes its session itself.
        self._sweep()

    def statistics(self) -> TransportStatistics:
        """Counts since the start, over all event loops of this process."""
        sessions = list(self._sessions.values())
        return TransportStatistics(
            exchanges=self._past_exchanges + sum(session.exchanges for session in sessions),
            connections=self._past_connections + sum(session.opened for session in sessions),
            open=sum(len(session.under_way) for session in sessions if session.pid == os.getpid()),
        )

    def _sweep(self) -> None:
        """Let go of the sessions of another process, and of event loops that are over."""
        for loop, session in list(self._sessions.items()):
            if not session.closed:
                continue
            if session.pid != os.getpid():
                self._inherited.append(session)  # collecting it could touch what is shared with the parent
            if self._sessions.pop(loop, None) is session:
                self._past_exchanges += session.exchanges
                self._past_connections += session.opened


async def _close(session: Session) -> None:
    await session.guard.aclose()
