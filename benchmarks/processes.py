"""The processes of a benchmark: a server with a core of its own, and clients, each with what it printed and used."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from callers import TICKET

HERE = Path(__file__).parent
PEERS = HERE.parent / ".venv-peers" / "bin" / "python"
"""A Python that has the libraries of requirements/bench.txt; `make peers` makes it."""

INTERRUPTED = 130
TASK = """
model = "gpt-5.4-mini"
prompt = \"\"\"
Classify the support ticket into one of: {{ labels | join(', ') }}.
Return only the label.

Ticket:
{{ ticket }}
\"\"\"

[output]
labels = ["billing", "technical_support", "account_access", "general_inquiry"]

[params]
max_output_tokens = 16
"""


@dataclass(frozen=True)
class Ended:
    """What a process printed; its seconds of CPU and of wall time, and its largest resident size in bytes."""

    printed: str
    cpu: float
    wall: float
    peak: int
    code: int = 0


def child(
    arguments: list[str],
    *,
    python: str | Path = sys.executable,
    stop_when: Callable[[], bool] | None = None,
    allowed: tuple[int, ...] = (0,),
) -> Ended:
    """Run a Python process to its end; once `stop_when` says so, it is asked to stop as by Ctrl-C."""
    environment = {**os.environ, "OPENAI_API_KEY": "key", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    began = time.monotonic()
    with subprocess.Popen([str(python), *arguments], stdout=subprocess.PIPE, text=True, env=environment) as process:
        while stop_when is not None and process.poll() is None:
            time.sleep(0.02)
            if stop_when():
                process.send_signal(signal.SIGINT)
                break
        printed = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in allowed:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}: {printed}")
    return Ended(
        printed=printed,
        cpu=used.ru_utime + used.ru_stime,
        wall=time.monotonic() - began,
        peak=used.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        code=process.returncode,
    )


def has_peers() -> bool:
    """Whether the libraries of requirements/bench.txt are there; where they are not, it says so."""
    if PEERS.exists():
        return True
    print("other libraries are left out: `make peers` installs them", file=sys.stderr)
    return False


@contextmanager
def serving(seconds: float) -> Iterator[str]:
    """The base URL of a server that answers after so many seconds; it has a core of its own where there is one."""
    command = [sys.executable, str(HERE / "null_server.py"), str(seconds)]
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else set()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            if allowed:
                first, *others = sorted(allowed)
                os.sched_setaffinity(process.pid, others or [first])
                os.sched_setaffinity(0, [first])  # and so the clients, which inherit it
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            if allowed:
                os.sched_setaffinity(0, allowed)


@dataclass(frozen=True)
class BulkRun:
    """`trivet run` as a user gives it: rows from a file, a SQLite cache, a budget, ledger, records and results.

    `place` is its folder; `mark` makes its rows different from those of every other run.
    """

    url: str
    place: Path
    rows: int
    in_flight: int = 2000
    mark: str = ""
    options: tuple[str, ...] = field(default=())

    def prepare(self) -> None:
        """Write the task and the rows."""
        self.place.mkdir(parents=True)
        (self.place / "task.toml").write_text(TASK)
        with (self.place / "rows.jsonl").open("w") as file:
            for n in range(self.rows):
                file.write(json.dumps({"ticket": f"{TICKET} {self.mark} {n}"}) + "\n")

    @property
    def command(self) -> list[str]:
        """The arguments of Python."""
        place = self.place
        files = ["--cache", f"sqlite:///{place}/cache.db", "--runs", str(place), "-o", str(place / "results.jsonl")]
        caps = ["--base-url", self.url, "--concurrency", str(self.in_flight), "--budget", "1000000"]
        task = [str(place / "task.toml"), str(place / "rows.jsonl")]
        return ["-m", "trivet", "run", *task, "--json", *caps, *files, *self.options]
