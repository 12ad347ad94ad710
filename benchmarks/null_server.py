"""A server on raw sockets that answers every request alike after a fixed time, and does nothing else.

    python benchmarks/null_server.py SECONDS

It prints its port, and ends with its standard input. The reply is a whole response object with the headers of
a real one, so that clients have as much to read as in earnest; what was asked is not looked at.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading

import uvloop

RESPONSE = {
    "id": "resp_" + "0" * 48,
    "object": "response",
    "created_at": 1795000000,
    "status": "completed",
    "background": False,
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": 16,
    "max_tool_calls": None,
    "model": "gpt-5.4-mini",
    "output": [
        {
            "id": "msg_" + "0" * 48,
            "type": "message",
            "status": "completed",
            "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": "billing"}],
            "role": "assistant",
        }
    ],
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": "none", "summary": None},
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "usage": {
        "input_tokens": 141,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 143,
    },
    "user": None,
    "metadata": {},
}
HEADERS = {
    "date": "Mon, 05 Jan 2026 08:00:00 GMT",
    "content-type": "application/json",
    # a limit that does not bind, or the client would keep to it; none of tokens, whose growth is bound by a rule
    "x-ratelimit-limit-requests": "30000000",
    "x-ratelimit-remaining-requests": "29999999",
    "x-ratelimit-reset-requests": "2ms",
    "openai-version": "2020-10-01",
    "openai-processing-ms": "187",
    "x-request-id": "req_" + "0" * 32,
    "connection": "keep-alive",
}


def whole_reply() -> bytes:
    """The reply as it goes over the wire."""
    body = json.dumps(RESPONSE).encode()
    lines = [f"{name}: {value}" for name, value in {**HEADERS, "content-length": len(body)}.items()]
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode() + body


REPLY = whole_reply()


class Answering(asyncio.Protocol):
    """One connection: a whole request, a wait, the reply."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(rest) >= int(length or 0):
            self._received = b""
            self._loop.call_later(self._delay, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(REPLY)


async def serve(delay: float) -> None:
    """Until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(delay), "127.0.0.1", 0, backlog=8192)
    print(server.sockets[0].getsockname()[1], flush=True)
    over = asyncio.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(over.set)), daemon=True).start()
    await over.wait()


if __name__ == "__main__":
    uvloop.run(serve(float(sys.argv[1])))
