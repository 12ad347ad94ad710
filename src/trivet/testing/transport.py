"""The conformance suite of `trivet.transport.protocol.Transport`: what making HTTP exchanges rightly means.

An implementation runs it by a class of its own in a test module, with pytest and pytest-asyncio:

    class TestConformance(TransportConformance):
        def make(self, *, proxies=None, ssl_context=None):
            return MyTransport(...)

The servers are scripts on raw sockets of the loopback, so that no second HTTP library has a say in it.
What a machine can't do (no `openssl`, too few files) is skipped with its reason.
"""

from __future__ import annotations

from trivet.testing.transport_failures import FailuresCase
from trivet.testing.transport_pool import PoolCase
from trivet.testing.transport_replies import RepliesCase
from trivet.testing.transport_secure import SecureCase
from trivet.testing.transport_streams import StreamsCase


class TransportConformance(RepliesCase, FailuresCase, StreamsCase, PoolCase, SecureCase):
    """Everything that is asked of a transport."""
