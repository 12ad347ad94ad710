"""A run that stops tells what its rows have cost by then, those included over which it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

import trivet as package
from trivet.client.today import today
from trivet.errors import ProviderError
from trivet.prices.book import Book
from trivet.prices.table import load
from trivet.types import Usage

TASK = Path(__file__).parent.parent.parent / "examples" / "triage" / "triage.toml"

A_CALL = Book(load()).cost(Usage(input=20, output=2), model="gpt-5.4-mini", tier=None, day=today()) or Decimal(0)
"""US dollars for what the scripted server says that it has used."""


def write_rows(folder: Path, rows: int) -> None:
    (folder / "rows.jsonl").write_text("".join(json.dumps({"ticket": f"refund {n}"}) + "\n" for n in range(rows)))


def command(url: str, *more: str) -> list[str]:
    return ["run", str(TASK), "rows.jsonl", "--base-url", url, "--json", "--cache", "off", "--concurrency", "8", *more]


def cost(document: dict[str, object]) -> Decimal:
    return Decimal(str(document["cost_usd"]))


def failed(answer: Callable[..., bytes], code: str) -> bytes:
    return answer("", status="failed", output=[], error={"code": code, "message": "it broke"})


@pytest.mark.parametrize(
    ("code", "more", "exit_code"),
    [
        ("insufficient_quota", (), 4),
        ("server_error", ("--budget", "0.004"), 3),
        ("server_error", ("--retries", "1"), 4),
    ],
)
def test_every_billed_attempt_is_in_the_cost_of_a_run_that_stops(
    trivet, scripted, answer, tmp_path: Path, code: str, more: tuple[str, ...], exit_code: int
) -> None:
    """A fatal failure, a spent budget, fifty rows alike: each attempt once, and once more when it is taken up."""
    write_rows(tmp_path, 300)
    server = scripted(200, failed(answer, code))
    for _ in range(2):
        ended = trivet(*command(server.url, *more))
        assert ended.code == exit_code, (ended.out, ended.err)
        assert ended.document["possibly_billed"] == 0
        assert ended.document["calls"]["attempts"] == len(server.requests) > 0
        assert cost(ended.document) == A_CALL * len(server.requests)
        assert ended.document["tokens"]["input"] == 20 * len(server.requests)


def test_a_run_of_a_program_that_keeps_nothing_tells_its_cost_too(scripted, answer) -> None:
    """No folder, no ledger: the rows over which the run stopped are counted all the same."""
    server = scripted(200, failed(answer, "insufficient_quota"))
    with package.Client(base_url=server.url, api_key="any", cache=None) as client:
        run = client.map(package.Task("Say {{ word }}", model="gpt-5.4-mini"), [{"word": "a"}] * 9, folder=None)
        with pytest.raises(ProviderError):
            list(run)
        summary = run.summary
    assert (summary.rows, summary.possibly_billed, summary.calls.attempts) == (0, 0, len(server.requests))
    assert summary.cost_usd == A_CALL * len(server.requests)
