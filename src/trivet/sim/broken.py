"""Replies that are no replies: resets, cuts, silence, pages of HTML, JSON that breaks off."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.sim import constants
from trivet.sim.draws import Draws
from trivet.sim.exchange import End, Exchange

_HTML = b"<html>\r\n<head><title>%s</title></head>\r\n<body><h1>%s</h1></body>\r\n</html>\r\n"


def unanswered(fault: str, headers: dict[str, str], after: float) -> Exchange:
    """The exchange of a fault before any answer was generated."""
    if fault == "reset":
        return Exchange(status=0, headers={}, end="reset", after=after, generation=True)
    if fault == "hang":
        return Exchange(status=0, headers={}, end="hang", generation=True)
    if fault == "empty_body":
        return Exchange(status=200, headers=headers, chunks=((after, b""),), length=0, generation=True)
    title = b"502 Bad Gateway" if fault == "bad_gateway" else b"Just a moment..."
    page = _HTML % (title, title)
    status = 502 if fault == "bad_gateway" else 200
    html = {"content-type": "text/html; charset=utf-8", "x-trivet-simulated": headers["x-trivet-simulated"]}
    return Exchange(status=status, headers=html, chunks=((after, page),), length=len(page), generation=True)


def spoil(fault: str, exchange: Exchange, draws: Draws, scale: float) -> Exchange:
    """The exchange with a fault of its delivery: `cut`, `malformed` or `slow`."""
    chunks = list(exchange.chunks)
    whole = sum(len(data) for _, data in chunks)
    keep = max(1, int(whole * (0.1 + 0.8 * draws.uniform("spoil"))))
    length, end, spoiled = exchange.length, exchange.end, list(_first(chunks, keep))
    if fault == "slow":
        spoiled = list(_dribble(chunks, whole, constants.SLOW.value * scale))
    elif fault == "malformed":
        length = keep if length is not None else None
    else:
        ways: tuple[End, End] = ("reset", "fin")
        end = draws.choice("way", ways)
    return Exchange(
        status=exchange.status,
        headers=exchange.headers,
        chunks=spoiled,
        length=length,
        end=end,
        generation=True,
    )


def _first(chunks: list[tuple[float, bytes]], keep: int) -> Iterator[tuple[float, bytes]]:
    for at, data in chunks:
        if keep <= 0:
            return
        yield at, data[:keep]
        keep -= len(data)


def _dribble(chunks: list[tuple[float, bytes]], whole: int, interval: float) -> Iterator[tuple[float, bytes]]:
    size = max(1, whole // constants.SLOW_PIECES.value)
    late = 0.0
    for at, data in chunks:
        for start in range(0, len(data), size):
            yield at + late, data[start : start + size]
            late += interval
