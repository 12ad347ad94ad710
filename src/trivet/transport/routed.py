"""Which transport a URL goes over: the lean one directly, aiohttp through a proxy or with a password in the URL."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from functools import lru_cache
from typing import Any

from trivet.transport.lean import LeanTransport
from trivet.transport.protocol import Transport, TransportStatistics
from trivet.transport.proxies import go_direct
from trivet.types import HttpCall, HttpReply, HttpStream


class RoutedTransport:
    """Makes HTTP exchanges the cheapest way that fits the URL.

    `proxies` names the proxy for a URL, or None (see `trivet.transport.proxies.proxy_for`). `ssl_context`
    replaces the standard library's default context.
    """

    def __init__(
        self,
        *,
        proxies: Callable[[str], str | None] = go_direct,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._proxies = proxies
        self._ssl_context = ssl_context
        self._lean = LeanTransport(ssl_context=ssl_context)
        self._general: Transport | None = None
        self._opening = threading.Lock()
        self._closed = False
        self._is_direct = lru_cache(maxsize=256)(lambda url: proxies(url) is None and "@" not in url)

    def __repr__(self) -> str:
        return f"<RoutedTransport {self._lean!r} {self._general!r}>"

    def fetch(self, call: HttpCall) -> Coroutine[Any, Any, HttpReply]:
        """Send, and return the whole reply, whatever its status; failures are `TransportError`."""
        return self._over(call).fetch(call)

    def stream(self, call: HttpCall) -> AbstractAsyncContextManager[HttpStream]:
        """Send, and return the reply once its head has come; leaving early closes the connection."""
        return self._over(call).stream(call)

    async def close(self) -> None:
        """Close every connection; exchanges under way fail, and later ones are refused."""
        self._closed = True
        await self._lean.close()
        if self._general is not None:
            await self._general.close()

    def statistics(self) -> TransportStatistics:
        """Counts since the start, over both ways."""
        lean = self._lean.statistics()
        if self._general is None:
            return lean
        general = self._general.statistics()
        return TransportStatistics(
            exchanges=lean.exchanges + general.exchanges,
            connections=lean.connections + general.connections,
            open=lean.open + general.open,
        )

    def _over(self, call: HttpCall) -> Transport:
        if self._is_direct(call.url) or (self._closed and self._general is None):  # closed, it says so itself
            return self._lean
        with self._opening:  # event loops of several threads may ask at once
            if self._general is None:
                from trivet.transport.aiohttp import AiohttpTransport

                self._general = AiohttpTransport(proxies=self._proxies, ssl_context=self._ssl_context)
        return self._general
