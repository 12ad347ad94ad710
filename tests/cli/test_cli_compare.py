"""`trivet compare` as users run it: variants without editing the file, and one step of improving it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trivet import sim
from trivet.reporting.experiments import read_steps

TASK = '''# the task
model = "gpt-5.4-mini"
prompt = """
You are a very experienced and friendly agent. Please classify the support ticket, with great care, into one of: \\
{{ labels | join(', ') }}. Please return only the label, thank you.

Ticket:
{{ ticket }}
"""

[output]
labels = ["billing", "technical_support", "account_access", "general_inquiry"]   # all there are

[params]
max_output_tokens = 16   # enough

[plan]
effort = "none"

[variants.curt]
prompt = "One of {{ labels | join(', ') }}, the label alone:\\n\\n{{ ticket }}"
'''
SHORT = """Classify the support ticket into one of: {{ labels | join(', ') }}.
Return only the label.

Ticket:
{{ ticket }}
"""


@pytest.fixture
def task(tmp_path: Path) -> Path:
    path = tmp_path / "tickets.toml"
    path.write_text(TASK)
    rows = [{"ticket": f"Invoice {n}: I was charged twice.", "category": "billing"} for n in range(160)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "short.txt").write_text(SHORT)
    return path


def test_a_proven_change_is_kept_and_becomes_what_the_next_is_held_against(
    trivet: Any, simulator: sim.Simulator, task: Path, tmp_path: Path
) -> None:
    """The loop by hand: a step that is proven goes into the file, with its comments; the next begins there."""
    command = ("compare", task, "rows.jsonl", "--truth", "category", "--base-url", simulator.url, "--no-calibrate",
               "--control", "0")  # fmt: skip
    first = trivet(*command, "--try", "prompt=@short.txt", "--keep", "--json")
    assert first.code == 0, first.err
    assert first.document["variants"]["prompt=@short.txt"]["verdict"] == "not_worse"
    assert "kept prompt=@short.txt" in first.err
    text = task.read_text()
    assert "friendly" not in text
    assert "# all there are" in text
    assert "# enough" in text
    second = trivet(*command, "--try", "max_output_tokens=15", "--keep")
    assert second.code == 0, second.err
    assert "nothing was kept: proven not worse, but neither cheaper nor faster" in second.err
    assert "max_output_tokens = 16" in task.read_text()
    lines = [json.loads(line) for line in (tmp_path / "tickets.experiments.jsonl").read_text().splitlines()]
    assert [(line["change"], line["kept"], line["verdict"]) for line in lines] == [
        ("prompt=@short.txt", True, "not_worse"),
        ("max_output_tokens=15", False, "not_worse"),
    ]
    assert lines[0]["effect"]["cost_per_1000"] == lines[1]["baseline"]["cost_per_1000"]
    assert lines[0]["rows"] == 160
    assert lines[0]["spent_usd"] > 0
    assert [step.change for step in read_steps(tmp_path / "tickets.experiments.jsonl").steps] == [
        "base", "prompt=@short.txt", "max_output_tokens=15",
    ]  # fmt: skip
    drawn = trivet("report", next((tmp_path / "runs").iterdir()), "--json")
    assert drawn.code == 0, drawn.err
    assert drawn.document["staircases"][0]["steps"]


def test_what_is_not_proven_is_not_kept(trivet: Any, simulator: sim.Simulator, task: Path) -> None:
    """Five rows prove nothing: the file stays, and the line says why."""
    before = task.read_text()
    ended = trivet("compare", task, "rows.jsonl", "--first", "5", "--base-url", simulator.url, "--try",
                   "prompt=@short.txt", "--keep", "--no-calibrate")  # fmt: skip
    assert ended.code == 0, ended.err
    assert "nothing was kept: no change is proven" in ended.err
    assert "at least 133 rows are needed even if all agree" in ended.out
    assert task.read_text() == before


def test_models_and_tries_make_variants(trivet: Any, simulator: sim.Simulator, task: Path) -> None:
    """Two models by themselves, one against the task, changes of a variant of the file; each is what it says."""
    command = ("compare", task, "rows.jsonl", "--first", "12", "--base-url", simulator.url, "--no-calibrate",
               "--json")  # fmt: skip
    both = trivet(*command, "--models", "gpt-5.4,gpt-5.4-nano").document
    assert both["baseline"] == "gpt-5.4"
    assert both["variants"]["gpt-5.4-nano"]["cost_ratio"] < 1
    one = trivet(*command, "--models", "gpt-5.4-nano").document
    assert list(one["variants"]) == ["base", "gpt-5.4-nano"]
    tried = trivet(*command, "--variants", "curt", "--try", "effort=low", "--try", "model=gpt-5.4-nano").document
    assert list(tried["variants"]) == ["curt", "effort=low", "model=gpt-5.4-nano"]
    assert tried["variants"]["effort=low"]["tokens"]["output"] > tried["variants"]["curt"]["tokens"]["output"]


def test_a_truth_that_is_known_is_found(trivet: Any, task: Path, tmp_path: Path) -> None:
    """A variant that is cut off fails and is proven worse; the same prompt again is proven not worse; noise is seen."""
    rows = [{"ticket": f"I forgot my password {n} times and can't log in.", "category": "account_access"}
            for n in range(160)]  # fmt: skip
    (tmp_path / "locked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with sim.start(sim.Scenario(time_scale=0.0, noise=0.3)) as noisy:
        command = ("compare", task, "locked.jsonl", "--truth", "category", "--no-calibrate", "--json", "--base-url")
        cut = trivet(*command, noisy.url, "--try", "max_output_tokens=1").document
        assert cut["variants"]["max_output_tokens=1"]["verdict"] == "worse"
        assert cut["rows"] < cut["planned"] == 160  # it stopped early
        assert 0.05 < cut["noise_floor"] < 0.7


def test_time_to_the_first_token_goodput_and_a_schedule(trivet: Any, task: Path) -> None:
    """Streamed answers have a first token; an objective has its share; a rate is kept and told; the bias is told."""
    with sim.start(sim.Scenario(time_scale=0.05)) as server:
        ended = trivet("compare", task, "rows.jsonl", "--first", "30", "--base-url", server.url, "--stream", "--rate",
                       "60", "--objective", "600s", "--truth", "category", "--time-alone", "--control", "3",
                       "--no-calibrate", "--json")  # fmt: skip
    assert ended.code == 0, ended.err
    found = ended.document
    mine = found["variants"]["curt"]
    assert 0 < mine["ttft_s"]["p50"] <= mine["latency_s"]["p50"]
    assert mine["goodput"]["share"] == mine["quality"]
    assert mine["goodput"]["rows_per_s"] > 0
    assert mine["latency_s"]["p50_interval"][0] <= mine["latency_s"]["p50"]
    assert mine["wall_s"] > 0
    assert found["rate"] == 60
    assert found["client_bias"] is None


def test_the_client_is_calibrated_and_says_so(trivet: Any, simulator: sim.Simulator, task: Path) -> None:
    """What it adds to a latency, its highest rate, and that latencies beyond that are not told."""
    ended = trivet("compare", task, "rows.jsonl", "--first", "12", "--base-url", simulator.url, "--control", "0",
                   "--json")  # fmt: skip
    bias = ended.document["client_bias"]
    assert bias["highest_rate"] > 0
    assert bias["calls"] >= 20
    assert bias["trusted"] == (bias["rate"] <= 0.9 * bias["highest_rate"])
    assert bias["trusted"] == (ended.document["variants"]["curt"]["latency_s"]["mean"] is not None)


def test_a_scorer_of_ones_own(trivet: Any, simulator: sim.Simulator, task: Path, tmp_path: Path) -> None:
    """A function named on the command line scores, where code is allowed."""
    (tmp_path / "my_scorer_two.py").write_text("def short(output, row):\n    return 1 / len(output)\n")
    command = ("compare", task, "rows.jsonl", "--first", "12", "--base-url", simulator.url, "--no-calibrate",
               "--scorer", "my_scorer_two:short", "--json")  # fmt: skip
    assert trivet(*command).code == 2
    found = trivet(*command, "--allow-code")
    assert found.code == 0, found.err
    assert found.document["quality"] == "score"
    assert found.document["variants"]["base"]["quality"] == pytest.approx(1 / len("billing"))


@pytest.mark.parametrize(
    "more",
    [("--try", "efort=none"), ("--try", "effort=none"), ("--keep",), ("--models", "gpt-5.4-mini"),
     ("--models", "a,b", "--variants", "curt"), ("--scorer", "exacto"), ("--margin", "0"), ("--alpha", "0.7"),
     ("--objective", "soon"), ("--rate", "0"), ("--control", "-1"), ("--cache", "memory://"),
     ("--truth", "category", "--scorer", "no_module:f"), ("--try", "effort=low", "--try", "effort=low"),
     ("--variants", "nope")],
)  # fmt: skip
def test_wrong_usage_is_one_sentence_before_any_spend(
    trivet: Any, simulator: sim.Simulator, task: Path, more: tuple[str, ...]
) -> None:
    """Exit 2, one line, and nothing was asked or made."""
    before = simulator.books()["requests"]
    ended = trivet("compare", task, "rows.jsonl", "--base-url", simulator.url, *more)
    assert ended.code == 2, ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert simulator.books()["requests"] == before
    assert not (task.parent / "runs").exists()


def test_a_comparison_takes_a_cache_that_is_off(trivet: Any, simulator: sim.Simulator, task: Path) -> None:
    """Asking for no cache is what a comparison does anyway; one that could hold something is still refused."""
    command = ("compare", task, "rows.jsonl", "--base-url", simulator.url, "--no-calibrate", "--first", "3")
    off = trivet(*command, "--cache", "off")
    assert "--cache does nothing" not in off.err
    assert off.code in (0, 1), off.err
    assert "curt" in off.out
    assert "--cache does nothing" in trivet(*command, "--cache", "memory://").err
