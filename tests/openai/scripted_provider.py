"""A provider whose every byte is known: the same answers, ids and headers each time, and faults by the model's name."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ERRORS = {
    "err-400": (400, {"message": "no", "type": "invalid_request_error", "param": "input", "code": "bad_thing"}),
    "err-401": (401, {"message": "key", "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}),
    "err-403": (403, {"message": "country", "type": "request_forbidden", "param": None, "code": "unsupported"}),
    "err-404": (404, {"message": "none", "type": "invalid_request_error", "param": "model", "code": "model_not_found"}),
    "err-409": (409, {"message": "busy", "type": "conflict", "param": None, "code": None}),
    "err-418": (418, {"message": "teapot", "type": "odd", "param": None, "code": None}),
    "err-422": (422, {"message": "entity", "type": "invalid_request_error", "param": None, "code": None}),
    "err-429": (429, {"message": "slow", "type": "requests", "param": None, "code": "rate_limit_exceeded"}),
    "err-500": (500, {"message": "oops", "type": "server_error", "param": None, "code": None}),
    "err-503": (503, {"message": "full", "type": "service_unavailable_error", "code": "server_is_overloaded"}),
}
USAGE = {
    "input_tokens": 7,
    "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
    "output_tokens": 3,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 10,
}
CHAT_USAGE = {
    "prompt_tokens": 7,
    "completion_tokens": 3,
    "total_tokens": 10,
    "prompt_tokens_details": {"cached_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
TOOL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}


@dataclass
class Provider:
    """A running one. `seen`: method, path, headers and body of each request; `hold`: set, what waits goes on."""

    url: str
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    cut: threading.Event = field(default_factory=threading.Event)
    connections: int = 0

    def bodies(self) -> list[Any]:
        """The JSON bodies so far."""
        return [json.loads(body) for _, _, _, body in self.seen if body]

    def asked(self, model: str) -> int:
        """How often a model was asked."""
        return sum(f'"{model}"'.encode() in body for _, _, _, body in self.seen)


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True
    provider: Provider

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients leave in the middle on purpose."""


@contextmanager
def provider() -> Iterator[Provider]:
    """Start one on loopback."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.provider = Provider(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.provider
    finally:
        server.provider.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


def response(model: str, text: str, **changed: Any) -> dict[str, Any]:
    """A response object, the same each time."""
    message = {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": [message],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "service_tier": "default",
        "usage": USAGE,
        **changed,
    }


def completion(model: str, text: str, tools: bool = False) -> dict[str, Any]:
    """A chat completion, the same each time."""
    message: dict[str, Any] = {"role": "assistant", "content": None if tools else text, "refusal": None}
    if tools:
        message["tool_calls"] = [TOOL]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if tools else "stop"}
    return {
        "id": "chatcmpl_1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": model,
        "choices": [choice],
        "usage": CHAT_USAGE,
        "service_tier": "default",
        "system_fingerprint": "fp_1",
    }


def events(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a streamed response, in the documented order."""
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    item = whole["output"][0]
    part = item["content"][0]
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    half = len(part["text"]) // 2
    listed: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **at, "delta": part["text"][:half], "logprobs": []},
        {"type": "response.output_text.delta", **at, "delta": part["text"][half:], "logprobs": []},
        {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(listed)]


def chunks(whole: dict[str, Any], *, usage: bool) -> list[dict[str, Any]]:
    """The chunks of a streamed completion."""
    base = {**{k: whole[k] for k in ("id", "created", "model")}, "object": "chat.completion.chunk"}
    if usage:
        base["usage"] = None
    message = whole["choices"][0]["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if message.get("tool_calls"):
        function = TOOL["function"]
        opened = {"index": 0, "id": TOOL["id"], "type": "function", "function": {**function, "arguments": ""}}
        deltas.append({"tool_calls": [opened]})
        deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": a}}]} for a in ('{"city":', '"Oslo"}')]
    else:
        deltas += [{"content": letter} for letter in message["content"]]
    end = whole["choices"][0]["finish_reason"]
    listed = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    listed.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": end}]})
    if usage:
        listed.append({**base, "choices": [], "usage": whole["usage"]})
    return listed


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.provider.connections += 1

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def _take(self) -> bytes:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            parts = []
            while size := int(self.rfile.readline().strip() or b"0", 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(parts)
        else:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.provider.seen.append((self.command, self.path, headers, body))
        return body

    def _send(self, status: int, body: bytes, kind: str = "application/json", **more: str) -> None:
        self.send_response_only(status)
        for name, value in {
            "content-type": kind,
            "x-request-id": "req_1",
            "x-ratelimit-limit-requests": "10000",
            "x-ratelimit-remaining-requests": "9999",
            "openai-processing-ms": "5",
            "content-length": str(len(body)),
            **more,
        }.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _json(self, value: object, status: int = 200, **more: str) -> None:
        self._send(status, json.dumps(value).encode(), **more)

    def _stream(self, frames: list[bytes], model: str) -> None:
        self.send_response_only(200)
        for name, value in (
            ("content-type", "text/event-stream; charset=utf-8"),
            ("x-request-id", "req_1"),
            ("transfer-encoding", "chunked"),
        ):
            self.send_header(name, value)
        self.end_headers()
        for number, frame in enumerate(frames):
            if model == "stall" and number == 3:
                self.server.provider.hold.wait(30)
            if model == "cut" and number == 4:
                self._reset()
                return
            try:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(frame), frame))
            except OSError:
                self.server.provider.cut.set()
                raise
        self.wfile.write(b"0\r\n\r\n")

    def _reset(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def do_GET(self) -> None:
        self._take()
        path, _, query = self.path.partition("?")
        if path == "/v1/models":
            listed = [{"id": name, "object": "model", "created": 1, "owned_by": "me"} for name in ("a", "b")]
            self._json({"object": "list", "data": listed})
        elif path == "/v1/files":
            first = "after=" not in query
            names = ("file_1", "file_2") if first else ("file_3",)
            listed = [_file(name) for name in names]
            self._json(
                {"object": "list", "data": listed, "has_more": first, "first_id": names[0], "last_id": names[-1]}
            )
        elif path.endswith("/content"):
            self._send(200, bytes(range(256)) * 64, "application/octet-stream")
        elif path.startswith("/v1/responses/"):
            self._json(response("m", "stored"))
        elif path.startswith("/v1/batches/"):
            self._json(_batch())
        else:
            self._json({"error": {"message": "nothing here", "type": "invalid_request_error"}}, 404)

    def do_DELETE(self) -> None:
        self._take()
        self._json({"id": "file_1", "object": "file", "deleted": True})

    def do_POST(self) -> None:
        body = self._take()
        path = self.path.partition("?")[0]
        if "multipart" in self.headers.get("content-type", ""):
            self._json(_file("file_9"))
            return
        fields = json.loads(body) if body else {}
        model = fields.get("model", "")
        if self._fault(model):
            return
        if path.endswith("/responses"):
            self._responses(fields, model)
        elif path.endswith("/chat/completions"):
            self._chat(fields, model)
        elif path.endswith("/input_tokens"):
            self._json({"object": "response.input_tokens", "input_tokens": 7})
        elif path.endswith("/embeddings"):
            vector = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
            usage = {"prompt_tokens": 3, "total_tokens": 3}
            self._json({"object": "list", "data": vector, "model": model, "usage": usage})
        elif path.endswith("/moderations"):
            self._json({"id": "modr_1", "model": model, "results": []})
        elif path.endswith("/batches"):
            self._json(_batch())
        else:
            self._json({"error": {"message": "nothing here", "type": "invalid_request_error"}}, 404)

    def _fault(self, model: str) -> bool:
        """Whether the model's name asked for something else than an answer."""
        kept = self.server.provider
        if model in ERRORS:
            status, error = ERRORS[model]
            self._json({"error": error}, status, retry_after_ms="1")
        elif model in ("once-500", "once-429") and kept.asked(model) == 1:
            status, error = ERRORS[model.replace("once", "err")]
            self._json({"error": error}, status, retry_after_ms="1")
        elif model == "twice-503" and kept.asked(model) <= 2:
            self._json({"error": ERRORS["err-503"][1]}, 503, retry_after_ms="1")
        elif model == "once-reset" and kept.asked(model) == 1:
            self._reset()
        elif model == "no-retry-500":
            self._json({"error": ERRORS["err-500"][1]}, 500, x_should_retry="false")
        elif model == "plain-500":
            self._send(500, b"upstream connect error", "text/plain", retry_after_ms="1")
        elif model == "html":
            self._send(200, b"<html>hello</html>", "text/html")
        elif model == "garbage":
            self._send(200, b'{"id": "resp_1", "output": [', "application/json")
        elif model == "empty":
            self._send(200, b"", "application/json")
        elif model == "redirect" and "/moved" not in self.path:
            self._send(307, b"", location="/v1/moved/responses")
        elif model == "reset":
            self._reset()
        elif model == "hang":
            kept.hold.wait(30)
            self._reset()
        else:
            return False
        return True

    def _responses(self, fields: dict[str, Any], model: str) -> None:
        whole = response(model, f"echo:{fields.get('input')}")
        if model == "incomplete":
            whole |= {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
        if model == "failed":
            whole |= {"status": "failed", "output": [], "error": {"code": "server_error", "message": "broke"}}
        if model == "json":
            whole["output"][0]["content"][0]["text"] = '{"city": "Oslo", "degrees": 7}'
        if not fields.get("stream"):
            body = json.dumps(whole).encode()
            if model == "gzip":
                self._send(200, gzip.compress(body, mtime=0), content_encoding="gzip")
            else:
                self._send(200, body)
            return
        frames = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events(whole)]
        if model == "error-event":
            error = {"type": "error", "error": {"type": "server_error", "code": "server_error", "message": "broke"}}
            frames[4:] = [f"event: error\ndata: {json.dumps(error)}\n\n".encode()]
        if model == "short":
            frames = frames[:5]
        self._stream(frames, model)

    def _chat(self, fields: dict[str, Any], model: str) -> None:
        text = f"echo:{fields['messages'][-1]['content']}"
        if model == "json":
            text = '{"city": "Oslo", "degrees": 7}'
        whole = completion(model, text, tools=bool(fields.get("tools")))
        if not fields.get("stream"):
            self._json(whole)
            return
        usage = bool((fields.get("stream_options") or {}).get("include_usage"))
        frames = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks(whole, usage=usage)]
        self._stream([*frames, b"data: [DONE]\n\n"], model)


def _file(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "file",
        "bytes": 5,
        "created_at": 1,
        "filename": "a.jsonl",
        "purpose": "batch",
        "status": "processed",
    }


def _batch() -> dict[str, Any]:
    return {
        "id": "batch_1",
        "object": "batch",
        "endpoint": "/v1/responses",
        "input_file_id": "file_1",
        "completion_window": "24h",
        "status": "validating",
        "created_at": 1,
    }
