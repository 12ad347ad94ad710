"""The transport that programs get, which is the lean one for whatever is reached directly."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from trivet.testing.transport import TransportConformance
from trivet.transport.proxies import go_direct
from trivet.transport.routed import RoutedTransport


class TestConformance(TransportConformance):
    """Everything that the suite asks."""

    def make(
        self,
        *,
        proxies: Callable[[str], str | None] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> RoutedTransport:
        return RoutedTransport(proxies=proxies or go_direct, ssl_context=ssl_context)
