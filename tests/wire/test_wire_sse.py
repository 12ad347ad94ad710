"""The event-stream rules, whatever the chunks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.errors import ProtocolError
from trivet.wire.sse import Message, SseParser, frame


def parse(stream: bytes, *cuts: int) -> list[Message]:
    parser, messages, start = SseParser(), [], 0
    for cut in [*sorted(cuts), len(stream)]:
        messages += parser.feed(stream[start:cut])
        start = cut
    return messages


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\n", [("message", b"a")]),
        (b"event: x\ndata: a\n\n", [("x", b"a")]),
        (b"data:a\n\ndata:  b\n\n", [("message", b"a"), ("message", b" b")]),
        (b"data: a\ndata: b\n\n", [("message", b"a\nb")]),
        (b"data: a\r\ndata: b\r\n\r\n", [("message", b"a\nb")]),
        (b"data: a\rdata: b\r\r", [("message", b"a\nb")]),
        (b"data: a\r\n\rdata: b\n\r\n", [("message", b"a"), ("message", b"b")]),
        (b": ping\n\n: pong\ndata: a\n\n", [("message", b"a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [("message", b"a")]),
        (b"\n\n\r\ndata: a\n\n", [("message", b"a")]),
        (b"data\n\ndata\ndata\n\n", [("message", b""), ("message", b"\n")]),
        (b"event: x\n\ndata: a\n\n", [("message", b"a")]),
        (b"id: 7\nretry: 10\nfoo: bar\nfoo\ndata: a\n\n", [("message", b"a")]),
        (b"event: x\nevent: y\ndata: a: b\n\n", [("y", b"a: b")]),
        (b"data: a\n\ndata: cut", [("message", b"a")]),
        (b"data: a\n\ndata: cut\n", [("message", b"a")]),
        (b"event:\ndata: a\n\n", [("message", b"a")]),
        ("data: \x0b\x0c\x1c\x85\u2028\n\n".encode(), [("message", "\x0b\x0c\x1c\x85\u2028".encode())]),
        (b"", []),
    ],
)
def test_rules(stream: bytes, expected: list[tuple[str, bytes]]) -> None:
    """Each rule of the standard, whole and cut into single bytes."""
    messages = [Message(*pair) for pair in expected]
    assert parse(stream) == messages
    assert parse(stream, *range(len(stream))) == messages


PIECES = st.sampled_from(
    [
        b"data: a",
        b"data:",
        b"event: x",
        b": c",
        b"\n",
        b"\r",
        b"\r\n",
        b"\xef\xbb\xbf",
        b"\n\n",
        "é😀".encode(),
        b"id",
    ]
)


@given(st.lists(PIECES, max_size=30).map(b"".join), st.lists(st.integers(0, 200), max_size=12))
def test_any_chunking_gives_the_same_events(stream: bytes, cuts: list[int]) -> None:
    """Where the stream is cut, and how often, changes nothing."""
    assert parse(stream, *(min(cut, len(stream)) for cut in cuts)) == parse(stream)


@given(
    st.lists(st.tuples(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), st.binary())),
    st.lists(st.integers(0, 500), max_size=12),
)
def test_framed_events_come_back(events: list[tuple[str, bytes]], cuts: list[int]) -> None:
    """What is framed is parsed again, with line ends inside the data as LF."""
    stream = b"".join(frame(name, data) for name, data in events)
    expected = [Message(name or "message", b"\n".join(data.splitlines())) for name, data in events]
    assert parse(stream, *(min(cut, len(stream)) for cut in cuts)) == expected


def test_a_name_cannot_smuggle_lines() -> None:
    """A line end in an event's name does not start a field."""
    assert parse(frame("x\ndata: evil\r", b"a")) == [Message("xdata: evil", b"a")]


@pytest.mark.parametrize("chunk", [b"x" * 10, b"data: x\n", b"data\n", b"event: x"])
def test_an_endless_event_is_refused(chunk: bytes) -> None:
    """An event larger than the limit ends the stream, whether it is one line or many."""
    parser = SseParser(limit=1000)
    with pytest.raises(ProtocolError, match="exceeds 1000 bytes") as caught:
        for _ in range(1000):
            parser.feed(chunk)
    assert not caught.value.retryable


def test_a_long_stream_is_not_a_large_event() -> None:
    """Comments and events come and go without filling up the limit."""
    parser = SseParser(limit=100)
    count = sum(len(parser.feed(b": ping ping\nfoo\n" + frame("x", b"a" * 50))) for _ in range(1000))
    assert count == 1000


def test_a_large_event_byte_by_byte() -> None:
    """The work is in proportion to the bytes, not to their square."""
    stream = frame("x", b"a" * 300_000)
    assert parse(stream, *range(len(stream))) == [Message("x", b"a" * 300_000)]
