"""What a failure of the HTTP library means here: its kind, and one sentence for the user.

The library's exceptions are known by name, so that this is a table and needs no import of the library. The
library wraps what the parser and the socket said, so the deepest cause that the second table knows decides
where the wrapper alone says little. Nothing of a request or a reply is repeated in a message.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

from trivet.errors import TransportError, TransportKind
from trivet.types import Timeouts

KINDS: dict[str, TransportKind] = {
    # before a byte of the request can have left
    "InvalidURL": "connect",
    "InvalidUrlClientError": "connect",
    "NonHttpUrlClientError": "connect",
    "ClientConnectorError": "connect",
    "ClientConnectorDNSError": "connect",
    "ClientProxyConnectionError": "connect",
    "ClientHttpProxyError": "connect",
    "UnixClientConnectorError": "connect",
    "ClientSSLError": "tls",
    "ClientConnectorSSLError": "tls",
    "ClientConnectorCertificateError": "tls",
    "ServerFingerprintMismatch": "tls",
    "ConnectionTimeoutError": "timeout",
    # at any time
    "ServerTimeoutError": "timeout",
    "SocketTimeoutError": "timeout",
    "ClientError": "closed",
    "ClientConnectionError": "closed",
    "ServerConnectionError": "closed",
    "ServerDisconnectedError": "closed",
    "ClientPayloadError": "closed",
    "UploadAbortedError": "closed",
    "ClientOSError": "reset",
    "ClientConnectionResetError": "reset",
    "ClientResponseError": "encoding",
    "ContentTypeError": "encoding",
    # of features that are not used here
    "WSServerHandshakeError": "encoding",
    "RedirectClientError": "connect",
    "InvalidUrlRedirectClientError": "connect",
    "NonHttpUrlRedirectClientError": "connect",
    "TooManyRedirects": "connect",
}
"""Every exception of aiohttp's client, by name."""

CAUSES: dict[str, TransportKind] = {
    "LineTooLong": "too_large",
    "ContentLengthError": "closed",  # the body ended early
    "TransferEncodingError": "closed",
    "HttpProcessingError": "encoding",
    "SSLError": "tls",
    "ConnectionError": "reset",
}
"""What may lie below, by name."""

UNUSABLE = frozenset({"ValueError", "InvalidURL", "NonHttpUrlClientError"})
VAGUE = ("closed", "reset", "encoding")
OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)


def peer_of(url: str) -> str:
    """`host:port` of a URL, for people to read: no path, no password."""
    try:
        parts = urlsplit(url)
        port = parts.port or (80 if parts.scheme == "http" else 443)
        return f"[{parts.hostname}]:{port}" if ":" in (parts.hostname or "") else f"{parts.hostname}:{port}"
    except ValueError:
        return "an unreadable address"


def kind_of(error: BaseException) -> TransportKind:
    """The kind of a failure of the library."""
    kind = _look_up(error, KINDS) or "closed"
    if kind not in VAGUE:
        return kind
    for cause in _deepest_first(error):
        if (below := _look_up(cause, CAUSES)) is not None:
            return below
    return kind


def explain(
    error: BaseException, *, peer: str, proxy: str | None, sent: bool, timeouts: Timeouts, expired: bool
) -> TransportError:
    """The error to raise: `peer` and `proxy` are host:port, `expired` says that the whole took too long."""
    at = f"{peer} (through the proxy {proxy})" if proxy else peer
    if expired:
        return too_long(at, sent, timeouts)
    names = _names(error)
    if "ClientConnectorError" not in names and not UNUSABLE.isdisjoint(names):  # a certificate error is both
        return unusable(at)
    return told(kind_of(error), error, peer=peer, proxy=proxy, sent=sent, timeouts=timeouts)


def told(
    kind: TransportKind,
    error: BaseException,
    *,
    peer: str,
    sent: bool,
    timeouts: Timeouts,
    proxy: str | None = None,
) -> TransportError:
    """The error of this kind, in a sentence; `error` is looked at for the reason that the system gives."""
    at = f"{peer} (through the proxy {proxy})" if proxy else peer
    if kind == "connect":
        text = _not_connected(error, peer, proxy)
    elif kind == "tls":
        text = f"no trusted TLS connection to {at}: {_reason(error)}; {_TRUST}"
    elif kind == "timeout":
        text = _too_slow(at, sent, timeouts)
    else:
        text = f"{at} {_BROKEN[kind]}{_BILLED if sent else '; the request was not sent'}"
    return TransportError(text, kind=kind, sent=sent)


def too_long(at: str, sent: bool, timeouts: Timeouts) -> TransportError:
    """The whole exchange was not over in time."""
    text = f"the exchange with {at} was not over within {timeouts.total:g} s; raise the timeout"
    return TransportError(text, kind="timeout", sent=sent)


def unreadable(peer: str, reason: str, kind: TransportKind) -> TransportError:
    """A reply came, but is not what it says, or is larger than any answer."""
    return TransportError(f"the reply of {peer} can't be read: {reason}; it may have been billed", kind=kind, sent=True)


def unusable(at: str) -> TransportError:
    """The call can't be sent, now or later; the library's message may quote a header, so it is left out."""
    text = f"the request to {at} can't be sent: its URL or a header holds what HTTP does not allow"
    return final(text, kind="connect", sent=False)


def dropped(peer: str, *, sent: bool) -> TransportError:
    """The transport was closed under an exchange."""
    text = f"the transport was closed during the exchange with {peer}: make a new client"
    return final(text, kind="closed", sent=sent)


def closed() -> TransportError:
    """The transport was closed before an exchange."""
    return final("the transport is closed: make a new client", kind="closed", sent=False)


def final(text: str, *, kind: TransportKind, sent: bool) -> TransportError:
    """A failure that no later attempt can mend."""
    error = TransportError(text, kind=kind, sent=sent)
    error.retryable = False
    return error


_TRUST = "is base_url right? (SSL_CERT_FILE names a private certificate authority)"
_BILLED = "; the request may have been billed"
_BROKEN: dict[TransportKind, str] = {
    "closed": "closed the connection before the reply was whole",
    "reset": "reset the connection before the reply was whole",
    "encoding": "answered with something that is not HTTP, is base_url right (http or https)?",
    "too_large": "sent headers that are larger than any API's",
}


def _not_connected(error: BaseException, peer: str, proxy: str | None) -> str:
    name, status = type(error).__name__, getattr(error, "status", None)
    if getattr(error, "errno", None) in OUT_OF_FILES:
        return f"could not connect to {peer}: {_reason(error)}; raise `ulimit -n`, or lower the concurrency"
    if proxy and status is not None:
        return f"the proxy {proxy} refused to connect to {peer} (HTTP {status}); check HTTPS_PROXY and NO_PROXY"
    if proxy:
        return f"could not connect to the proxy {proxy}: {_reason(error)}; check HTTPS_PROXY and NO_PROXY"
    if "DNS" in name or name == "gaierror":
        return f"could not find the host of {peer}: {_reason(error)}; is base_url right, and the network up?"
    return f"could not connect to {peer}: {_reason(error)}; is the server running, and is base_url right?"


def _too_slow(at: str, sent: bool, timeouts: Timeouts) -> str:
    if sent:
        return f"{at} sent nothing for {timeouts.read:g} s{_BILLED}; raise the timeout if answers take that long"
    return f"could not connect to {at} within {timeouts.connect:g} s; is the server up, and reachable from here?"


def _reason(error: BaseException) -> str:
    """The reason in lower case, as the system or the TLS library words it."""
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    text = getattr(cause, "verify_message", None) or getattr(cause, "reason", None)
    number = getattr(cause, "errno", None)
    if not isinstance(text, str) and isinstance(number, int) and number > 0:
        text = os.strerror(number)
    if not isinstance(text, str):
        text = getattr(cause, "strerror", None) or type(cause).__name__
    return str(text).replace("_", " ").strip().rstrip(".").lower()


def _names(error: BaseException) -> list[str]:
    return [cls.__name__ for cls in type(error).__mro__]


def _look_up(error: BaseException, table: dict[str, TransportKind]) -> TransportKind | None:
    return next((table[name] for name in _names(error) if name in table), None)


def _deepest_first(error: BaseException) -> Iterator[BaseException]:
    if error.__cause__ is not None:
        yield from _deepest_first(error.__cause__)
    yield error
