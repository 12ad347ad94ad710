"""The layers from blocking code: a hit is read in the caller's thread, all else is decided in one of trivet's own."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from threading import Lock
from weakref import WeakKeyDictionary, ref

import httpx2

from trivet.client.door import Door
from trivet.engine.shelf import Shelf
from trivet.errors import RequestError, SettingsError, TrivetError
from trivet.openai.asking import Asked
from trivet.openai.handing import call_of, failed_call, handed
from trivet.openai.layers import Layers, read
from trivet.openai.notes import Note
from trivet.openai.turns import BlockingExchange, BlockingReading, SharedTape, Turn
from trivet.types import Reply, Request


class _Process:
    """One thread for all blocking clients of this process."""

    door = Door()


class Blocking:
    """The blocking door of one client and its copies."""

    def __init__(self, layers: Layers) -> None:
        self._layers = ref(layers)
        self._lock = Lock()
        self._live: dict[bytes, BlockingExchange] = {}
        store = layers.options.store
        self._shelf = None if store is None else Shelf(store, layers.options.ttl, time.time)

    def answer(self, note: Note, http: httpx2.Request, inner: httpx2.BaseTransport) -> httpx2.Response:
        """See `Layers.answer`."""
        layers = self._alive()
        what = read(http)
        note.ours = what.whole and not layers.options.settings.observe
        request = what.request
        if self._shelf is not None and request.key:
            hit = self._glance(self._shelf, request)
            if hit is not None:
                layers.over(note, call_of(note, what, hit))
                return handed(hit, what, note)
        exchange = BlockingExchange(what, http, inner)
        request = layers.prepared(what, note, exchange)
        name = request.key + request.apart if request.key else b""
        if name:
            self._join(name, exchange)
        future = _Process.door.start(self._work(note, what, request))
        future.add_done_callback(lambda _: exchange.news.put(None))
        try:
            return self._wait(exchange, future, note)
        except RequestError as error:
            return failed_call(error, note, http)
        except BaseException:
            exchange.gone()
            future.cancel()
            raise
        finally:
            if name and what.streamed:
                future.add_done_callback(lambda _: self._forget(name, exchange))

    async def _work(self, note: Note, what: Asked, request: Request) -> Reply:
        layers = self._alive()
        return await layers.tell(note, what, layers.lane().call(request))

    def _wait(self, exchange: BlockingExchange, future: Future[Reply], note: Note) -> httpx2.Response:
        """Do what the layers ask of this thread until there is something to hand on."""
        what = exchange.asked
        while (news := exchange.news.get()) is not None:
            mine = isinstance(news, Turn)
            tape = exchange.carry_out(news) if isinstance(news, Turn) else news
            if tape is None:
                continue
            if what.streamed:
                return _reading(tape, future, note, joined=not mine)
            _follow(tape)
        return handed(future.result(), what, note)

    def _join(self, name: bytes, exchange: BlockingExchange) -> None:
        with self._lock:
            other = self._live.get(name)
            if other is None and exchange.asked.streamed:
                self._live[name] = exchange
        if other is not None:
            other.join(exchange.news)

    def _forget(self, name: bytes, exchange: BlockingExchange) -> None:
        with self._lock:
            if self._live.get(name) is exchange:
                del self._live[name]

    def _glance(self, shelf: Shelf, request: Request) -> Reply | None:
        """A hit from a store that never waits, without leaving this thread; None sends the request the long way."""
        if "opentelemetry.trace" in sys.modules or "opentelemetry.metrics" in sys.modules:
            return None
        began = time.perf_counter()
        try:
            hit = shelf.look(request)
        except TrivetError:
            return None
        return None if hit is None else self._alive().priced(hit, time.perf_counter() - began)

    def _alive(self) -> Layers:
        layers = self._layers()
        if layers is None:
            raise SettingsError("this client is gone: make a new one")
        return layers

    def close(self) -> None:
        """Close the layers' part."""
        _Process.door.call(self._alive().close())

    def forked(self) -> None:
        """In the child of a fork."""
        self._lock = Lock()
        self._live = {}


def _reading(tape: SharedTape, future: Future[Reply], note: Note, *, joined: bool) -> httpx2.Response:
    def landed() -> None:
        wait_for([future])

    response = tape.raw.response(note, source=b"coalesced" if joined else None)
    response.stream = BlockingReading(tape, landed)
    return response


def _follow(tape: SharedTape) -> None:
    """Read somebody else's stream to its end, so that it comes to one whether or not they read on."""
    try:
        for _ in tape.read():
            pass
    except Exception:  # noqa: BLE001, S110 - the layers tell this caller what became of it
        pass
    finally:
        tape.left()


def blocking_of(layers: Layers) -> Blocking:
    """The blocking door of these layers, the same each time."""
    found = _doors.get(layers)
    return found if found is not None else _doors.setdefault(layers, Blocking(layers))


_doors: WeakKeyDictionary[Layers, Blocking] = WeakKeyDictionary()


def _after_fork() -> None:
    _Process.door = Door()
    for blocking in list(_doors.values()):
        blocking.forked()


os.register_at_fork(after_in_child=_after_fork)
