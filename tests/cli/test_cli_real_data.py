"""3,080 real customer messages with 77 intents through the whole stack."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

DATA = Path(__file__).parent.parent.parent.parent / "shared" / "data" / "banking77" / "test.csv"


@pytest.mark.needs_data
@pytest.mark.skipif(not DATA.exists(), reason="../shared/data/banking77 is not there")
def test_real_messages_are_all_labelled(trivet, simulator, tmp_path: Path) -> None:
    """Every message ends with one of the 77 labels, far better than chance, and the second run is free."""
    import csv

    with DATA.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = sorted({row["category"] for row in rows})
    assert (len(rows), len(labels)) == (3080, 77)
    (tmp_path / "banking.toml").write_text(
        'prompt = """Which intent does the message have? Answer with exactly one of: '
        '{{ labels | join(\', \') }}.\n\nMessage: {{ text }}"""\n'
        f"[output]\nlabels = {json.dumps(labels)}\n[params]\nmax_output_tokens = 32\n"
    )
    where = ("--base-url", simulator.url)  # an account without limits, so that nothing is waited for
    arguments = ("run", "banking.toml", DATA, *where, "--keep", "category", "--concurrency", "200", "--json")
    ended = trivet(*arguments, "-o", "out.jsonl", timeout=240)
    assert ended.code == 0, ended.err
    summary = ended.document
    assert (summary["rows"], summary["ok"]) == (3080, 3080)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    right = sum(line["output"] == line["category"] for line in lines)
    assert right / 3080 > 10 / 77, "a simulated model that reads the words is far from chance"
    again = trivet(*arguments, "-o", "again.jsonl", timeout=120)
    assert again.document["calls"]["sent"] == 0
    assert (tmp_path / "again.jsonl").read_text() == (tmp_path / "out.jsonl").read_text()
