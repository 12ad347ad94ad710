"""The examples run as they are shown."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TRIAGE = ROOT / "examples" / "triage"


def python(*arguments: str | Path, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A script as a user starts it."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")} | (env or {})
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, env=variables, capture_output=True, text=True, timeout=60
    )


def test_the_triage_script_labels_twenty_tickets(tmp_path: Path) -> None:
    """`triage.py --sim` prints a line a ticket and the summary, and leaves nothing behind."""
    done = python(TRIAGE / "triage.py", "--sim", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[:20]] == [f"T-{n}" for n in range(1001, 1021)]
    assert "20 of 20 ok" in done.stdout
    assert "simulated" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_triage_script_without_a_key_says_what_to_do(tmp_path: Path) -> None:
    """Without a key the script ends with the sentence that names both ways out."""
    done = python(TRIAGE / "triage.py", cwd=tmp_path)
    assert done.returncode != 0
    assert "OPENAI_API_KEY" in done.stderr


def test_the_tickets_hold_the_repeats_that_the_cache_is_shown_with() -> None:
    """Twenty tickets, two exact repeats, one that differs in white space; the truth is never in the prompt."""
    rows = [json.loads(line) for line in (TRIAGE / "tickets.jsonl").read_text().splitlines()]
    texts = [row["ticket"] for row in rows]
    folded = [" ".join(text.split()) for text in texts]
    assert (len(texts), len(set(texts)), len(set(folded))) == (20, 18, 17)
    assert "category" not in re.findall(r"{{\s*(\w+)", (TRIAGE / "triage.toml").read_text())


def test_the_readme_code_runs(tmp_path: Path) -> None:
    """Each Python block of the README runs against the simulated provider."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    from trivet import sim

    (tmp_path / "tickets.jsonl").write_text((TRIAGE / "tickets.jsonl").read_text())
    with sim.start(sim.Scenario(time_scale=0)) as server:
        for number, block in enumerate(blocks):
            (tmp_path / f"block{number}.py").write_text(block)
            env = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "any"}
            done = python(f"block{number}.py", cwd=tmp_path, env=env)
            assert done.returncode == 0, done.stderr
