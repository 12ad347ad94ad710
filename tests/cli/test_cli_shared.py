"""Runs that share limits and a budget through Redis, as users type them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

TASK = """
prompt = "Say {{ ticket }} in one word."
[output]
text = true
[params]
max_output_tokens = 16
"""


@pytest.fixture
def work(tmp_path: Path) -> list[str]:
    (tmp_path / "task.toml").write_text(TASK)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"ticket": f"number {n}"}) + "\n" for n in range(60)))
    return ["run", "task.toml", "rows.jsonl", "--cache", "off", "--json"]


def test_the_shards_of_one_run_share_its_budget_and_each_counts_once_when_taken_up(
    trivet: Any, work: list[str], redis_server: Any, simulator: Any
) -> None:
    where = ["--base-url", simulator.url, "--shared", redis_server.url]
    first = trivet(*work, *where, "--shard", "1/2", "--budget", "1.00")
    assert first.code == 0, first.err
    spent = first.document["cost_usd"]
    second = trivet(*work, *where, "--shard", "2/2", "--budget", f"{spent:.9f}")
    assert second.code == 3, second.out
    assert second.document["ok"] == 0
    assert f"the budget of ${spent:.9f}" in second.err + second.out
    whole = trivet(*work, *where, "--shard", "2/2", "--budget", "1.00", "--fresh")
    assert whole.code == 0, whole.err
    assert whole.document["ok"] == 30
    both = spent + whole.document["cost_usd"]
    again = trivet(*work, *where, "--shard", "2/2", "--budget", f"{both + 0.0004:.9f}", "--fresh")
    assert again.code == 0, again.err


def test_a_shard_that_was_stopped_by_the_budget_goes_on_with_a_higher_one(
    trivet: Any, work: list[str], redis_server: Any, simulator: Any
) -> None:
    where = ["--base-url", simulator.url, "--shared", redis_server.url, "--concurrency", "1"]
    one = trivet(*work, *where, "--shard", "1/2", "--budget", "0.00065")
    assert one.code == 3, one.out
    done = one.document["ok"]
    assert 0 < done < 30
    two = trivet(*work, *where, "--shard", "1/2", "--budget", "1.00")
    assert two.code == 0, two.err
    assert two.document["ok"] == 30


@pytest.mark.parametrize("budget", [[], ["--budget", "1.00", "--shard", "1/2"]])
def test_a_redis_that_is_not_there_stops_a_run_before_it_spends(
    trivet: Any, work: list[str], simulator: Any, budget: list[str]
) -> None:
    before = simulator.books()["requests"]
    ended = trivet(*work, "--base-url", simulator.url, "--shared", "redis://127.0.0.1:1/0", *budget)
    assert ended.code == 4, ended.out
    assert "127.0.0.1:1" in ended.out + ended.err
    assert simulator.books()["requests"] == before


def test_a_wrong_address_of_a_redis_is_wrong_usage(trivet: Any, work: list[str], simulator: Any) -> None:
    ended = trivet(*work, "--base-url", simulator.url, "--shared", "redis:/host")
    assert ended.code == 2
    assert "redis://" in ended.out


def test_a_comparison_shares_limits_too(trivet: Any, work: list[str], redis_server: Any, tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text(TASK + '\n[variants.short]\nprompt = "Say {{ ticket }} in a single word."\n')
    ended = trivet(
        "compare", "task.toml", "rows.jsonl", "--sim", "--first", "4", "--shared", redis_server.url, "--json"
    )
    assert ended.document["rows"] == 4, ended.err
