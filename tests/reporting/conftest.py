"""What the tests of reports share: run folders made of records, and a real browser to look at pages with."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trivet.jobs.record_lines import encoded
from trivet.jobs.runs import Identity, Manifest
from trivet.jobs.select import Selection
from trivet.prices.book import standard_book
from trivet.records import Failure, Record
from trivet.types import Attempt, Usage

START = 1_795_000_000.0
MODEL = "gpt-5.4-mini"


def priced(usage: Usage, tier: str | None = "default") -> Decimal:
    """What an attempt costs."""
    day = date(2026, 11, 18)
    cost = standard_book().cost(usage, model=MODEL, tier=tier, day=day)
    assert cost is not None
    return cost


def sent(
    n: int, output: Any = "billing", *, at: float | None = None, usage: Usage | None = None, **more: Any
) -> Record:
    """A row that the provider answered at once."""
    usage = usage or Usage(input=1000 + n, cached_input=100, output=20, reasoning=5)
    latency = more.pop("latency", 0.2 + n % 7 / 10)
    cost = priced(usage, more.get("tier", "default"))
    fields: dict[str, Any] = {
        "source": "provider",
        "model": MODEL,
        "tier": "default",
        "usage": usage,
        "cost": cost,
        "latency": latency,
        "attempts": (Attempt(latency=latency, status=200, usage=usage, cost=cost),),
        "input_chars": 100,
        "output_chars": 7,
        "at": START + 1 + n / 10 if at is None else at,
        "simulated": True,
    }
    return Record(n=n, id=n, output=output, **(fields | more))


def failure(n: int, code: str = "invalid_output", message: str = "no", text: str | None = None, **more: Any) -> Record:
    """A row that was answered, and paid for, in vain."""
    answered = msgspec.structs.replace(sent(n, **more), output=msgspec.UNSET)
    return msgspec.structs.replace(answered, error=Failure(code=code, message=message), text=text)


class Records:
    """Makes records."""

    sent = staticmethod(sent)
    failure = staticmethod(failure)


@pytest.fixture(scope="session")
def make() -> Records:
    """Makes records: `make.sent(3)`, `make.failure(4, "empty")`."""
    return Records()


Make = Callable[..., Path]


@pytest.fixture
def run_folder(tmp_path: Path) -> Make:
    """Makes run folders: `run_folder(records, name="one", labels=True)`."""

    def make(records: Sequence[Record], name: str = "one", finished: bool = True, **more: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "ledger.jsonl").write_bytes(b"".join(map(encoded, records)))
        who = Identity(
            task="t.toml", variant="base", data="d.jsonl", selection=Selection(), model=MODEL, base_url="simulated",
            out=None,
        )  # fmt: skip
        fields: dict[str, Any] = {
            "run": name, "identity": who, "task": "t.toml", "data": "d.jsonl", "model": MODEL, "provider": "simulated",
            "version": "0", "task_digest": "", "started_at": START, "finished_at": START + 100 if finished else None,
            "labels": True,
        }  # fmt: skip
        (folder / "run.json").write_bytes(msgspec.json.encode(Manifest(**(fields | more))))
        return folder

    return make


PIPED = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 64) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Puts the two pipes where a browser looks for them, and becomes the browser."""


class Browser:
    """Headless Chromium over its debugging pipe, one page at a time."""

    def __init__(self, program: str, profile: Path) -> None:
        theirs, self._write = os.pipe()
        self._read, ours = os.pipe()
        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")
        command = [sys.executable, "-c", PIPED, str(theirs), str(ours), program, *flags, "--remote-debugging-pipe"]
        self._process = subprocess.Popen(
            [
                *command,
                f"--user-data-dir={profile}",
                "--no-first-run",
                "--disable-background-networking",
                "about:blank",
            ],
            pass_fds=(theirs, ours),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(ours)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        page = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> Any:
        """A command and its answer; events that come meanwhile are kept."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + 120
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, until - time.monotonic()))
            assert ready, "the browser does not answer"
            more = os.read(self._read, 1 << 20)
            assert more, "the browser has ended"
            self._buffer += more
        message, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def show(self, path: Path, *, width: int = 1100, dark: bool = False) -> None:
        """Open a file at a width; returns when it has been loaded."""
        self.events.clear()
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url=path.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def evaluate(self, script: str) -> Any:
        """What a script of the test's own finds on the page."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self) -> bytes:
        """The whole page as PNG."""
        return b64decode(self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def complaints(self) -> list[Any]:
        """What the console has shown."""
        wanted = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [event for event in self.events if event.get("method") in wanted]

    def requests(self) -> list[str]:
        """Every address that the page has asked for."""
        asked = [event for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in asked]

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._read)
        os.close(self._write)


@pytest.fixture(scope="module")
def browser(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser of the tests' own."""
    opened = Browser(chromium, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()
