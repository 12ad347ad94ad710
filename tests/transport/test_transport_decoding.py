"""Content codings, undone in pieces."""

from __future__ import annotations

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.transport.decoding import MAX_MEMBERS, PIECE, Decoder, DecodingError, decoder


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


CODINGS = {"gzip": [gzip.compress], "deflate": [zlib.compress, raw_deflate]}


def decoded(coding: str, pieces: list[bytes]) -> bytes:
    """What comes out when these pieces are fed one after the other."""
    made = decoder(coding)
    assert made is not None
    out = []
    for piece in pieces:
        made.feed(piece)
        while part := made.pull():
            assert len(part) <= PIECE
            out.append(part)
    made.finish()
    return b"".join(out)


@given(data=st.binary(max_size=2000), cuts=st.lists(st.integers(0, 3000), max_size=8), repeat=st.integers(1, 2000))
def test_any_body_survives_any_split(data: bytes, cuts: list[int], repeat: int) -> None:
    """Whatever the body and wherever it is cut into pieces, it comes out as it went in."""
    body = data * repeat
    for coding, encoders in CODINGS.items():
        for encode in encoders:
            encoded = encode(body)
            edges = sorted({0, len(encoded), *(cut for cut in cuts if cut < len(encoded))})
            pieces = [encoded[start:end] for start, end in pairwise(edges)]
            assert decoded(coding, pieces) == body


@given(data=st.binary(min_size=1, max_size=500), cut=st.integers(1, 10_000))
def test_a_cut_body_is_an_error(data: bytes, cut: int) -> None:
    """A body that ends before its compressed data does is refused, wherever it ends."""
    for coding, encoders in CODINGS.items():
        for encode in encoders:
            encoded = encode(data)
            with pytest.raises(DecodingError):
                decoded(coding, [encoded[: 1 + cut % (len(encoded) - 1)]])


@given(st.binary())
def test_rubbish_is_an_error_or_a_body_and_nothing_else(data: bytes) -> None:
    """No input makes anything but bytes or a `DecodingError`."""
    for coding in CODINGS:
        try:
            assert isinstance(decoded(coding, [data]), bytes)
        except DecodingError as error:
            assert coding in str(error)


def test_a_bomb_comes_out_piece_by_piece() -> None:
    """A body that grows a thousandfold is never made at once: the caller stops where it likes."""
    made = decoder("gzip")
    assert made is not None
    made.feed(gzip.compress(bytes(200 * PIECE)))
    assert [len(made.pull()) for _ in range(3)] == [PIECE] * 3


def test_members_of_gzip_are_joined_and_bounded() -> None:
    """Several members are one body (RFC 1952); endless empty ones are refused."""
    assert decoded("gzip", [gzip.compress(b"a") * 3]) == b"aaa"
    with pytest.raises(DecodingError):
        decoded("gzip", [gzip.compress(b"") * (MAX_MEMBERS + 1)])


def test_an_empty_body_needs_no_coding() -> None:
    """A reply without a body may still announce one."""
    assert decoded("gzip", []) == b""


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_nothing_to_undo(coding: str) -> None:
    """No coding has no decoder."""
    assert decoder(coding) is None


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "🦊" * 1000])
def test_an_unknown_coding_is_refused(coding: str) -> None:
    """What was not asked for is named, shortened."""
    with pytest.raises(DecodingError) as caught:
        decoder(coding)
    assert len(str(caught.value)) < 150


def test_names_are_folded() -> None:
    """Case and the old `x-` do not matter."""
    assert isinstance(decoder("X-GZip"), Decoder)
