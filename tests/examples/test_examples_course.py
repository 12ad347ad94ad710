"""The exercises of the course run with the official SDK and with trivet under it, and come to the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from trivet import sim
from trivet.prices.book import standard_book
from trivet.types import Usage

FOLDER = Path(__file__).parent.parent.parent / "examples" / "course"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.py") if path.name != "tickets.py")
IMPORT = re.compile(r"^from trivet\.openai import (\w+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """One simulated provider for both ways, which answers at once."""
    with sim.start(sim.Scenario(time_scale=0)) as server:
        yield server.url


def ran(*arguments: str | Path, url: str | None, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A program as a user starts it."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "TRIVET_"))}
    if url is not None:
        variables |= {"OPENAI_API_KEY": "any", "OPENAI_BASE_URL": url}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, env=variables, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done


def plain(name: str, folder: Path) -> Path:
    """The script with the SDK's own import line, in another folder."""
    source, lines = IMPORT.subn(r"from openai import \1", (FOLDER / name).read_text())
    assert lines == 1
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(source)
    (folder / "tickets.py").write_text((FOLDER / "tickets.py").read_text())
    return folder / name


def untimed(text: str) -> str:
    """The text without what depends on the clock: numbers of two or three decimals."""
    return re.sub(r"[ ]+", " ", re.sub(r"(?<![\d.])\d+\.\d{2,3}(?!\d)", "T", text))


def test_there_is_a_script_for_each_exercise() -> None:
    assert len(SCRIPTS) == 6


@pytest.mark.parametrize("name", SCRIPTS)
def test_only_the_import_line_says_trivet(name: str) -> None:
    """What remains without the docstrings and that line is code for the SDK."""
    code = IMPORT.sub("", re.sub(r'""".*?"""', "", (FOLDER / name).read_text(), flags=re.DOTALL))
    assert "trivet" not in code
    assert 'os.environ["OPENAI_API_KEY"]' in code


@pytest.mark.parametrize("name", SCRIPTS)
def test_both_ways_come_to_the_same(name: str, provider: str, tmp_path: Path) -> None:
    """Labels, texts, tokens and dollars are those of the SDK alone; a repeated call alone is answered from here."""
    alone = ran(plain(name, tmp_path / "plain"), url=provider, cwd=tmp_path).stdout
    layered = ran(FOLDER / name, url=provider, cwd=tmp_path).stdout
    assert alone.count("from cache") == 0
    assert layered.count("from cache") == (1 if name == "cached_call.py" else 0)
    assert untimed(layered.replace("from cache", "anew")) == untimed(alone)
    assert len(layered.splitlines()) >= 3


def test_a_script_that_knows_only_the_sdk_gets_the_cache_by_the_command(tmp_path: Path) -> None:
    """`python -m trivet.openai --sim` needs no key, no server and no edit."""
    script = plain("cached_call.py", tmp_path / "plain")
    done = ran("-m", "trivet.openai", "--sim", "--set", "time_scale=0", script, url=None, cwd=tmp_path)
    assert done.stdout.count("from cache") == 1
    assert "simulated" in done.stderr
    assert "3 calls, 2 answered by the provider, 1 from here" in done.stderr


def test_the_concise_ways_are_the_cheaper_ones(provider: str, tmp_path: Path) -> None:
    """What the exercises are there to show is what they show."""
    rows = ran(FOLDER / "verbose_and_concise.py", url=provider, cwd=tmp_path).stdout.splitlines()
    cost = {row.split()[0]: float(row.split()[3]) for row in rows[1:3]}
    assert cost["concise"] < cost["verbose"] / 2
    homework = ran(FOLDER / "triage.py", url=provider, cwd=tmp_path).stdout
    assert "more cost-efficient: optimised" in homework
    assert "labels that agree: 5 of 5" in homework


def test_the_scripts_count_with_the_published_prices() -> None:
    """The two constants are the price table's."""
    day = date(2026, 11, 23)
    for name in SCRIPTS:
        text = (FOLDER / name).read_text()
        if "DOLLARS_IN" not in text:
            continue
        model = re.search(r'^MODEL = "(.+)"$', text, re.MULTILINE)
        prices = re.search(r"^DOLLARS_IN, DOLLARS_OUT = (\S+), (\S+)", text, re.MULTILINE)
        assert model and prices, name
        book = standard_book()
        read = book.cost(Usage(input=1), model=model[1], tier=None, day=day)
        written = book.cost(Usage(output=1), model=model[1], tier=None, day=day)
        assert (Decimal(prices[1]), Decimal(prices[2])) == (read, written), name
