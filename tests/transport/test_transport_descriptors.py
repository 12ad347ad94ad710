"""The number of connections that the system allows this process."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

import trivet
from trivet.client.client import AsyncClient
from trivet.errors import SettingsError
from trivet.transport.descriptors import RESERVED, allow_connections, connections_allowed


@pytest.fixture
def few_files() -> Iterator[int]:
    """A soft limit of 400 files for the length of a test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 400:
        pytest.skip("fewer files are allowed here already")
    resource.setrlimit(resource.RLIMIT_NOFILE, (400, hard))
    yield 400
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_part_of_the_files_is_kept_for_all_else(few_files: int) -> None:
    assert connections_allowed() == few_files - RESERVED


def test_the_limit_is_raised_as_far_as_needed_and_never_lowered(few_files: int) -> None:
    allow_connections(350)
    assert connections_allowed() == 350
    allow_connections(10)
    assert connections_allowed() == 350


def test_more_at_once_than_there_may_be_connections_is_refused_with_what_to_do(few_files: int) -> None:
    with pytest.raises(SettingsError, match=r"5000.*400 files.*ulimit -n 5100"):
        AsyncClient(base_url="http://127.0.0.1:9/v1", api_key="k", limits=trivet.Limits(concurrency=5000))


def test_what_is_learned_stays_within_what_is_allowed(few_files: int) -> None:
    client = AsyncClient(base_url="http://127.0.0.1:9/v1", api_key="k")
    assert client.concurrency == few_files - RESERVED
