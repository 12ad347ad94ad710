"""A server that answers nobody until so many requests are with it at the same time: python many_at_once.py MANY

The first hundred are answered at once, with a limit that does not bind, as a provider's would be. It prints its port.
"""

from __future__ import annotations

import asyncio
import json
import sys

OPENING = 100
BODY = json.dumps(
    {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "model": "gpt-5.4-mini",
        "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "yes"}]}],
        "usage": {"input_tokens": 5, "output_tokens": 1, "total_tokens": 6},
    }
).encode()
REPLY = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-ratelimit-limit-requests: 30000000\r\n"
    b"x-ratelimit-remaining-requests: 29999999\r\nx-ratelimit-reset-requests: 2ms\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


class Door:
    """How many are inside, and whether it is open for good."""

    def __init__(self, many: int) -> None:
        self.many = many
        self.served = self.inside = 0
        self.opened = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
                await self._answer()
                writer.write(REPLY)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async def _answer(self) -> None:
        self.served += 1
        if self.served <= OPENING:
            return
        self.inside += 1
        if self.inside >= self.many:
            self.opened.set()
        try:
            await self.opened.wait()
        finally:
            self.inside -= 1


async def main(many: int) -> None:
    """Serve until the standard input ends."""
    door = Door(many)
    server = await asyncio.start_server(door.serve, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
