"""The transport that requests go over unless a program brings its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from trivet.transport.protocol import Transport
from trivet.transport.proxies import proxy_for


def open_transport(proxies: Mapping[str, str]) -> Transport:
    """A transport that uses these proxies, by scheme; it connects when it is first used."""
    from trivet.transport.routed import RoutedTransport

    return RoutedTransport(proxies=partial(proxy_for, proxies=proxies))
