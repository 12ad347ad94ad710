"""A record is one flat line with documented names; what was written earlier is read as it was meant."""

from __future__ import annotations

import json
import re
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import RunError
from trivet.jobs.ledger import Ledger, read_records
from trivet.jobs.record_lines import VERSION, AttemptLine, RecordLine, decoded, encoded
from trivet.jobs.runs import read_manifest
from trivet.records import Failure, Record
from trivet.reporting.reading import read_run
from trivet.types import Attempt, RateLimits, Usage

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "records.md").read_text()
SAVED = [HERE / f"run-of-records-{version}" for version in range(1, VERSION + 1)]

money = st.none() | st.decimals(0, 10, places=9)
seconds = st.floats(0, 1e9, allow_nan=False)
tokens = st.integers(0, 2**40)
usages = st.none() | st.builds(
    Usage, input=tokens, cached_input=tokens, cache_write=tokens, cache_write_12h=tokens, output=tokens,
    reasoning=tokens,
)  # fmt: skip
names = st.none() | st.text(max_size=20)
attempts = st.builds(
    Attempt, latency=seconds, status=st.none() | st.integers(100, 599), error=names, ttft=st.none() | seconds,
    queued=seconds, request_id=names, usage=usages, cost=money, possibly_billed=st.booleans(),
    began=st.none() | seconds,
)  # fmt: skip
COMMON: dict[str, Any] = {
    "n": st.integers(0, 2**32), "id": st.none() | st.integers() | st.text(), "text": names,
    "kept": st.none() | st.dictionaries(st.text(), st.integers()),
    "tags": st.none() | st.dictionaries(st.text(), st.text()),
    "source": st.sampled_from([None, "provider", "cache", "coalesced"]), "asked_model": names, "model": names,
    "tier": names, "response_id": names, "request_id": names, "usage": usages, "cost": money, "saved": money,
    "latency": st.none() | seconds, "queued": seconds, "ttft": st.none() | seconds, "stored_at": st.none() | seconds,
    "input_chars": tokens, "output_chars": tokens, "at": seconds, "simulated": st.booleans(),
    "attempts": st.lists(attempts, max_size=3).map(tuple),
    "limits": st.none() | st.builds(RateLimits, limit_requests=tokens),
}  # fmt: skip
records = st.one_of(
    st.builds(Record, output=st.none() | st.text() | st.lists(st.integers()), **COMMON),
    st.builds(Record, error=st.builds(Failure, code=st.text(), message=st.text()), **COMMON),
)


def plain(**more: Any) -> Record:
    """A row answered by the first attempt, as most are."""
    usage = Usage(input=47, output=1)
    cost = Decimal("0.000039750")
    only = Attempt(latency=0.28, status=200, request_id="req_1", usage=usage, cost=cost)
    fields: dict[str, Any] = {
        "source": "provider", "asked_model": "m", "model": "m-1", "tier": "default", "response_id": "resp_1",
        "request_id": "req_1", "usage": usage, "cost": cost, "latency": 0.281, "attempts": (only,), "at": 5.5,
    }  # fmt: skip
    return Record(n=3, id=3, output="billing", **(fields | more))


@given(records)
def test_any_record_is_read_back_as_it_was(record: Record) -> None:
    assert decoded(encoded(record)) == record


def test_the_names_are_those_of_the_conventions() -> None:
    assert json.loads(encoded(plain(tags={"team": "search"}))) == {
        "v": 2, "n": 3, "id": 3, "output": "billing", "tags": {"team": "search"}, "source": "provider",
        "gen_ai.request.model": "m", "gen_ai.response.model": "m-1", "openai.response.service_tier": "default",
        "gen_ai.response.id": "resp_1", "request_id": "req_1", "gen_ai.usage.input_tokens": 47,
        "gen_ai.usage.output_tokens": 1, "cost_usd": 0.00003975, "latency_s": 0.281, "exchange_s": 0.28, "at": 5.5,
    }  # fmt: skip


def test_an_only_attempt_that_differs_from_its_record_is_written_out() -> None:
    """Nothing of an attempt is left out that its record does not say."""
    only = plain().attempts[0]
    for changed in (
        {"status": 201}, {"error": "timeout"}, {"ttft": 0.1}, {"queued": 0.1}, {"request_id": "other"},
        {"usage": None}, {"cost": None}, {"possibly_billed": True}, {"began": 0.0},
    ):  # fmt: skip
        record = plain(attempts=(msgspec.structs.replace(only, **changed),))
        line = json.loads(encoded(record))
        assert "exchange_s" not in line
        assert len(line["attempts"]) == 1
        assert decoded(encoded(record)) == record


def test_what_is_not_known_differs_from_nothing() -> None:
    line = json.loads(encoded(plain(cost=None, usage=None, attempts=())))
    assert line["cost_usd"] is None
    assert "gen_ai.usage.input_tokens" not in line
    assert "cost_usd" not in json.loads(encoded(plain(cost=Decimal(0), attempts=())))
    assert json.loads(encoded(plain(usage=Usage(), attempts=())))["gen_ai.usage.input_tokens"] == 0


@pytest.mark.parametrize("folder", SAVED, ids=lambda folder: folder.name)
def test_runs_of_every_version_are_read_alike(folder: Path) -> None:
    """The same run was saved by each version of the schema: records and report come to the same."""
    found = {record.n: record for record in read_records(folder)}
    assert [record.error.code if record.error else record.output for record in found.values()] == [
        "billing", "technical_support", "account_access", "billing",
        {"category": "billing", "summary": "é 😀"}, "billing", "bad_row", "timeout", "billing", "billing",
    ]  # fmt: skip
    usage = Usage(input=1200, cached_input=1024, cache_write=100, cache_write_12h=7, output=30, reasoning=12)
    assert found[4].usage == usage
    assert [attempt.error for attempt in found[4].attempts] == ["rate_limit_exceeded", None]
    assert found[4].cost == Decimal("0.000123456")
    assert found[7].cost is None
    assert found[7].attempts[0].possibly_billed
    assert found[8].stored_at == 1795430000.0
    assert (found[0].tier, found[0].usage) == ("default", Usage(input=53, output=1))
    report = read_run(folder, with_text=False)
    assert (report.summary.rows, report.summary.failed, report.damaged) == (10, 2, 0)
    assert report.summary.calls.attempts == 9


@pytest.mark.parametrize("folder", SAVED, ids=lambda folder: folder.name)
def test_a_run_of_any_version_can_be_taken_up(folder: Path, tmp_path: Path) -> None:
    """New lines join the old ones in one file."""
    copy = Path(shutil.copytree(folder, tmp_path / "run"))
    ledger = Ledger.open(copy)
    assert (len(ledger.done), len(ledger.failed), ledger.damaged) == (10, 2, 0)
    ledger.append(msgspec.structs.replace(plain(), n=10))
    assert [record.n for record in ledger.ordered()] == list(range(11))
    ledger.close()


def test_the_manifest_names_the_version() -> None:
    assert [read_manifest(folder).records for folder in SAVED] == list(range(1, VERSION + 1))


def test_a_line_of_a_newer_version_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_bytes(b'{"v":99,"n":0,"gen_ai.something":1}\n')
    with pytest.raises(RunError, match="version 99"):
        Ledger.open(tmp_path)
    with pytest.raises(RunError, match="version 99"):
        list(read_records(tmp_path))


def test_a_line_that_another_program_has_written_anew_is_read(tmp_path: Path) -> None:
    """White space and the order of fields say nothing."""
    fields = json.loads(encoded(plain()))
    assert decoded(json.dumps(fields, indent=1, sort_keys=True).encode()) == plain()
    assert decoded(json.dumps(fields | {"gen_ai.of_tomorrow": [1]}).encode()) == plain()


@pytest.mark.parametrize("line", [b"", b"{}", b"null", b"[]", b'{"v":2,', b'{"v":2}', b'{"v":2,"n":"x"}', b'{"v":"2"}'])
def test_what_is_no_record_is_said_to_be_none(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decoded(line)


def test_the_page_names_every_field_and_no_other() -> None:
    record, attempt = re.split(r"^## ", PAGE, flags=re.M)[1:3]
    for text, struct in ((record, RecordLine), (attempt, AttemptLine)):
        cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
        named = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
        fields = {field.encode_name for field in msgspec.structs.fields(struct)}
        assert named - {"v"} == fields
