"""The command line with its cache in Redis."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "triage"
RUN = ("run", EXAMPLES / "triage.toml", EXAMPLES / "tickets.jsonl", "--json")


def test_a_run_and_the_commands_of_the_cache(trivet: Any, redis_server: Any, simulator: Any) -> None:
    """A second run is all hits; what lies there is counted, pruned and forgotten by `trivet cache`."""
    where = ("--cache", redis_server.url)
    first = trivet(*RUN, "--base-url", simulator.url, *where).document
    again = trivet(*RUN, "--base-url", simulator.url, *where, "--fresh").document
    assert (first["failed"], again["calls"]["sent"]) == (0, 0)
    kept = first["calls"]["sent"]
    assert again["calls"]["cache_hits"] == first["rows"]
    stats = trivet("cache", "stats", *where, "--json").document
    assert (stats["url"], stats["entries"]) == (redis_server.url, kept)
    assert stats["bytes"] > 0 and stats["oldest_s"] >= stats["newest_s"]
    assert trivet("cache", "prune", *where, "--older-than", "1d", "--json").document == {"removed": 0}
    assert trivet("cache", "prune", *where, "--size", "1500", "--json").document["removed"] > 0
    assert trivet("cache", "clear", *where).code == 2
    left = trivet("cache", "stats", *where, "--json").document["entries"]
    assert trivet("cache", "clear", *where, "--yes", "--json").document == {"removed": left}
    assert trivet("cache", "stats", *where, "--json").document["entries"] == 0


def test_a_redis_that_is_not_there(trivet: Any, simulator: Any) -> None:
    """Nothing at the address stops a run before anything is sent, in one sentence without the password, exit 4."""
    before = simulator.books()["requests"]
    for command in ((*RUN, "--base-url", simulator.url), ("cache", "stats")):
        ended = trivet(*command, "--cache", "redis://:hunter2@127.0.0.1:1/0")
        assert ended.code == 4
        assert "can't be reached" in ended.out + ended.err
        assert "hunter2" not in ended.out + ended.err
        assert "Traceback" not in ended.err
    assert simulator.books()["requests"] == before


def test_a_wrong_password(trivet: Any, redis_server: Any, simulator: Any) -> None:
    """A password that the Redis refuses is a setting to be mended: exit 2."""
    url = redis_server.url.replace("//", "//:hunter2@")
    ended = trivet(*RUN, "--base-url", simulator.url, env={"TRIVET_CACHE": url})
    assert ended.code == 2
    assert "password" in ended.out
    assert "hunter2" not in ended.out + ended.err


def test_without_the_client_library(trivet: Any, tmp_path: Path) -> None:
    """Where the client of Redis is not installed, the message says the one line that installs it: exit 2."""
    (tmp_path / "missing" / "redis").mkdir(parents=True)
    (tmp_path / "missing" / "redis" / "__init__.py").write_text("raise ImportError('not installed')")
    path = os.pathsep.join([str(tmp_path / "missing"), os.environ.get("PYTHONPATH", "")])
    ended = trivet("cache", "stats", "--cache", "redis://127.0.0.1/0", env={"PYTHONPATH": path})
    assert ended.code == 2
    assert "pip install 'trivet[redis]'" in ended.err
