"""`--log FILE`: what happens in a run, and nothing that is nobody's business."""

from __future__ import annotations

import io
import json
import logging
from decimal import Decimal
from pathlib import Path

from trivet.cli.log import JsonLines

TASK = Path(__file__).parent.parent.parent / "examples" / "triage" / "triage.toml"
REFUSAL = {"error": {"message": "slow down, you", "type": "requests", "param": None, "code": "rate_limit_exceeded"}}


def written(**extra: object) -> dict[str, object]:
    """The line of one record."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.Logger("trivet.any")
    logger.addHandler(handler)
    logger.info("what happened", extra=extra)
    line, rest = stream.getvalue().split("\n")
    assert rest == ""
    found: dict[str, object] = json.loads(line)
    return found


def test_only_known_fields_are_written() -> None:
    """A field that somebody adds to a record does not leak by itself."""
    line = written(model="m", prompt="a secret", api_key="sk-1", cost_usd=Decimal("0.10"))
    assert line.keys() == {"event", "level", "logger", "timestamp", "model", "cost_usd"}
    assert line["cost_usd"] == 0.1


def test_a_line_is_one_line_whatever_is_in_it() -> None:
    """Names come from users and servers: a break in one is escaped, and foreign characters are valid JSON."""
    assert written(model="a\nb\u2028c\x1b[31m", error="\U0001f4a5")["model"] == "a\nb\u2028c\x1b[31m"


def test_a_day_of_waiting_ends_the_run(trivet, scripted, tmp_path: Path) -> None:
    """A `Retry-After` of a day is told, not waited out: exit 4, and the same command takes the run up."""
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps({"ticket": f"refund {n}"}) for n in range(200)))
    server = scripted(429, json.dumps(REFUSAL).encode(), {"retry-after": "86400"})
    ended = trivet("run", TASK, "rows.jsonl", "--base-url", server.url, "--log", "log.jsonl", timeout=120)
    assert ended.code == 4, ended.err
    assert "asks to wait 24.0 h" in ended.err
    assert "takes the run up" in ended.err
    assert len(server.requests) <= 64, "the others were not sent"
    events = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(e["event"], e.get("error")) for e in events if e["event"] == "run stops"] == [("run stops", "paused")]
