"""Which proxy a URL goes through."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.transport.proxies import proxy_for

PROXIES = {"http": "http://p:1", "https": "http://s:2", "all": "http://a:3"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.com/v1", "http://p:1"),
        ("https://example.com/v1", "http://s:2"),
        ("ftp://example.com/", "http://a:3"),
        ("https://[2001:db8::1]/v1", "http://s:2"),
        ("not a url", None),
        ("http://[::1", None),
        ("http://host:99999/", None),
        ("", None),
    ],
)
def test_the_scheme_decides_and_all_is_for_the_rest(url: str, expected: str | None) -> None:
    """The proxy of the scheme comes first, ALL_PROXY second, and what is no URL has none."""
    assert proxy_for(url, PROXIES) == expected


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "sim.localhost",
        "127.0.0.1",
        "127.255.3.4:8080",
        "[::1]",
        "[::1]:8080",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "[::]",
    ],
)
def test_loopback_is_never_proxied(host: str) -> None:
    """Names and addresses of this machine go direct without any NO_PROXY."""
    assert proxy_for(f"http://{host}/v1", PROXIES) is None
    assert proxy_for(f"https://{host}/v1", PROXIES) is None


@pytest.mark.parametrize("host", ["localhost.example.com", "notlocalhost", "127.0.0.1.example.com", "128.0.0.1"])
def test_what_only_looks_like_loopback_is_proxied(host: str) -> None:
    """A name that begins or ends like localhost is another host."""
    assert proxy_for(f"http://{host}/v1", PROXIES) == "http://p:1"


@pytest.mark.parametrize(
    ("no_proxy", "host", "direct"),
    [
        ("*", "anything.example", True),
        ("a.example, *", "anything.example", True),
        ("example.com", "example.com", True),
        ("example.com", "api.example.com", True),
        ("example.com", "myexample.com", False),
        ("example.com", "example.com.evil", False),
        (".example.com", "example.com", True),
        (".example.com", "api.example.com", True),
        ("*.example.com", "api.example.com", True),
        ("Example.COM", "API.example.com", True),
        ("example.com.", "example.com", True),
        ("example.com:80", "example.com", True),
        ("example.com:8080", "example.com", False),
        ("example.com:8080", "example.com:8080", True),
        ("a, b ,example.com", "example.com", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.33", False),
        ("10.0.0.0/8", "10.200.1.1", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.1.2.3/8", "10.9.9.9", True),
        ("2001:db8::/32", "[2001:db8::5]", True),
        ("[2001:db8::5]:80", "[2001:db8::5]", True),
        ("[2001:db8::5]:81", "[2001:db8::5]", False),
        ("10.0.0.0/8", "example.com", False),
        ("", "example.com", False),
        (",,,", "example.com", False),
        (".", "example.com", False),
    ],
)
def test_no_proxy_names_hosts_domains_addresses_and_networks(no_proxy: str, host: str, direct: bool) -> None:
    """NO_PROXY's entries match as curl matches them."""
    assert (proxy_for(f"http://{host}/v1", {**PROXIES, "no": no_proxy}) is None) is direct


def test_a_proxy_without_a_scheme_is_http() -> None:
    """`proxy:3128` is what many set."""
    assert proxy_for("https://example.com", {"https": " proxy:3128 "}) == "http://proxy:3128"
    assert proxy_for("https://example.com", {"https": ""}) is None
    assert proxy_for("https://example.com", {}) is None


@given(url=st.text(), no_proxy=st.text(), proxy=st.text())
def test_nothing_makes_it_fail(url: str, no_proxy: str, proxy: str) -> None:
    """Whatever the environment and the URL hold, there is an answer."""
    for candidate in (url, f"http://{url}", f"http://{url}:80/"):
        proxy_for(candidate, {"http": proxy, "all": proxy, "no": no_proxy})


@given(st.text(string.ascii_lowercase + string.digits, min_size=1), st.text(string.ascii_lowercase, min_size=1))
def test_a_listed_domain_covers_its_subdomains(label: str, domain: str) -> None:
    """Any host under a listed domain goes direct."""
    url = f"http://{label}.{domain}.example/"
    assert proxy_for(url, {**PROXIES, "no": f"{domain}.example"}) is None
