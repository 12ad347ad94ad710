"""`trivet run` as a user meets it: processes, files, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

from trivet import sim

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "triage"
TASK, TICKETS = EXAMPLES / "triage.toml", EXAMPLES / "tickets.jsonl"


def results(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_prints_the_document_that_is_promised(trivet, simulator: sim.Simulator, tmp_path: Path) -> None:
    """Every figure of the documented summary is there, and they agree with each other and with the files."""
    ended = trivet("run", TASK, TICKETS, "--base-url", simulator.url, "--json")
    assert ended.code == 0, ended.err
    summary = ended.document
    assert summary["rows"] == summary["ok"] == 20
    assert summary["calls"]["sent"] == 17
    assert summary["calls"]["sent"] + summary["calls"]["cache_hits"] + summary["calls"]["coalesced"] == 20
    assert summary["cache_hit_rate"] == 0.15
    assert summary["latency_s"]["p95"] is None
    assert summary["cost_usd"] > 0
    assert summary["saved_usd"] > 0
    assert sum(summary["counts"].values()) == 20
    lines = results(tmp_path / summary["results"])
    assert [line["id"] for line in lines] == list(range(20))
    assert {line["output"] for line in lines} == set(summary["counts"])


def test_a_second_run_is_answered_from_the_cache(trivet, simulator: sim.Simulator) -> None:
    """The same command again sends nothing, costs nothing, and gives the same results."""
    first = trivet("run", TASK, TICKETS, "--base-url", simulator.url, "--json", "-o", "one.jsonl")
    second = trivet("run", TASK, TICKETS, "--base-url", simulator.url, "--json", "-o", "two.jsonl")
    assert second.code == 0, second.err
    assert second.document["calls"] == first.document["calls"] | {
        "sent": 0,
        "attempts": 0,
        "cache_hits": 20,
        "coalesced": 0,
    }
    assert second.document["cost_usd"] == 0
    assert second.document["latency_s"]["mean"] is None
    assert second.document["counts"] == first.document["counts"]


def test_tags_are_on_every_record_and_in_the_bill(trivet, simulator: sim.Simulator, tmp_path: Path) -> None:
    """`--tag` names what is spent, hits included, and changes neither the cache's key nor the run."""
    tags = ("--tag", "team=search", "--tag", "note=a=b")
    ended = trivet("run", TASK, TICKETS, "--base-url", simulator.url, "--json", *tags)
    cost = ended.document["cost_usd"]
    assert ended.document["by_tag"] == {
        "note=a=b": {"rows": 20, "cost_usd": cost}, "team=search": {"rows": 20, "cost_usd": cost},
    }  # fmt: skip
    (ledger,) = tmp_path.glob("runs/*/ledger.jsonl")
    assert [line["tags"] for line in results(ledger)] == [{"team": "search", "note": "a=b"}] * 20
    again = trivet("run", TASK, TICKETS, "--base-url", simulator.url, "--json", "--tag", "team=ads")
    assert again.document["calls"]["cache_hits"] == 20
    assert again.document["by_tag"] == {"team=ads": {"rows": 20, "cost_usd": 0}}
    for wrong in (["--tag", "team"], ["--tag", "=x"], ["--tag", "a=1", "--tag", "a=2"]):
        refused = trivet("run", TASK, TICKETS, "--base-url", simulator.url, *wrong)
        assert refused.code == 2
        assert "--tag" in refused.err


def test_the_simulator_needs_no_key_and_is_called_simulated(trivet) -> None:
    """`--sim` works from nothing, and its output says what is made up."""
    ended = trivet("run", TASK, TICKETS, "--sim", "--first", "3", env={"OPENAI_API_KEY": ""})
    assert ended.code == 0, ended.err
    assert "simulated" in ended.out
    assert "3 of 3 ok" in ended.out


def test_without_a_key_both_ways_out_are_named(trivet) -> None:
    """No key and no `--sim`: one sentence that names both, exit 2, nothing on disk."""
    ended = trivet("run", TASK, TICKETS, env={"OPENAI_API_KEY": ""})
    assert ended.code == 2
    assert "OPENAI_API_KEY" in ended.err
    assert "--sim" in ended.err
    assert ended.err.count("\n") == 1


def test_an_error_with_json_is_a_document_too(trivet) -> None:
    """With `--json` a failing command prints one JSON document with the error and its exit code."""
    ended = trivet("run", TASK, "nowhere.jsonl", "--sim", "--json")
    assert ended.code == 2
    assert ended.document["exit"] == 2
    assert "nowhere.jsonl" in ended.document["error"]["message"]
    assert ended.err == ""


def test_the_key_is_sent_and_appears_nowhere_on_disk(trivet, scripted, answer, tmp_path: Path) -> None:
    """The key goes into the request's header, and into no record, log, cache or message."""
    server = scripted(200, answer("billing"))
    secret = "sk-very-secret-key-0123456789"
    ended = trivet("run", TASK, TICKETS, "--base-url", server.url, "--log", "log.jsonl", env={"OPENAI_API_KEY": secret})
    assert ended.code == 0, ended.err
    assert all(headers["authorization"] == f"Bearer {secret}" for headers, _ in server.requests)
    assert secret not in ended.out + ended.err
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes(), file


def test_the_log_has_every_attempt_and_no_prompt(trivet, scripted, answer, tmp_path: Path) -> None:
    """`--log` writes a JSON line for each attempt and for both ends of the run, without prompts or answers."""
    server = scripted(200, answer("billing"))
    trivet("run", TASK, TICKETS, "--base-url", server.url, "--log", "log.jsonl")
    first, *lines, last = results(tmp_path / "log.jsonl")
    assert (first["event"], first["resumed"], first["model"]) == ("run begins", False, "gpt-5.4-mini")
    assert (last["event"], last["ok"], last["interrupted"]) == ("run ends", 20, False)
    assert {line["event"] for line in lines} <= {"attempt", "concurrency"}
    lines = [line for line in lines if line["event"] == "attempt"]
    assert len(lines) == len(server.requests) == 17
    assert all(line["status"] == 200 and line["latency_s"] > 0 and line["input_tokens"] == 20 for line in lines)
    text = (tmp_path / "log.jsonl").read_text()
    assert "subscription" not in text
    assert "billing" not in text
    assert (tmp_path / "log.jsonl").stat().st_mode & 0o077 == 0


def test_only_the_whole_wire_body_goes_out(trivet, scripted, answer) -> None:
    """What is sent is what the task says: model, prompt, cap and effort, and never the truth column."""
    server = scripted(200, answer("billing"))
    trivet("run", TASK, TICKETS, "--base-url", server.url, "--first", "1")
    body = json.loads(server.requests[0][1])
    assert body["model"] == "gpt-5.4-mini"
    assert body["max_output_tokens"] == 16
    assert body["reasoning"] == {"effort": "none"}
    assert "category" not in body["input"].replace("categories", "")
    assert set(body) == {"model", "input", "max_output_tokens", "reasoning"}


def test_options_override_the_task(trivet, scripted, answer) -> None:
    """`--model`, `--param`, `--tier` and `--variant` change what is sent."""
    server = scripted(200, answer("billing"))
    trivet(
        *("run", TASK, TICKETS, "--base-url", server.url, "--first", "1", "--variant", "verbose"),
        *("--model", "gpt-6-luna", "--param", "max_output_tokens=99", "--tier", "flex"),
    )
    body = json.loads(server.requests[0][1])
    assert (body["model"], body["max_output_tokens"], body["service_tier"]) == ("gpt-6-luna", 99, "flex")
    assert "world-class" in body["input"]


def test_data_options_select_and_name_rows(trivet, simulator: sim.Simulator, tmp_path: Path) -> None:
    """`--map`, `--id`, `--keep` and `--sample` do what they say."""
    data = tmp_path / "mail.csv"
    data.write_text("key,body,truth\n" + "".join(f"k{n},refund number {n},billing\n" for n in range(50)))
    ended = trivet(
        *("run", TASK, data, "--base-url", simulator.url, "--map", "ticket=body", "--id", "key"),
        *("--keep", "truth", "--sample", "7", "-o", "out.jsonl", "--json"),
    )
    assert ended.code == 0, ended.err
    lines = results(tmp_path / "out.jsonl")
    assert len(lines) == 7
    assert all(str(line["id"]).startswith("k") and line["truth"] == "billing" for line in lines)


def test_standard_input_is_read_as_it_comes(trivet, simulator: sim.Simulator) -> None:
    """`-` reads JSON lines from standard input."""
    rows = "".join(json.dumps({"ticket": f"refund {n}"}) + "\n" for n in range(5))
    ended = trivet("run", TASK, "-", "--base-url", simulator.url, "--json", stdin=rows)
    assert ended.code == 0, ended.err
    assert ended.document["rows"] == 5


def test_a_dry_run_asks_nothing(trivet, scripted, answer) -> None:
    """`--dry-run` shows the first request and sends none."""
    server = scripted(200, answer("billing"))
    ended = trivet("run", TASK, TICKETS, "--base-url", server.url, "--dry-run")
    assert ended.code == 0
    assert "charged twice" in ended.out
    assert server.requests == []


def test_the_budget_is_kept_and_says_so(trivet, scripted, answer) -> None:
    """A run that could exceed its budget stops with exit 3, resumable, and has not spent more."""
    server = scripted(200, answer("billing"))
    ended = trivet("run", TASK, TICKETS, "--base-url", server.url, "--budget", "0.0003", "--cache", "off", "--json")
    assert ended.code == 3, ended.err
    assert ended.document["interrupted"] is True
    assert ended.document["cost_usd"] <= 0.0003
    assert "budget" in ended.err
    more = trivet("run", TASK, TICKETS, "--base-url", server.url, "--budget", "1", "--cache", "off", "--json")
    assert more.code == 0, more.err
    assert more.document["rows"] == 20


def test_a_budget_with_an_unknown_price_is_refused_before_any_spend(trivet, scripted, answer) -> None:
    """A model without a known price can't be held to a budget: exit 3, nothing sent."""
    server = scripted(200, answer("billing"))
    ended = trivet("run", TASK, TICKETS, "--base-url", server.url, "--model", "my-llama", "--budget", "1")
    assert ended.code == 3
    assert server.requests == []


def test_an_unknown_price_is_unknown_and_not_nothing(trivet, scripted, answer) -> None:
    """A model without a price costs null, with a warning."""
    server = scripted(200, answer("billing", model="my-llama"))
    ended = trivet("run", TASK, TICKETS, "--base-url", server.url, "--model", "my-llama", "--json")
    assert ended.document["cost_usd"] is None
    people = trivet("run", TASK, TICKETS, "--base-url", server.url, "--model", "my-llama", "--cache", "off")
    assert "unknown" in people.out
    assert "warning" in people.out
