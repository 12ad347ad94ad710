"""The small languages of options, the endpoint, and the environment."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import SettingsError
from trivet.settings import (
    DEFAULT_BASE_URL,
    Endpoint,
    cache_folder,
    default_cache_url,
    duration,
    endpoint,
    money,
    proxies,
    size,
)

VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "TRIVET_CACHE")
SECRET = "sk-proj-distinctive-4242"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60),
        ("250ms", 0.25),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        (" 7d ", 604800),
        ("2w", 1209600),
        ("1.5h", 5400),
        ("90", 90),
        ("0.25", 0.25),
        ("0", 0),
        ("2m", 120),
        ("1m500ms", 60.5),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "abc",
        "-5s",
        "5x",
        "1h30",
        "10 20",
        "1.2.3",
        "5 s s",
        "s",
        "1e9",
        "nan",
        "inf",
        "٣s",
        "😀",
        "9" * 400,
        "5M",
        "1,5h",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="duration"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("100", 100),
        ("100b", 100),
        ("1k", 1000),
        ("500MB", 500_000_000),
        ("2 GB", 2_000_000_000),
        ("1.5gb", 1_500_000_000),
        ("1GiB", 1 << 30),
        ("1Ki", 1024),
        ("3tb", 3_000_000_000_000),
        ("0.1kb", 100),
    ],
)
def test_sizes_are_read(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "1 XB", "1e3", "nan", "9" * 400, "1ib", "😀", "1.5.5GB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="size"):
        size(text)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("5", "5"), ("5.00", "5"), ("$5.00", "5"), (" 0.000001 ", "0.000001"), ("0", "0"), ("$ 3", "3")],
)
def test_money_is_exact(text: str, amount: str) -> None:
    assert money(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "$", "-1", "nan", "sNaN", "inf", "5,00", "5€", "five", "😀", "1" * 100 + "x"])
def test_what_is_no_amount_of_money_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="dollars"):
        money(text)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    for read in (duration, size, money):
        with suppress(SettingsError):
            assert read(text) >= 0


@pytest.mark.parametrize("base", ["https://a.example/v1", "https://a.example/v1/", "https://a.example/v1//"])
def test_a_trailing_slash_of_the_base_url_makes_no_difference(base: str) -> None:
    assert Endpoint(base_url=base).url("/responses") == "https://a.example/v1/responses"


@pytest.mark.parametrize(
    ("base", "host"),
    [
        ("http://localhost:8000", "localhost:8000"),
        ("http://[::1]:8000/v1", "[::1]:8000"),
        ("https://a.example", "a.example"),
        ("HTTPS://A.example/v1", "A.example"),
    ],
)
def test_addresses_of_servers_are_taken(base: str, host: str) -> None:
    assert Endpoint(base_url=base).host == host


@pytest.mark.parametrize(
    "base",
    [
        "",
        "api.openai.com/v1",
        "ftp://a.example",
        "https://",
        "https:///v1",
        "http://[::1",
        "http://a.example:99999/v1",
        "http://a.example:port/v1",
        "http://a.example:0/v1",
        "http://a.example/v1\n",
        "http://a.example/v 1",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://a\u202e.example/",
    ],
)
def test_what_is_no_address_is_refused_with_an_example(base: str) -> None:
    with pytest.raises(SettingsError, match=r"base_url.*https://api.openai.com/v1"):
        Endpoint(base_url=base)


@pytest.mark.parametrize(
    "base",
    [
        SECRET,
        f"https://user:{SECRET}@a.example/v1",
        f"https://{SECRET}@a.example/v1",
        f"https://user:{SECRET}/@a.example/v1",
        f"ftp://user:{SECRET}@a.example/v1",
        f"https://a.example/v1?key={SECRET}",
        f"ftp://a.example/v1?key={SECRET}",
        f"https://a.example/v1#{SECRET}",
    ],
)
def test_a_secret_in_a_wrong_base_url_is_not_repeated(base: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Endpoint(base_url=base)
    assert "distinctive" not in str(raised.value)


@pytest.mark.parametrize("key", ["sk-ключ", "sk-a\nb", "sk-a\r\nx-evil: 1", "sk-\u202e", "sk-\x00", "sk-\x7f"])
def test_what_no_header_can_carry_is_refused_without_repeating_it(key: str) -> None:
    for field in ("api_key", "organization", "project"):
        with pytest.raises(SettingsError, match="header") as raised:
            Endpoint(**{field: key})
        assert key not in str(raised.value)
        assert key[3:] not in str(raised.value)


def test_a_repr_hides_the_key() -> None:
    assert "distinctive" not in repr(Endpoint(api_key=SECRET)) + str(Endpoint(api_key=SECRET))


def test_headers_name_key_organization_and_project_only_where_given() -> None:
    assert "authorization" not in Endpoint().headers()
    headers = Endpoint(api_key="sk-1", organization="org", project="proj").headers()
    assert headers["authorization"] == "Bearer sk-1"
    assert (headers["openai-organization"], headers["openai-project"]) == ("org", "proj")
    assert all(name == name.lower() for name in headers)


def test_the_provider_needs_a_key_and_says_how_to_do_without() -> None:
    with pytest.raises(SettingsError, match=r"OPENAI_API_KEY.*--sim"):
        endpoint()
    assert endpoint(base_url="http://localhost:1/v1").api_key is None


@pytest.mark.parametrize("blank", ["", "   ", "\n"])
def test_a_blank_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, blank)
    with pytest.raises(SettingsError, match="no API key"):
        endpoint()
    found = endpoint(api_key="sk-1")
    assert (found.base_url, found.organization, found.project) == (DEFAULT_BASE_URL, None, None)
    assert default_cache_url().startswith("sqlite:///")


def test_arguments_come_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", " sk-env \n")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://env.example/v1\n")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-env")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-env")
    assert endpoint() == Endpoint(
        base_url="https://env.example/v1", api_key="sk-env", organization="org-env", project="proj-env"
    )
    given_ = {"base_url": "https://arg.example/v1", "api_key": "sk-arg", "organization": "o", "project": "p"}
    assert endpoint(**given_) == Endpoint(**given_)


def test_the_simulator_takes_nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-env")
    found = endpoint(base_url="http://127.0.0.1:5000/v1", simulated="s1")
    assert (found.api_key, found.organization) == ("simulated", None)
    assert found.origin("/responses") == "sim:s1/responses"


def test_the_cache_is_in_the_users_cache_folder_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform != "darwin":
        assert cache_folder() == tmp_path / "trivet"
        assert default_cache_url() == f"sqlite:///{tmp_path}/trivet/cache.db"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/path")
    assert cache_folder().is_relative_to(Path.home())
    monkeypatch.setenv("TRIVET_CACHE", "memory://")
    assert default_cache_url() == "memory://"


def test_proxies_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "a.example")
    assert proxies()["https"] == "http://proxy.example:3128"
    assert proxies()["no"] == "a.example"


def test_importing_reads_nothing_of_the_environment_and_loads_no_http_client() -> None:
    code = (
        "import os, sys\n"
        "class Closed(dict):\n"
        "    def __getitem__(self, name): raise SystemExit(f'read {name}')\n"
        "    get = __getitem__\n"
        "import trivet.errors, urllib.request\n"
        "os.environ = Closed()\n"
        "import trivet.settings, trivet.keys, trivet.engine.stack\n"
        "assert 'aiohttp' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
