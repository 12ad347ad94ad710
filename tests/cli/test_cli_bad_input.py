"""What a user can get wrong: one clear sentence that says what, where and what to do, an exit code, no traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trivet import sim

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "triage"
TASK, TICKETS = EXAMPLES / "triage.toml", EXAMPLES / "tickets.jsonl"

TOML = """model = "gpt-5.4-mini"
prompt = "Classify: {{ ticket }}"
[output]
labels = ["billing", "other"]
"""


def refused(ended, code: int, *words: str) -> None:
    """The command said it all in one line on standard error."""
    assert ended.code == code, (ended.code, ended.out, ended.err)
    assert "Traceback" not in ended.err
    assert len(ended.err.strip().splitlines()) == 1, ended.err
    for word in words:
        assert word in ended.err, (word, ended.err)


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('prompt = "{{ ticket }}"\nmodell = "x"\n', ["task.toml:2", "modell", "model"]),
        (TOML.replace('"other"', '"billing"'), ["task.toml:4", "billing", "twice"]),
        (TOML.replace("{{ ticket }}", "{{ tickt }}"), ["tickt", "ticket"]),
        (TOML.replace("{{ ticket }}", "{{ ticket | nope }}"), ["task.toml:2", "nope"]),
        (TOML.replace("{{ ticket }}", "{{ ticket "), ["task.toml:2"]),
        (TOML + "schema = 'x.json'\n", ["task.toml", "schema", "labels"]),
        ("prompt = \n", ["task.toml:1"]),
        ("", ["task.toml", "prompt"]),
        (TOML + '[plan]\neffort = "minimal"\n', ["task.toml:6", "minimal", "gpt-5.4-mini"]),
        (TOML + "[output2]\n", ["task.toml:5", "output2"]),
    ],
    ids=lambda value: None,
)
def test_a_wrong_task_file_is_refused_before_any_spend(trivet, tmp_path: Path, toml: str, words: list[str]) -> None:
    """Whatever is wrong in a task file is named with its file and line, and nothing is sent."""
    (tmp_path / "task.toml").write_text(toml)
    refused(trivet("run", "task.toml", TICKETS, "--sim"), 2, *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", TASK, "ticket.jsonl", "--sim"], ["ticket.jsonl"]),
        (["run", "no.toml", TICKETS, "--sim"], ["no.toml"]),
        (["run", TASK, ".", "--sim"], ["."]),
        (["run", TASK, TICKETS, "--sim", "-o", "/dev/null/x/out.jsonl"], ["/dev/null/x"]),
        (["run", TASK, TICKETS, "--sim", "-o", "out.xlsx"], ["out.xlsx", ".csv"]),
        (["run", TASK, TICKETS, "--sim", "--runs", "/dev/null/runs"], ["/dev/null/runs"]),
        (["run", TASK, TICKETS, "--sim", "--budget", "cheap"], ["cheap", "5.00"]),
        (["run", TASK, TICKETS, "--sim", "--timeout", "soon"], ["soon", "60s"]),
        (["run", TASK, TICKETS, "--sim", "--concurrency", "0"], ["--concurrency", "0"]),
        (["run", TASK, TICKETS, "--sim", "--shard", "9/8"], ["9/8"]),
        (["run", TASK, TICKETS, "--sim", "--cache", "mysql://x"], ["mysql", "sqlite"]),
        (["run", TASK, TICKETS, "--sim", "--id", "ident"], ["ident", "id"]),
        (["run", TASK, TICKETS, "--sim", "--variant", "verbos"], ["verbos", "verbose"]),
        (["run", TASK, TICKETS, "--sim", "--param", "input=x"], ["input"]),
        (["run", TASK, TICKETS, "--sim", "--tier", "batch"], ["batch"]),
        (["run", TASK, TICKETS, "--sim", "--base-url", "http://127.0.0.1:1/v1"], ["--sim", "--base-url"]),
        (["run", TASK, TICKETS, "--base-url", "ftp://x"], ["ftp://x"]),
        (["run", TASK, TICKETS, "--modle", "x"], ["--modle"]),
        (["compare", TASK, TICKETS, "--variants", "verbose,shrt", "--sim"], ["shrt"]),
        (["compare", TASK, TICKETS, "--truth", "categry", "--sim"], ["categry", "category"]),
        (["sim", "--set", "teir=1"], ["teir", "tier"]),
        (["sim", "--set", "tier=1", "--set", "tier=2"], ["tier", "twice"]),
        (["run", TASK, TICKETS, "--base-url", "http://127.0.0.1:1/v1", "--seed", "3"], ["--seed 3", "--sample"]),
        (["run", TASK, TICKETS, "--sim", "--keep", ","], ["--keep ,"]),
        (["run", TASK, TICKETS, "--sim", "--keep", "id,id"], ["--keep", "'id'", "twice"]),
        (["run", TASK, TICKETS, "--sim", "--map", "ticket=id", "--map", "ticket=ticket"], ["--map", "twice"]),
        (["run", TASK, TICKETS, "--sim", "--param", "top_p=1", "--param", "top_p=0"], ["--param", "twice"]),
        (["run", TASK, TICKETS, "--sim", "--model", ""], ["--model", "empty"]),
        (["run", "", TICKETS, "--sim"], ["TASK", "empty"]),
        (["run", TASK, TICKETS, "--sim", "--cache", "off", "--ttl", "7d"], ["--ttl 7d", "--cache"]),
        (["compare", TASK, TICKETS, "--sim", "--variants", ","], ["--variants ,"]),
        (["compare", TASK, TICKETS, "--sim", "--margin", "nan"], ["--margin nan"]),
        (["cache", "stats", "--cache", ""], ["--cache", "empty"]),
        (["sim", "--port", "99999"], ["--port"]),
        (["cache", "stats", "--cache", "memory://"], ["sqlite"]),
        (["cache", "clear"], ["--yes"]),
    ],
    ids=lambda value: (
        " ".join(str(v) for v in value[2:] if not isinstance(v, Path)) if isinstance(value, list) else None
    ),
)
def test_wrong_usage_is_one_sentence_and_exit_two(trivet, arguments: list[str], words: list[str]) -> None:
    """Every wrong option or file is named, with what would be right."""
    refused(trivet(*arguments), 2, *words)


def test_a_broken_line_fails_alone_with_its_number(trivet, simulator: sim.Simulator, tmp_path: Path) -> None:
    """Broken JSON in line 1,742 fails that row with its line, and the run goes on to exit 1."""
    lines = [json.dumps({"ticket": f"refund number {n}"}) for n in range(2000)]
    lines[1741] = '{"ticket": "half'
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    ended = trivet("run", TASK, "rows.jsonl", "--base-url", simulator.url, "--json", "-o", "out.jsonl")
    assert ended.code == 1, ended.err
    assert (ended.document["rows"], ended.document["failed"]) == (2000, 1)
    assert ended.document["failures"] == {"bad_row": 1}
    result = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[1741])
    assert result["id"] == 1741
    assert "rows.jsonl:1742" in result["error"]["message"]


def test_a_ragged_csv_row_fails_alone(trivet, simulator: sim.Simulator, tmp_path: Path) -> None:
    """A CSV row with too many fields fails with its line; the others are answered."""
    (tmp_path / "rows.csv").write_text("ticket,other\nrefund,1\nrefund,2,3,4\nrefund,5\n")
    ended = trivet("run", TASK, "rows.csv", "--base-url", simulator.url, "--json", "-o", "out.jsonl")
    assert ended.code == 1
    bad = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[1])
    assert "rows.csv:3" in bad["error"]["message"]


def test_a_row_that_lacks_a_column_fails_alone(trivet, simulator: sim.Simulator, tmp_path: Path) -> None:
    """A row without the prompt's column fails with that column's name."""
    (tmp_path / "rows.jsonl").write_text('{"ticket": "refund"}\n{"tocket": "refund"}\n{"ticket": "refund me"}\n')
    ended = trivet("run", TASK, "rows.jsonl", "--base-url", simulator.url, "--json", "-o", "out.jsonl")
    assert (ended.code, ended.document["failed"]) == (1, 1)
    bad = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[1])
    assert bad["error"]["code"] == "bad_row"
    assert "'ticket'" in bad["error"]["message"]


def test_a_file_that_is_no_data_at_all_stops_before_any_spend(trivet, tmp_path: Path) -> None:
    """A picture called .jsonl is refused whole."""
    (tmp_path / "rows.jsonl").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    refused(trivet("run", TASK, "rows.jsonl", "--sim"), 2, "rows.jsonl")


def test_an_empty_file_is_a_run_of_no_rows(trivet, simulator: sim.Simulator, tmp_path: Path) -> None:
    """Nothing in, nothing out, exit 0."""
    (tmp_path / "rows.jsonl").write_text("")
    ended = trivet("run", TASK, "rows.jsonl", "--base-url", simulator.url, "--json")
    assert (ended.code, ended.document["rows"]) == (0, 0), ended.err


def test_results_of_another_run_are_not_overwritten(trivet, simulator: sim.Simulator, tmp_path: Path) -> None:
    """An OUT that exists is refused, and replaced with --fresh."""
    (tmp_path / "out.jsonl").write_text("precious\n")
    arguments = ("run", TASK, TICKETS, "--base-url", simulator.url, "-o", "out.jsonl")
    refused(trivet(*arguments), 2, "out.jsonl", "--fresh")
    assert (tmp_path / "out.jsonl").read_text() == "precious\n"
    assert trivet(*arguments, "--fresh").code == 0
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 20


def stopped(ended, *words: str) -> None:
    """The run stopped as a whole, resumable, with one sentence of why."""
    assert ended.code == 4, (ended.code, ended.out, ended.err)
    assert "Traceback" not in ended.err
    for word in words:
        assert word in ended.err, (word, ended.err)


def test_an_unreachable_server_stops_the_run(trivet) -> None:
    """Nobody listens: exit 4 with the address."""
    stopped(trivet("run", TASK, TICKETS, "--base-url", "http://127.0.0.1:9/v1"), "127.0.0.1:9", "base_url")


def test_a_wrong_key_stops_the_run(trivet, scripted) -> None:
    """A 401 stops at once, names the variable, and does not repeat the key."""
    said = "Incorrect API key provided: sk-12345678901234567890."
    body = {"error": {"message": said, "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}}
    server = scripted(401, json.dumps(body).encode())
    document = trivet("run", TASK, TICKETS, "--base-url", server.url, "--json").document
    assert document["error"]["code"] == "invalid_api_key"
    server.requests.clear()
    ended = trivet("run", TASK, TICKETS, "--base-url", server.url, env={"OPENAI_API_KEY": "sk-12345678901234567890"})
    stopped(ended, "401", "OPENAI_API_KEY")
    assert "sk-1234" not in ended.out + ended.err
    assert len(server.requests) <= 20


def test_an_unknown_model_stops_the_run(trivet, simulator: sim.Simulator) -> None:
    """A 404 for the model stops at once and names it."""
    ended = trivet("run", TASK, TICKETS, "--base-url", simulator.url, "--model", "gpt-9-nonsense")
    stopped(ended, "gpt-9-nonsense", "404")


def test_a_spent_quota_stops_the_run(trivet, scripted) -> None:
    """insufficient_quota is not retried, and ends the run instead of each row."""
    body = {"error": {"message": "You exceeded your current quota.", "type": "insufficient_quota", "param": None,
                      "code": "credit_balance_exhausted"}}  # fmt: skip
    server = scripted(429, json.dumps(body).encode())
    stopped(trivet("run", TASK, TICKETS, "--base-url", server.url), "credit_balance_exhausted")
    assert len(server.requests) <= 20


def test_a_server_that_answers_html_stops_the_run(trivet, scripted) -> None:
    """A web page in place of an API ends the run and says that it is one."""
    server = scripted(200, b"<!DOCTYPE html><html><body>Welcome</body></html>", {"content-type": "text/html"})
    stopped(trivet("run", TASK, TICKETS, "--base-url", server.url, "--retries", "0"), "web page", "base_url")


def test_text_from_a_model_is_never_an_escape_code(trivet, scripted, answer, tmp_path: Path) -> None:
    """Escape codes, markup and direction overrides of a model are shown as text, and kept as they came on disk."""
    evil = "\x1b]0;owned\x07\x1b[31mred [bold]x[/bold] \u202egnp"
    (tmp_path / "task.toml").write_text('prompt = "{{ ticket }}"\n[output]\ntext = true\n')
    server = scripted(200, answer(evil))
    ended = trivet("run", "task.toml", TICKETS, "--base-url", server.url, "--first", "2", "-o", "out.jsonl")
    assert ended.code == 0, ended.err
    assert "\x1b" not in ended.out + ended.err
    assert "\u202e" not in ended.out + ended.err
    assert "[bold]" in ended.out
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])["output"] == evil


def test_text_from_a_file_is_never_an_escape_code(trivet, tmp_path: Path) -> None:
    """A file name or a column with escape codes is shown as text."""
    (tmp_path / "rows.jsonl").write_text(json.dumps({"\x1b[31mticket": "x"}) + "\n")
    ended = trivet("run", TASK, "rows.jsonl", "--sim")
    assert ended.code == 2
    assert "\x1b" not in ended.err


def test_an_answer_that_breaks_its_contract_is_a_failed_row(trivet, scripted, answer, tmp_path: Path) -> None:
    """No invalid answer is passed on; the reason and what was paid for are kept."""
    server = scripted(200, answer("I think it is about money."))
    ended = trivet("run", TASK, TICKETS, "--base-url", server.url, "--json", "--first", "2", "-o", "out.jsonl")
    assert ended.code == 1
    assert ended.document["failures"] == {"invalid_output": 2}
    assert ended.document["cost_usd"] > 0
    assert "error" in json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    ledger = next((tmp_path / "runs").glob("*/ledger.jsonl")).read_text()
    assert "I think it is about money." in ledger
    again = trivet("run", TASK, TICKETS, "--base-url", server.url, "--json", "--first", "2", "-o", "more.jsonl")
    assert again.document["calls"]["cache_hits"] == 0
