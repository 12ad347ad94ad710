"""`trivet explain` as users run it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TRIAGE = Path(__file__).parent.parent.parent / "examples" / "triage"
TASK, TICKETS = TRIAGE / "triage.toml", TRIAGE / "tickets.jsonl"
NO_KEY = {"OPENAI_API_KEY": ""}


def test_it_says_what_a_run_would_cost_and_needs_no_key(trivet: Callable[..., Any]) -> None:
    ended = trivet("explain", TASK, TICKETS, "--usage-tier", "1", "--deadline", "6h", env=NO_KEY)
    assert ended.code == 0, ended.err
    for part in ("rows        20 rows", "cost        standard", "to send     17 calls", "flex      in time", "levers"):
        assert part in ended.out, part
    assert "500 requests" in ended.out
    assert all(len(line) <= 78 for line in ended.out.splitlines())


def test_it_prints_one_document_with_the_figures_that_were_promised(trivet: Callable[..., Any]) -> None:
    document = trivet("explain", TASK, TICKETS, "--sim", "--json").document
    assert document["rows"] == 20
    assert document["bad_rows"] == 0
    assert document["duplicates"] == {"exact": 2, "normalised": 1}
    assert {"constant", "varying", "input", "output_estimate"} <= document["tokens"].keys()
    assert document["cost_usd"]["flex"] == pytest.approx(document["cost_usd"]["standard"] / 2)
    assert 0 < document["time_s"][0] < document["time_s"][1]
    assert document["binding_limit"] == "latency"
    assert {"lever", "saves_usd", "exact"} <= document["levers"][0].keys()
    assert document["lint"] == []


def test_a_pilot_is_paid_once_and_the_run_says_what_was_predicted(trivet: Callable[..., Any], tmp_path: Path) -> None:
    cache = ("--cache", f"sqlite:///{tmp_path / 'answers.db'}")
    ended = trivet("explain", TASK, TICKETS, "--sim", "--pilot", "10", "--json", *cache)
    said = ended.document
    assert said["pilot"]["rows"] == 10
    assert said["cache"]["hits"] == 10
    assert said["calls"] == 7
    assert said["tokens"]["output_from"] == "answers"
    ran = trivet("run", TASK, TICKETS, "--sim", "--json", *cache).document
    assert ran["calls"]["cache_hits"] + ran["calls"]["coalesced"] == 13  # three rows ask what another one asks
    assert ran["calls"]["sent"] == 7
    assert ran["predicted"]["cost_usd"] == said["cost_interval_usd"]
    assert ran["predicted"]["cost_usd"][0] <= ran["cost_usd"] <= ran["predicted"]["cost_usd"][1]
    again = trivet("run", TASK, TICKETS, "--sim", "--fresh", *cache)
    assert "predicted" not in again.out
    later = trivet("explain", TASK, TICKETS, "--sim", "--json", *cache).document
    assert later["calls"] == 0
    assert later["time_s"] == [0.0, 0.0]


def test_the_summary_of_a_run_shows_the_prediction(trivet: Callable[..., Any]) -> None:
    assert trivet("explain", TASK, TICKETS, "--sim").code == 0
    ran = trivet("run", TASK, TICKETS, "--sim")
    assert "predicted            cost $" in ran.out


def test_bad_rows_are_counted_and_told_by_their_place(trivet: Callable[..., Any], tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"ticket": "one"}\nnot json\n{"other": 1}\n{"ticket": "two"}\n')
    ended = trivet("explain", TASK, rows, "--json")
    assert ended.document["bad_rows"] == 2
    assert "rows.jsonl:2" in ended.document["complaints"][0]
    assert "rows.jsonl:3" in ended.document["complaints"][1]
    assert "2 of them bad" in trivet("explain", TASK, rows).out


def test_standard_input_is_read_once(trivet: Callable[..., Any]) -> None:
    ended = trivet("explain", TASK, "-", "--json", stdin='{"ticket": "one"}\n{"ticket": "one"}\n')
    assert ended.document["rows"] == 2
    assert ended.document["duplicates"]["exact"] == 1


def test_an_unknown_server_and_model_give_unknown_figures(trivet: Callable[..., Any]) -> None:
    ended = trivet("explain", TASK, TICKETS, "--base-url", "http://127.0.0.1:9/v1", "--model", "mine", "--json")
    assert ended.code == 0, ended.err
    assert ended.document["cost_usd"] == {"standard": None}
    assert ended.document["time_s"] is None
    assert trivet("explain", TASK, TICKETS, "--base-url", "http://127.0.0.1:9/v1", "--model", "mine").code == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--usage-tier", "6"),
        ("--usage-tier", "0"),
        ("--deadline", "25:00"),
        ("--deadline", "0s"),
        ("--pilot", "0"),
        ("--pilot", "5", "--cache", "off"),
        ("--pilot", "5", "--sim", "--budget", "five"),
        ("--budget", "5"),
        ("--tier", "batch"),
        ("--param", "x"),
        ("--map", "nobody=ticket"),
        ("--concurrency", "0"),
        ("--seed", "1"),
    ],
)
def test_bad_input_is_one_sentence(trivet: Callable[..., Any], options: tuple[str, ...]) -> None:
    ended = trivet("explain", TASK, TICKETS, *options)
    assert ended.code == 2, ended.out
    assert ended.err.count("\n") == 1
    assert "mistake in trivet" not in ended.err


def test_data_that_is_none_is_refused(trivet: Callable[..., Any], tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"text": "no ticket"}) + "\n")
    for data in (empty, other, tmp_path / "missing.jsonl"):
        ended = trivet("explain", TASK, data)
        assert ended.code == 2, ended.out
        assert ended.err.count("\n") == 1


def test_a_budget_that_holds_no_call_stops_the_pilot(trivet: Callable[..., Any]) -> None:
    ended = trivet("explain", TASK, TICKETS, "--sim", "--pilot", "5", "--budget", "0.0000001")
    assert ended.code == 3, (ended.out, ended.err)


def test_a_pilot_whose_rows_fail_says_so_and_still_measures(
    trivet: Callable[..., Any], scripted: Callable[..., Any], answer: Callable[..., bytes]
) -> None:
    """An answer that breaks the contract is paid for, tells how long answers are, and is not kept."""
    server = scripted(200, answer("no such label"))
    options = ("--base-url", server.url, "--pilot", "9")
    ended = trivet("explain", TASK, TICKETS, *options)
    assert ended.code == 1
    assert "9 of them failed, and will be paid for again: invalid_output" in " ".join(ended.out.split())
    document = trivet("explain", TASK, TICKETS, *options, "--json").document
    assert document["pilot"]["failed"] == 9
    assert (document["tokens"]["output_from"], document["tokens"]["output_answers"]) == ("answers", 9)
    assert document["calls"] == 17
    assert document["time_s"] is None or document["time_s"][0] > 0


def test_a_pilot_of_what_is_answered_already_asks_nothing(trivet: Callable[..., Any]) -> None:
    assert trivet("run", TASK, TICKETS, "--sim").code == 0
    ended = trivet("explain", TASK, TICKETS, "--sim", "--pilot", "30", "--json")
    assert ended.code == 0
    assert ended.document["pilot"] is None
    assert ended.document["calls"] == 0
