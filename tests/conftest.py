"""What several rooms' tests share: a simulated provider, the command line as users run it, scripted servers."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from trivet import sim

# A loaded machine is no failure; CI draws the same examples every time, everybody else draws new ones.
settings.register_profile(
    "trivet",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("CI") == "true",
)
settings.load_profile("trivet")

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "triage"


@pytest.fixture(scope="session")
def simulator() -> Iterator[sim.Simulator]:
    """A simulated provider without limits or waits."""
    with sim.start(sim.Scenario(time_scale=0.0)) as server:
        yield server


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document of `--json`."""
        return json.loads(self.out)


Command = Callable[..., Ended]


@pytest.fixture
def trivet(tmp_path: Path) -> Command:
    """Runs the command line in a folder of its own, with a key that any simulator takes."""

    def run(
        *arguments: str | Path, env: dict[str, str] | None = None, stdin: str | bytes = b"", timeout: float = 60
    ) -> Ended:
        variables = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "TRIVET_"))}
        variables |= {"XDG_CACHE_HOME": str(tmp_path / "home-cache"), "COLUMNS": "200", "OPENAI_API_KEY": "any"} | (
            env or {}
        )
        done = subprocess.run(
            [sys.executable, "-m", "trivet", *map(str, arguments)],
            cwd=tmp_path,
            env=variables,
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


class Server(ThreadingHTTPServer):
    """As many may knock at once as a run has calls; the standard library's own server drops all but five."""

    request_queue_size = 256
    daemon_threads = True


@dataclass
class Scripted:
    """A server that gives every request the same answer, and remembers what came."""

    url: str
    requests: list[tuple[dict[str, str], bytes]]


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    """Starts scripted servers on loopback."""
    servers: list[ThreadingHTTPServer] = []

    def start(status: int, body: bytes | Callable[[bytes], bytes], headers: dict[str, str] | None = None) -> Scripted:
        seen: list[tuple[dict[str, str], bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                got = self.rfile.read(int(self.headers["content-length"]))
                seen.append((dict(self.headers.items()), got))
                answer = body(got) if callable(body) else body
                self.send_response(status)
                for name, value in ({"content-type": "application/json"} | (headers or {})).items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return Scripted(f"http://127.0.0.1:{server.server_port}/v1", seen)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def response(text: str, **more: Any) -> bytes:
    """A whole completed response object as the provider writes it; `more` replaces its fields."""
    part = {"type": "output_text", "text": text, "annotations": []}
    fields = {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "model": "gpt-5.4-mini",
        "output": [{"type": "message", "role": "assistant", "content": [part]}],
        "usage": {
            "input_tokens": 20,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 2,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 22,
        },
    }
    return json.dumps(fields | more).encode()


@pytest.fixture
def answer() -> Callable[..., bytes]:
    """Writes response objects: `answer("billing", status="incomplete")`."""
    return response


def needed(program: str | None, what: str) -> str:
    """The path of a program that a test needs; without it the test is skipped, but never in CI."""
    if program is not None:
        return program
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is not installed, and CI runs every test")
    pytest.skip(f"{what} is not installed: `sh tools/services.sh` installs it")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a browser."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    mac = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
    found = next(filter(None, map(shutil.which, names)), str(mac) if mac.exists() else None)
    return needed(found, "Chromium")


class RedisServer:
    """A Redis of the tests' own, on loopback, that keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self._program = needed(shutil.which("redis-server") or shutil.which("valkey-server"), "Redis")
        self._folder = folder
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        """Its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, on the port it had before; returns once it answers."""
        for _ in range(20):
            port = self.port or _free_port()
            command = [self._program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
            self._process = subprocess.Popen(
                command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            if self._answers(port):
                self.port = port
                return
            self.kill()
        pytest.fail("Redis does not start")

    def _answers(self, port: int) -> bool:
        until = time.monotonic() + 10
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1) as knock:
                    knock.sendall(b"PING\r\n")
                    if knock.recv(16).startswith(b"+PONG"):
                        return self._process.poll() is None
            except OSError:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(0.02)
        return False

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A fresh Redis that the test may kill and start again."""
    server = RedisServer(tmp_path)
    yield server
    server.kill()
