"""Exact token counts in o200k_base, the vocabulary of the GPT-4o, GPT-5 and GPT-6 models.

The vocabulary (0.6 s and 60 MB to load) is read from this package at the first use, never at import and
never from the network. Text that looks like a special token (`<|endoftext|>`) is ordinary text here, because
that is how the provider counts what a user writes; a lone surrogate counts as U+FFFD.

A long text is encoded chunk by chunk, which bounds the memory and keeps the tokenizer's regular expression
from overflowing its stack. The cuts are where its tokens end in any case (a letter or digit, then a space or
punctuation), so that the count stays exact; only a stretch of over 60,000 characters without such a place (no
language, but a broken file) is cut anyway, and may then count up to two tokens more at each cut.
"""

from __future__ import annotations

import binascii
import codecs
import functools
import gzip
import importlib.resources
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tiktoken

CHUNK = 60_000
"""Characters encoded at a time."""

_BOUNDARY = re.compile(r"(?<=[^\W_])(?=[ \t\n.,;:!?()、。，．؟،।])")

# The pattern of o200k_base as tiktoken publishes it (MIT licence, tiktoken_ext/openai_public.py).
_PATTERN = "|".join(
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)


@functools.cache
def _encoding() -> tiktoken.Encoding:
    import tiktoken

    packed = importlib.resources.files("trivet") / "data" / "o200k_base.tiktoken.gz"
    ranks: dict[bytes, int] = {}
    for line in gzip.decompress(packed.read_bytes()).splitlines():
        token, rank = line.split()
        ranks[binascii.a2b_base64(token)] = int(rank)
    special = {"<|endoftext|>": 199999, "<|endofprompt|>": 200018}
    return tiktoken.Encoding("o200k_base", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens=special)


def _chunks(text: str, size: int = CHUNK) -> Iterator[str]:
    start = 0
    while len(text) - start > size:
        end = start + size
        cuts = [place.start() for place in _BOUNDARY.finditer(text, max(start + 1, end - 1000), end)]
        if not cuts:
            cuts = [place.start() for place in _BOUNDARY.finditer(text, start + 1, end)]
        end = cuts[-1] if cuts else end
        yield text[start:end]
        start = end
    yield text[start:]


def load() -> None:
    """Load the vocabulary now rather than at the first count."""
    _encoding()


def count(text: str) -> int:
    """How many tokens the text is."""
    encode = _encoding().encode_ordinary
    if len(text) <= CHUNK:
        return len(encode(text))
    return sum(len(encode(chunk)) for chunk in _chunks(text))


def encode(text: str) -> list[int]:
    """The text's tokens, as their numbers in the vocabulary."""
    encode = _encoding().encode_ordinary
    if len(text) <= CHUNK:
        return encode(text)
    return [token for chunk in _chunks(text) for token in encode(chunk)]


def split(text: str) -> list[str]:
    """The text of each token; of a character spread over several, all comes with the last of them.

    As many strings as `count` counts, some of them empty; joined, they are the text.
    """
    encoding = _encoding()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return [decoder.decode(encoding.decode_single_token_bytes(token)) for token in encode(text)]


def cut(text: str, limit: int) -> str:
    """The text's first `limit` tokens; a character that the limit would halve is left out."""
    pieces = split(text)
    return text if len(pieces) <= limit else "".join(pieces[:limit])
