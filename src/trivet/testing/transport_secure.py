"""Transport conformance: TLS is verified, and proxies are used where they are meant."""

from __future__ import annotations

import os
import ssl
import sys
import tempfile
from asyncio import create_subprocess_exec, timeout
from asyncio.subprocess import PIPE
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from trivet.testing.certificates import self_signed, serves_as, trusts
from trivet.testing.servers import Peer, ScriptedServer, always, chunk, head, reply, serving, silent, tunnel
from trivet.testing.transport_case import PATIENCE, SECRET, TransportCase, call, fails, left
from trivet.transport.proxies import proxy_for

MADE_UP = "api.made-up.example"
BODY = always(reply(b"body"))


@contextmanager
def certificate(host: str) -> Iterator[tuple[ssl.SSLContext, ssl.SSLContext, Path]]:
    """A server's context, a client's that trusts it, and the certificate."""
    with tempfile.TemporaryDirectory() as folder:
        public, key = self_signed(Path(folder), host)
        yield serves_as(public, key), trusts(public), public


class SecureCase(TransportCase):
    """TLS, and proxies."""

    async def test_a_certificate_that_nobody_vouches_for_is_refused(self) -> None:
        """A self-signed certificate: kind tls, not sent, not retryable, with the host and the reason."""
        with certificate("127.0.0.1") as (server_side, _, _):
            async with timeout(PATIENCE), serving(BODY, tls=server_side) as server:
                transport = self.make()
                error = await fails(transport.fetch(call(server.url())), "tls", sent=False)
                assert not error.retryable
                assert f"127.0.0.1:{server.port}" in str(error) and "self-signed" in str(error).replace(" ", "-")
                assert server.requests == []
                await transport.close()

    async def test_a_certificate_for_another_host_is_refused(self) -> None:
        """A trusted certificate whose names do not match is refused."""
        with certificate(MADE_UP) as (server_side, trusting, _):
            async with timeout(PATIENCE), serving(BODY, tls=server_side) as server:
                transport = self.make(ssl_context=trusting)
                url = server.url().replace("127.0.0.1", "localhost")
                assert "mismatch" in str(await fails(transport.fetch(call(url)), "tls", sent=False))
                assert server.requests == []
                await transport.close()

    async def test_a_server_without_tls_is_told_apart(self) -> None:
        """https to a plain server: kind tls, not sent, not retryable."""

        async def plain(peer: Peer) -> None:
            await peer.reader.read(1)
            await peer.send(reply(status="400 Bad Request"))

        async with self.talking(plain) as (transport, server):
            url = server.url().replace("http:", "https:")
            assert not (await fails(transport.fetch(call(url)), "tls", sent=False)).retryable

    async def test_a_trusted_certificate_serves(self) -> None:
        """With the authority in the context, calls and streams go through, on one kept connection."""
        with certificate("127.0.0.1") as (server_side, trusting, _):
            async with timeout(PATIENCE), serving(BODY, tls=server_side) as server:
                transport = self.make(ssl_context=trusting)
                for _ in range(10):
                    assert (await transport.fetch(call(server.url()))).body == b"body"
                async with transport.stream(call(server.url())) as answer:
                    assert [piece async for piece in answer.chunks] == [b"body"]
                assert (server.connections, transport.statistics().connections) == (1, 1)
                await transport.close()

    async def test_leaving_early_closes_a_tls_connection_at_once(self) -> None:
        """A stream that is left, and a call that times out, do not wait for the other side's farewell."""
        with certificate("127.0.0.1") as (server_side, trusting, _):
            for script, read in (
                (silent, 0.1),
                (always(head("Transfer-Encoding: chunked"), chunk(b"a")), 0.1),
            ):
                async with timeout(PATIENCE), serving(script, tls=server_side) as server:
                    transport = self.make(ssl_context=trusting)
                    await fails(transport.fetch(call(server.url(), read=read)), "timeout", sent=True)
                    if script is silent:
                        await left(server)
                    await transport.close()

    async def test_the_default_context_knows_ssl_cert_file(self) -> None:
        """A process started with SSL_CERT_FILE trusts what it names, without any option."""
        with certificate("127.0.0.1") as (server_side, _, public):
            async with timeout(PATIENCE), serving(BODY, tls=server_side) as server:
                kind = type(self.make())
                code = (
                    f"import asyncio; from {kind.__module__} import {kind.__qualname__} as T\n"
                    "from trivet.types import HttpCall\n"
                    f"call = HttpCall(method='GET', url={server.url()!r}, headers={{}}, body=b'')\n"
                    "print(asyncio.run(T().fetch(call)).body)"
                )
                env = {"SSL_CERT_FILE": str(public), "PYTHONPATH": os.pathsep.join(sys.path)}
                child = await create_subprocess_exec(sys.executable, "-c", code, env=env, stdout=PIPE, stderr=PIPE)
                out, err = await child.communicate()
                assert out.strip() == b"b'body'", err.decode()

    async def test_a_plain_call_goes_through_the_proxy(self) -> None:
        """The proxy is asked for the whole URL, with its own password, which the message never shows."""
        async with timeout(PATIENCE), serving(tunnel({})) as proxy:
            url = proxy.url("").replace("//", "//user:sk-pass@")
            transport = self.make(proxies=partial(proxy_for, proxies={"http": url}))
            got = await transport.fetch(call(f"http://{MADE_UP}/v1/responses"))
            assert got.body == b"from the proxy"
            (request,) = proxy.requests
            assert request.target == f"http://{MADE_UP}/v1/responses"
            assert request.headers["host"] == MADE_UP
            assert request.headers["proxy-authorization"] == f"Basic {b64encode(b'user:sk-pass').decode()}"
            await transport.close()

    async def test_a_tls_call_goes_through_a_tunnel(self) -> None:
        """CONNECT to the host by name, then TLS to the host itself: the proxy sees neither key nor prompt."""
        with certificate(MADE_UP) as (server_side, trusting, _):
            async with timeout(PATIENCE), serving(BODY, tls=server_side) as server:
                await self._tunnelled(server, trusting)

    async def _tunnelled(self, server: ScriptedServer, trusting: ssl.SSLContext) -> None:
        async with serving(tunnel({f"{MADE_UP}:443": server.port})) as proxy:
            go = partial(proxy_for, proxies={"https": proxy.url("")})
            transport = self.make(proxies=go, ssl_context=trusting)
            for _ in range(3):
                assert (await transport.fetch(call(f"https://{MADE_UP}/v1"))).body == b"body"
            assert [(got.method, got.target) for got in proxy.requests] == [("CONNECT", f"{MADE_UP}:443")]
            assert SECRET not in str(proxy.requests)
            assert [got.target for got in server.requests] == ["/v1"] * 3
            await transport.close()

    async def test_a_proxy_that_fails_is_named(self) -> None:
        """Refusing the tunnel, not there, of an unknown sort: kind connect, not sent, with its address."""
        async with timeout(PATIENCE), serving(tunnel({})) as proxy:
            refusing = self.make(proxies=partial(proxy_for, proxies={"https": proxy.url("")}))
            error = await fails(refusing.fetch(call(f"https://{MADE_UP}/v1")), "connect", sent=False)
            assert f"127.0.0.1:{proxy.port}" in str(error) and "502" in str(error)
            await refusing.close()
        for url in (f"http://127.0.0.1:{proxy.port}", f"socks5://u:sk-p@127.0.0.1:{proxy.port}"):
            absent = self.make(proxies=partial(proxy_for, proxies={"all": url}))
            error = await fails(absent.fetch(call(f"http://{MADE_UP}/v1")), "connect", sent=False)
            assert f"127.0.0.1:{proxy.port}" in str(error) and "PROXY" in str(error)
            await absent.close()

    async def test_loopback_is_never_proxied(self) -> None:
        """A server on this machine is reached directly, by address and by name, in spite of the variables."""
        async with timeout(PATIENCE), serving(tunnel({})) as proxy, serving(BODY) as server:
            transport = self.make(proxies=partial(proxy_for, proxies={"http": proxy.url(""), "all": proxy.url("")}))
            for host in ("127.0.0.1", "localhost"):
                got = await transport.fetch(call(server.url().replace("127.0.0.1", host)))
                assert got.body == b"body"
            assert proxy.requests == []
            await transport.close()
