"""On a real socket: keep-alive, resets, silence, large bodies, garbage."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from trivet import sim
from trivet.errors import SettingsError
from trivet.sim.scenario import Faults, Scenario
from trivet.sim.server import serve, warning

BODY = b'{"model":"gpt-5.4-mini","input":"Tell me about refunds"}'


def request(body: bytes = BODY, *, method: str = "POST", path: str = "/v1/responses", extra: str = "") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-type: application/json\r\n"
    return f"{head}{extra}content-length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        yield connection


def whole(connection: socket.socket, *, head_only: bool = False) -> tuple[int, dict[str, str], bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        got = connection.recv(65536)
        assert got, data
        data += got
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    while not head_only and len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return int(status.split()[1]), headers, body


@pytest.fixture(scope="module")
def faulty() -> Iterator[Callable[..., sim.Simulator]]:
    """Starts servers with one certain fault, once each."""
    running: dict[str, sim.Simulator] = {}

    def of(name: str) -> sim.Simulator:
        if name not in running:
            running[name] = sim.start(Scenario(time_scale=0, faults=Faults(**{name: 1.0})))
        return running[name]

    yield of
    for server in running.values():
        server.stop()


def test_a_connection_serves_one_request_after_another(server: sim.Simulator) -> None:
    """Successes and errors alike keep it open."""
    with connected(server.url) as connection:
        statuses = []
        for data in (request(), request(b"{"), request(), request(b"", method="GET", path="/v1/models")):
            connection.sendall(data)
            statuses.append(whole(connection)[0])
    assert statuses == [200, 400, 200, 200]


def test_harmless_methods_answer_without_a_body(server: sim.Simulator) -> None:
    """HEAD and OPTIONS leave the connection usable."""
    with connected(server.url) as connection:
        for method in ("HEAD", "OPTIONS"):
            connection.sendall(request(b"", method=method, path="/v1/models"))
            status, _, body = whole(connection, head_only=True)
            assert (status, body) == (200, b"")
        connection.sendall(request())
        assert whole(connection)[0] == 200


def test_a_body_in_pieces_and_chunks_is_read(server: sim.Simulator) -> None:
    """However it is cut, and after a 100 Continue."""
    with connected(server.url) as connection:
        for byte in request():
            connection.sendall(bytes([byte]))
        assert whole(connection)[0] == 200
        head = request(b"").replace(b"content-length: 0", b"transfer-encoding: chunked")
        connection.sendall(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY))
        assert whole(connection)[0] == 200
        connection.sendall(request(extra="expect: 100-continue\r\n")[: -len(BODY)])
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(BODY)
        assert whole(connection)[0] == 200


def test_a_body_over_the_limit_is_refused(server: sim.Simulator) -> None:
    """413 in JSON by its announced length, before it is read."""
    with connected(server.url) as connection:
        connection.sendall(request(b"").replace(b"content-length: 0", b"content-length: 52428801"))
        status, headers, body = whole(connection)
    assert status == 413
    assert headers["connection"] == "close"
    assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}


def test_twenty_megabytes_are_answered_in_seconds(server: sim.Simulator) -> None:
    """With the context overflow that they are."""
    body = b'{"model":"gpt-5.4-mini","input":"' + b"word " * 4_000_000 + b'"}'
    with connected(server.url) as connection:
        connection.sendall(request(body))
        status, _, answer = whole(connection)
    assert status == 400
    assert json.loads(answer)["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize(
    "garbage", [b"\x00\xff\xfe", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00" * 20, b"POST / HTTP/9\r\n\r\n"]
)
def test_garbage_leaves_the_server_alive(server: sim.Simulator, garbage: bytes) -> None:
    """It is refused or dropped, and the next client is served."""
    with connected(server.url) as connection:
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    with connected(server.url) as connection:
        connection.sendall(request())
        assert whole(connection)[0] == 200


def test_a_reset_fault_resets_before_any_byte(faulty: Any) -> None:
    """A TCP reset, not an orderly end."""
    with connected(faulty("reset").url) as connection:
        connection.sendall(request())
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_cut_replies_end_in_the_middle(faulty: Any) -> None:
    """Some by a reset, some by an orderly end, all with the head and a part of the body."""
    ends = set()
    for n in range(24):
        with connected(faulty("cut").url) as connection:
            connection.sendall(request(b'{"model":"gpt-5.4-mini","input":"Refund %d"}' % n))
            data = b""
            try:
                while got := connection.recv(65536):
                    data += got
                ends.add("fin")
            except ConnectionResetError:
                ends.add("reset")
            head, _, body = data.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert 0 < len(body) < int(head.lower().split(b"content-length: ")[1].split()[0])
    assert ends == {"fin", "reset"}


def test_a_hung_request_stays_silent_until_the_client_leaves(faulty: Any) -> None:
    """Nothing comes; the books see it in flight and then gone."""
    server = faulty("hang")
    with connected(server.url) as connection:
        connection.sendall(request())
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        assert server.books()["in_flight"] == 1
    for _ in range(200):
        books = server.books()
        if not books["in_flight"]:
            break
    assert (books["in_flight"], books["disconnected"]) == (0, 1)


def test_empty_and_html_replies_arrive_as_they_are(faulty: Any) -> None:
    """Status 200 without a body; a page where JSON should be."""
    with connected(faulty("empty_body").url) as connection:
        connection.sendall(request())
        status, headers, body = whole(connection)
        assert (status, headers["content-length"], body) == (200, "0", b"")
    with connected(faulty("bad_gateway").url) as connection:
        connection.sendall(request())
        status, headers, body = whole(connection)
        assert (status, headers["content-type"]) == (502, "text/html; charset=utf-8")
        assert body.startswith(b"<html>")


async def test_hundreds_of_connections_are_served_at_once(server: sim.Simulator) -> None:
    """Every one gets its own answer."""
    address = urlsplit(server.url)

    async def one(n: int) -> bool:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        ask = f"Return only the number. Extract the number.\\n\\nText: {n}"
        writer.write(request(b'{"model":"gpt-5.4-mini","input":"%s"}' % ask.encode()))
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
        writer.close()
        await writer.wait_closed()
        return json.loads(body)["output"][0]["content"][0]["text"] == str(n)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(n)) for n in range(300)]
    assert all(task.result() for task in tasks)


def test_a_taken_port_is_a_settings_error() -> None:
    """It says which, and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port} on 127.0.0.1 is in use"):
            serve(Scenario(null=True), port=port)
    for host, wrong in (("203.0.113.1", 0), ("no.such.host.invalid", 0), ("127.0.0.1", 99_999)):
        with pytest.raises(SettingsError, match="cannot listen"):
            serve(Scenario(null=True), host=host, port=wrong)


def test_a_host_that_others_reach_is_warned_of() -> None:
    """Loopback in any spelling is not."""
    assert warning("0.0.0.0") is not None
    assert warning("192.0.2.1") is not None
    assert [warning(host) for host in ("127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9")] == [None] * 5


def test_serve_runs_in_a_thread_until_its_descriptor_ends() -> None:
    """Without touching the signals of the main thread."""
    import os

    reading, writing = os.pipe()
    urls: list[str] = []
    ready = threading.Event()

    def say(url: str) -> None:
        urls.append(url)
        ready.set()

    thread = threading.Thread(target=serve, args=(Scenario(null=True),), kwargs={"ready": say, "until_eof": reading})
    thread.start()
    assert ready.wait(10)
    with connected(urls[0]) as connection:
        connection.sendall(request())
        assert whole(connection)[0] == 200
    os.close(writing)
    thread.join(10)
    assert not thread.is_alive()
    os.close(reading)
