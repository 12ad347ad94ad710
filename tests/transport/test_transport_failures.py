"""The table of failures."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Iterator

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.http_exceptions import BadStatusLine, ContentLengthError, HttpProcessingError, LineTooLong
from yarl import URL

from trivet.errors import TransportError
from trivet.transport.failures import KINDS, explain, kind_of, peer_of
from trivet.types import Timeouts

KEY = ConnectionKey("host", 443, True, True, None, None, None)


def subclasses(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    yield kind
    for child in kind.__subclasses__():
        yield from subclasses(child)


def explained(error: BaseException, *, sent: bool = True, proxy: str | None = None) -> TransportError:
    return explain(error, peer="host:443", proxy=proxy, sent=sent, timeouts=Timeouts(), expired=False)


def caused(outer: BaseException, *causes: BaseException) -> BaseException:
    """The exception with a chain of causes."""
    at = outer
    for cause in causes:
        at.__cause__ = cause
        at = cause
    return outer


def answered(status: int = 400) -> aiohttp.ClientResponseError:
    headers = aiohttp.client_reqrep.CIMultiDict({"authorization": "Bearer sk-secret"})
    info = aiohttp.RequestInfo(URL("http://host/?key=sk-secret"), "POST", headers, URL("http://host/"))  # type: ignore[arg-type]
    return aiohttp.ClientResponseError(info, (), status=status, message="sk-secret")


def test_every_exception_of_the_library_is_in_the_table() -> None:
    """A new version of aiohttp with a new exception fails here, not at a user's."""
    missing = [kind.__name__ for kind in subclasses(aiohttp.ClientError) if kind.__name__ not in KINDS]
    assert missing == []


def test_every_kind_can_be_reached() -> None:
    """The table names only kinds that an error may have."""
    assert set(KINDS.values()) == {"connect", "tls", "timeout", "closed", "reset", "encoding"}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (aiohttp.ServerDisconnectedError(), "closed"),
        (aiohttp.ClientOSError(errno.ECONNRESET, "reset"), "reset"),
        (caused(aiohttp.ClientOSError(), ssl.SSLError(1, "alert")), "tls"),
        (caused(aiohttp.ClientPayloadError(), ContentLengthError("cut")), "closed"),
        (caused(answered(), HttpProcessingError(), BadStatusLine("SSH")), "encoding"),
        (caused(answered(), HttpProcessingError(), LineTooLong("x", 8)), "too_large"),
        (HttpProcessingError(), "encoding"),
        (aiohttp.SocketTimeoutError(), "timeout"),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "x")), "tls"),
        (RuntimeError("Connection closed."), "closed"),
        (aiohttp.EofStream(), "closed"),
        (BrokenPipeError(errno.EPIPE, "pipe"), "reset"),
    ],
)
def test_the_cause_decides_where_the_wrapper_is_vague(error: BaseException, kind: str) -> None:
    """What the socket or the parser said is more than what the library made of it."""
    assert kind_of(error) == kind
    assert "sk-" not in str(explained(error))


def test_what_was_sent_is_for_the_transport_to_say() -> None:
    """A refused connection is told as the transport saw it: a GET may have left on an earlier connection."""
    refused = OSError(errno.ECONNREFUSED, "Connection refused")
    for sent in (False, True):
        error = explained(aiohttp.ClientConnectorError(KEY, refused), sent=sent)
        assert (error.kind, error.sent, error.retryable) == ("connect", sent, True)
        assert str(error).startswith("could not connect to host:443: connection refused;")


def test_a_lack_of_files_says_what_to_raise() -> None:
    """Out of sockets is not the server's fault."""
    error = explained(aiohttp.ClientConnectorError(KEY, OSError(errno.EMFILE, "Too many open files")))
    assert "ulimit -n" in str(error)


def test_a_proxy_is_named_beside_the_peer() -> None:
    """Behind a proxy both addresses may be to blame."""
    assert "host:443 (through the proxy p:1)" in str(explained(aiohttp.ServerDisconnectedError(), proxy="p:1"))


@pytest.mark.parametrize(
    ("url", "peer"),
    [
        ("https://user:sk-pass@host/path?key=sk-1", "host:443"),
        ("http://[::1]:8/x", "[::1]:8"),
        ("http://host", "host:80"),
        ("http://[::1", "an unreadable address"),
    ],
)
def test_a_peer_is_host_and_port_alone(url: str, peer: str) -> None:
    """Passwords, paths and queries are in no message."""
    assert peer_of(url) == peer
