"""Transport conformance: replies that are what HTTP says come back as they are."""

from __future__ import annotations

import asyncio
import zlib

from trivet.testing.servers import always, chunk, chunked, gzipped, head, once, reply
from trivet.testing.transport_case import SECRET, TransportCase, call

TEXT = '{"text": "Grüße, 世界, שלום, 🦊"}'.encode()


class RepliesCase(TransportCase):
    """What is sent, and what comes back."""

    async def test_a_reply_comes_back_whole_however_its_length_is_told(self) -> None:
        """Content-Length, the chunked coding and the end of the connection all delimit the same body."""
        chunks = head("Transfer-Encoding: chunked") + chunked(TEXT[:7], TEXT[7:])
        for pieces in (
            [reply(TEXT)],
            [chunks],
            [head("Connection: close") + TEXT],
            [chunks[i : i + 1] for i in range(len(chunks))],
            [head("Transfer-Encoding: chunked") + chunk(TEXT) + b"0\r\nX-Trailer: yes\r\n\r\n"],
        ):
            async with self.talking(once(*pieces)) as (transport, server):
                got = await transport.fetch(call(server.url()))
                assert (got.status, got.body) == (200, TEXT)

    async def test_content_codings_are_undone_and_no_longer_announced(self) -> None:
        """gzip, of one member or several, and deflate, framed or raw, give the text in any pieces."""
        raw = zlib.compressobj(wbits=-15)
        bodies = [
            ("gzip", gzipped(TEXT)),
            ("x-gzip", gzipped(TEXT[:5]) + gzipped(TEXT[5:])),
            ("deflate", zlib.compress(TEXT)),
            ("Deflate", raw.compress(TEXT) + raw.flush()),
            ("identity", TEXT),
        ]
        for coding, body in bodies:
            whole = reply(body, f"Content-Encoding: {coding}")
            for pieces in ([whole], [whole[i : i + 1] for i in range(len(whole))]):
                async with self.talking(once(*pieces)) as (transport, server):
                    got = await transport.fetch(call(server.url()))
                    assert got.body == TEXT, coding
                    assert coding == "identity" or "content-encoding" not in got.headers
                    assert got.headers.get("content-length", str(len(TEXT))) == str(len(TEXT))

    async def test_a_reply_without_a_body_is_empty(self) -> None:
        """204, 304, a length of 0 and the answer to HEAD end with their head; the connection serves on."""
        empty = [
            head(status="204 No Content"),
            head("Content-Encoding: gzip", status="304 Not Modified"),
            reply(),
        ]
        for pieces in empty:
            async with self.talking(always(pieces)) as (transport, server):
                for _ in range(2):
                    assert (await transport.fetch(call(server.url()))).body == b""
                assert server.connections == 1
        async with self.talking(always(head("Content-Length: 500"))) as (transport, server):
            for _ in range(2):
                got = await transport.fetch(call(server.url(), method="HEAD", body=b""))
                assert (got.status, got.body) == (200, b"")
            assert server.connections == 1

    async def test_interim_replies_are_passed_over(self) -> None:
        """100 and 103 are not the answer; what follows them is."""
        interim = head(status="100 Continue") + head("Link: </a>", status="103 Early Hints")
        async with self.talking(always(interim + reply(TEXT))) as (transport, server):
            got = await transport.fetch(call(server.url()))
            assert (got.status, got.body) == (200, TEXT)
            assert "link" not in got.headers

    async def test_every_status_is_a_reply(self) -> None:
        """Refusals and errors come back with their body; a status is never a transport failure."""
        for status in (200, 201, 400, 401, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529, 599):
            async with self.talking(always(reply(TEXT, status=f"{status} Whatever"))) as (transport, server):
                got = await transport.fetch(call(server.url()))
                assert (got.status, got.body) == (status, TEXT)

    async def test_no_redirect_is_followed(self) -> None:
        """A redirect comes back as it is: following it would send the prompt and the key elsewhere."""
        for status in (301, 302, 303, 307, 308):
            away = reply(b"", "Location: /elsewhere", status=f"{status} Away")
            async with self.talking(always(away)) as (transport, server):
                got = await transport.fetch(call(server.url()))
                assert (got.status, got.headers["location"]) == (status, "/elsewhere")
                assert len(server.requests) == 1

    async def test_header_names_are_lower_case_and_repeated_headers_joined(self) -> None:
        """Names are folded, values kept, the values of a repeated header joined by a comma in order."""
        lines = ["X-Request-ID: Req_1", "VIA: a", "via: b", "Set-Cookie: a=1", "X-Empty:", "X-Space:   v  "]
        async with self.talking(always(reply(b"", *lines))) as (transport, server):
            headers = (await transport.fetch(call(server.url()))).headers
            assert headers["x-request-id"] == "Req_1"
            assert headers["via"] == "a, b"
            assert (headers["x-empty"], headers["x-space"]) == ("", "v")
            assert all(name == name.lower() for name in headers)

    async def test_odd_bytes_in_a_header_do_not_break_what_is_made_of_it(self) -> None:
        """A header that is not UTF-8 comes as text that can be encoded again."""
        async with self.talking(always(reply(b"", "X-Odd: caf\xe9\xff"))) as (transport, server):
            value = (await transport.fetch(call(server.url()))).headers["x-odd"]
            assert value.startswith("caf") and value.encode()

    async def test_a_request_is_sent_as_given(self) -> None:
        """Method, target, headers and body arrive as they were, with a host, a length and codings."""
        async with self.talking(always(reply())) as (transport, server):
            await transport.fetch(call(server.url("/v1/x?a=b%20c&d=%C3%BC"), body=TEXT))
            (got,) = server.requests
            assert (got.method, got.target, got.body) == ("POST", "/v1/x?a=b%20c&d=%C3%BC", TEXT)
            assert got.headers["authorization"] == SECRET
            assert got.headers["host"] == f"127.0.0.1:{server.port}"
            extra = {"accept-encoding", "content-length", "host", "authorization", "content-type"}
            assert set(got.headers) <= extra | {"connection"}
            assert set(got.headers["accept-encoding"].split(", ")) <= {"gzip", "deflate"}

    async def test_a_call_without_a_body_has_none(self) -> None:
        """GET and DELETE send no body."""
        async with self.talking(always(reply(TEXT))) as (transport, server):
            for method in ("GET", "DELETE"):
                assert (await transport.fetch(call(server.url(), method=method, body=b""))).body == TEXT
            assert [(got.method, got.body) for got in server.requests] == [("GET", b""), ("DELETE", b"")]

    async def test_no_cookie_is_kept(self) -> None:
        """What a reply sets is not sent with the next request."""
        async with self.talking(always(reply(b"", "Set-Cookie: session=1; Path=/"))) as (transport, server):
            for _ in range(2):
                await transport.fetch(call(server.url()))
            assert all("cookie" not in got.headers for got in server.requests)

    async def test_large_bodies_go_both_ways(self) -> None:
        """Eight megabytes are sent and received unchanged, and a stream of them is not held in memory."""
        body = bytes(range(256)) * 32768
        async with self.talking(always(reply(body))) as (transport, server):
            got = await transport.fetch(call(server.url(), body=body))
            assert got.body == body
            assert server.requests[0].body == body
            async with transport.stream(call(server.url())) as reply_head:
                await asyncio.sleep(0.05)  # a consumer that is slower than the server
                assert b"".join([piece async for piece in reply_head.chunks]) == body
