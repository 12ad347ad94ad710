"""The course runs: every command of every page, in a folder of its own, and what the pages claim of it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COURSE = ROOT / "docs" / "course"
PAGES = {path.stem: path.read_text() for path in COURSE.glob("*.md")}
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INTERRUPTED = 3

CLAIMS: dict[str, list[str]] = {
    "measuring": [r"20 of 20 ok[\s\S]*cost +\$0\.000", r"verbose[\s\S]*concise[\s\S]*4/5"],
    "prompt-compression": [r"role \(15 tokens\)[\s\S]*239 -> 69 constant tokens", r"before[\s\S]*a_list[\s\S]*16/20"],
    "constraining-outputs": [r"10 of 10 ok", r"10 of 10 ok", r"incomplete 9", r"10 of 10 ok"],
    "model-choice": [
        r"20 of 20 ok", r"gpt-6-luna[\s\S]*20 of 20 ok", r"of them reasoning[\s\S]*incomplete 20",
        r"16/20 +16/20[\s\S]*gpt-6-luna: cheaper by 87 %",
    ],
    "caching": [
        r"0 from the cache", r"0 sent, 20 from the cache[\s\S]*cost +\$0,", r"entries +17",
        r"guide first +34,460 tokens in, +31,616 of them[\s\S]*ticket first +34,460 tokens in, +0 of them",
    ],
    "concurrency": [
        r"1 at once +80 +0 [\s\S]*trivet +80 ", r"20 sent[\s\S]*1,040 in, 37 out[\s\S]*\$0\.000946", r"20 of 20 ok",
    ],
    "batching": [r"20 of 20 ok", r"20 of 20 ok"],
    "token-budgets": [r"interrupted[\s\S]*the budget of \$0\.001 has", r"taking up[\s\S]*20 of 20 ok"],
    "reliability": [r"rows +100, of which 81 have a result and 19 a reason[\s\S]*empty 6, incomplete 8, refused 5\n"],
    "checklist": [r"20 rows would be asked", r"nothing to find fault with", r"13 of 14 documented behaviours"],
    "quiz": [r"^1545\.6"],
    "homework": [r"cost per 1,000 correct", r"technical_support 7, account_access 6, billing 5, general_inquiry 2"],
}  # fmt: skip
"""What must be in the output of each command of a page: no times."""


def commands(page: str) -> list[tuple[str, int]]:
    """The commands of a page, each with the exit code that its transcript shows."""
    found: list[tuple[str, int]] = []
    for line in "".join(BLOCK.findall(PAGES[page])).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], 0))
        elif code := re.fullmatch(r"\(exit code (\d+)\)", line):
            found[-1] = (found[-1][0], int(code[1]))
    return found


def run(page: str, folder: Path) -> list[tuple[str, int, str]]:
    """What the commands of a page come to, in a folder of its own."""
    for part in ("examples", "docs/course"):
        shutil.copytree(ROOT / part, folder / part)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "TRIVET_"))}
    environment = kept | {"TRIVET_CACHE": "off", "COLUMNS": "120"}
    ended = []
    for command, _ in commands(page):
        program, *arguments = shlex.split(command)
        assert program in ("trivet", "python"), command
        done = subprocess.run(
            [sys.executable, *(["-m", "trivet"] if program == "trivet" else []), *arguments], cwd=folder,
            env=environment, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=240, check=False,
        )  # fmt: skip
        ended.append((command, done.returncode, done.stdout))
    return ended


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, int, str]]]:
    """All pages, some at once: they wait for the simulator most of the time."""
    folders = {page: tmp_path_factory.mktemp(page) for page in CLAIMS}
    with ThreadPoolExecutor(6) as pool:
        longest_first = sorted(CLAIMS, key=lambda page: page != "concurrency")
        under_way = {page: pool.submit(run, page, folders[page]) for page in longest_first}
        return {page: under_way[page].result() for page in CLAIMS}


@pytest.mark.parametrize("page", CLAIMS)
def test_every_command_does_what_its_page_says(page: str, ended: dict[str, list[tuple[str, int, str]]]) -> None:
    assert [(command, code) for command, code, _ in ended[page]] == commands(page), ended[page]
    assert len(ended[page]) == len(CLAIMS[page])
    for (command, _, output), claim in zip(ended[page], CLAIMS[page], strict=True):
        assert re.search(claim, output), f"{command}\n{output}"


def test_half_the_price_is_half_the_price(ended: dict[str, list[tuple[str, int, str]]]) -> None:
    """The flex tier bills every call at half, however many of the identical ones were shared."""
    per_token = []
    for _, _, output in ended["batching"]:
        tokens = re.search(r"tokens +([\d,]+) in, ([\d,]+) out", output)
        cost = re.search(r"cost +\$([\d.]+)", output)
        assert tokens is not None
        assert cost is not None
        read, written = (int(text.replace(",", "")) for text in tokens.groups())
        per_token.append(float(cost[1]) / (0.75 * read + 4.5 * written))
    assert per_token[1] == pytest.approx(per_token[0] / 2, rel=0.01)


def test_the_transcripts_show_what_is_claimed() -> None:
    """A page is not older than what it is held to."""
    for page, claims in CLAIMS.items():
        shown = re.split(r"^\$ .*\n", "".join(BLOCK.findall(PAGES[page])), flags=re.MULTILINE)[1:]
        for text, claim in zip(shown, claims, strict=True):
            assert re.search(claim, text), f"{page}: {claim}"


def test_the_index_names_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w-]+)\.md\)", PAGES["README"]))
    assert linked == set(PAGES) - {"README"} == set(CLAIMS)


def test_every_page_says_what_changes_with_a_real_key() -> None:
    for page in set(CLAIMS) - {"quiz"}:
        assert "## With a real key" in PAGES[page], page
