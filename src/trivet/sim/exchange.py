"""One HTTP exchange as the core decides it and a shell plays it: what is sent, when, and how it ends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

End = Literal["done", "reset", "fin", "hang"]
"""`done`: a proper end. `reset`, `fin`: the connection ends there, so. `hang`: nothing more comes."""


class Exchange(Struct, frozen=True, kw_only=True):
    """A reply in time. `chunks`: (seconds since the arrival, bytes), in order; the head before the first.

    `length`: bytes of the body as announced, None for a stream of unknown length. No chunks and an end other
    than `done`: no byte is ever sent; `after`: seconds until a connection that was sent nothing ends.
    `generation`: the books wait for `Core.left`.
    """

    status: int
    headers: dict[str, str]
    chunks: Iterable[tuple[float, bytes]] = ()
    length: int | None = None
    end: End = "done"
    after: float = 0.0
    generation: bool = False
