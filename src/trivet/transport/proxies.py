"""Which proxy a URL goes through, by the conventions of HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.

Loopback is never proxied, whatever the variables say: a simulator or a local model server must be reached
directly. NO_PROXY is a comma-separated list of `*`, host names (which cover their subdomains), addresses and
networks (`10.0.0.0/8`), each with an optional port; the rules are those of curl.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def go_direct(url: str) -> str | None:
    """No proxy for any URL."""
    return None


def proxy_for(url: str, proxies: Mapping[str, str]) -> str | None:
    """The URL of the proxy for `url`, or None to go direct.

    `proxies` is what `urllib.request.getproxies()` returns: by scheme, `all` for any, `no` for exceptions.
    A proxy written without a scheme is taken as `http://`.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), _port(parts)
    except ValueError:
        return None
    proxy = (proxies.get(parts.scheme) or proxies.get("all") or "").strip()
    if not proxy or not host:
        return None
    address = _address(host)
    if _is_loopback(host, address) or _is_excepted(host, address, port, proxies.get("no", "")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _port(parts: SplitResult) -> int | None:
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _address(host: str) -> Address | None:
    try:
        address: Address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_loopback(host: str, address: Address | None) -> bool:
    if address is not None:
        return address.is_loopback or address.is_unspecified  # connecting to 0.0.0.0 reaches this machine
    return host == "localhost" or host.endswith(".localhost")


def _is_excepted(host: str, address: Address | None, port: int | None, exceptions: str) -> bool:
    return any(_matches(entry, host, address, port) for entry in exceptions.lower().split(","))


def _matches(entry: str, host: str, address: Address | None, port: int | None) -> bool:
    entry = entry.strip()
    if entry in ("", "*"):
        return entry == "*"
    name, wanted_port = _split_port(entry)
    if wanted_port is not None and wanted_port != port:
        return False
    if address is not None:
        try:
            return address in ipaddress.ip_network(name, strict=False)
        except ValueError:
            return False
    name = name.removeprefix("*").lstrip(".").rstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _split_port(entry: str) -> tuple[str, int | None]:
    """`host:8080`, `[::1]:8080` and the same without a port; a bare IPv6 address has no port."""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        port = rest.removeprefix(":")
    elif entry.count(":") == 1:
        name, _, port = entry.partition(":")
    else:
        name, port = entry, ""
    return name, int(port) if port.isascii() and port.isdigit() else None
