"""Runs the commands that the course shows and puts what they print below them: `python tools/transcripts.py [PAGE...]`.

A command is a line that begins with `$ ` in a block of `console`. They run in a folder of their own, page by page.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
COURSE = ROOT / "docs" / "course"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def output(command: str, folder: Path) -> str:
    """What a command prints, its exit code at the end where that is not 0."""
    program, *arguments = shlex.split(command)
    start = [sys.executable, "-m", "trivet"] if program == "trivet" else [sys.executable]
    environment = os.environ | {"TRIVET_CACHE": "off", "COLUMNS": "120"}
    done = subprocess.run(
        [*start, *arguments], cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    printed = done.stdout.rstrip().replace(str(folder), "/home/ada/trivet")
    return printed + "\n" + (f"(exit code {done.returncode})\n" if done.returncode else "")


def filled(text: str, folder: Path) -> str:
    """A page with new transcripts."""

    def block(match: re.Match[str]) -> str:
        commands = [line for line in match[1].splitlines() if line.startswith("$ ")]
        return "```console\n" + "".join(f"{line}\n{output(line[2:], folder)}" for line in commands) + "```"

    return BLOCK.sub(block, text)


for page in [Path(name) for name in sys.argv[1:]] or sorted(COURSE.glob("*.md")):
    with TemporaryDirectory() as name:
        for part in ("examples", "docs/course"):
            shutil.copytree(ROOT / part, Path(name) / part)
        page.write_text(filled(page.read_text(), Path(name)))
