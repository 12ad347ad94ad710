"""The aiohttp transport against the conformance suite."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from trivet.testing.transport import TransportConformance
from trivet.transport.aiohttp import AiohttpTransport
from trivet.transport.proxies import go_direct


class TestConformance(TransportConformance):
    """Everything that the suite asks."""

    def make(
        self,
        *,
        proxies: Callable[[str], str | None] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> AiohttpTransport:
        return AiohttpTransport(proxies=proxies or go_direct, ssl_context=ssl_context)
