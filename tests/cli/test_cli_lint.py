"""`trivet lint` as users run it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

TRIAGE = Path(__file__).parent.parent.parent / "examples" / "triage"


def test_lint_shows_findings_a_diff_and_the_command_that_proves_it(trivet: Callable[..., Any]) -> None:
    ended = trivet("lint", TRIAGE / "triage.toml", "--variant", "verbose")
    assert ended.code == 0, ended.err
    assert "role (" in ended.out
    assert "\n+Return only the label." in ended.out
    assert "per million calls: $" in ended.out
    assert "nothing is proven yet" in ended.out
    assert "trivet compare" in ended.out


def test_lint_prints_one_document(trivet: Callable[..., Any]) -> None:
    document = trivet("lint", TRIAGE / "triage.toml", "--variant", "verbose", "--json").document
    assert document["tokens_before"] > document["tokens_after"] > 0
    assert {"code", "line", "tokens", "message"} <= document["findings"][0].keys()
    assert "{{ ticket }}" in document["prompt"]


def test_lint_reads_standard_input(trivet: Callable[..., Any]) -> None:
    ended = trivet(
        "lint", "-", "--json", stdin="You are a helpful assistant. Name the capital of {{ land }} in one word."
    )
    assert ended.document["prompt"] == "Name the capital of {{ land }} in one word."


def test_strict_fails_where_something_is_found(trivet: Callable[..., Any]) -> None:
    assert trivet("lint", TRIAGE / "triage.toml", "--variant", "verbose", "--strict").code == 1
    assert trivet("lint", TRIAGE / "triage.toml", "--strict").code == 0


def test_a_written_variant_can_be_compared(trivet: Callable[..., Any], tmp_path: Path) -> None:
    task = tmp_path / "triage.toml"
    shutil.copy(TRIAGE / "triage.toml", task)
    before = task.read_text()
    ended = trivet("lint", task, "--variant", "verbose", "--write", "short", "--json")
    assert ended.code == 0, ended.err
    assert "--variants verbose,short" in ended.document["compare"]
    assert task.read_text().startswith(before)
    compared = trivet(
        *("compare", task, TRIAGE / "tickets.jsonl", "--variants", "verbose,short", "--truth", "category"),
        *("--sim", "--first", "4", "--json"),
    )
    assert compared.code == 0, compared.err
    assert set(compared.document["variants"]) == {"verbose", "short"}
    assert trivet("lint", task, "--variant", "verbose", "--write", "short").code == 2


def test_a_rewrite_that_lost_the_placeholders_is_shown_as_such(trivet: Callable[..., Any]) -> None:
    """The simulator's words are no prompt: they are not offered, and what they cost is told."""
    ended = trivet("lint", TRIAGE / "triage.toml", "--variant", "verbose", "--rewrite", "--sim", "--json")
    assert ended.code == 0, ended.err
    rewrite = ended.document["rewrite"]
    assert rewrite["offered"] is False
    assert rewrite["simulated"] is True
    assert rewrite["cost_usd"] > 0
    assert any("{{ticket}}" in each for each in rewrite["objections"])


def test_a_rewrite_keeps_to_the_budget(trivet: Callable[..., Any]) -> None:
    ended = trivet("lint", TRIAGE / "triage.toml", "--rewrite", "--sim", "--budget", "0.000001")
    assert ended.code == 3


def test_wrong_usage_is_told_before_anything_is_asked(trivet: Callable[..., Any]) -> None:
    for arguments in (["none.toml"], ["none.txt"], ["-", "--write", "x"], [TRIAGE / "triage.toml", "--sim"]):
        ended = trivet("lint", *arguments, "--json", stdin="Go {{ x }}")
        assert ended.code == 2
        assert ended.document["error"]["message"]
