"""Token counts are exact, survive any text, and stay fast on the worst of it."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet import tokens

MULTILINGUAL = [
    "",
    " ",
    "Hello, world!",
    "I'll've don't WE'RE it's",
    "Größenwahn und Straßenverkehr",
    "请问我的退款什么时候到账?我已经等了两个星期了。",
    "لم أستلم بطاقتي الجديدة بعد، هل يمكنكم المساعدة؟",
    "לא הצלחתי להתחבר לחשבון שלי",
    "मेरा भुगतान अस्वीकृत हो गया।",
    "支払いが二重に請求されました。ご確認ください。",
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 é́",
    "12345678901234567890 3.14159 1,000,000",
    "def f(x):\n\treturn x  # comment\r\n\r\n\n",
    "a" * 500 + " " * 300 + "\n" * 50 + "!" * 200,
    '{"category":"billing","n":[1,2,3]}',
    "<|endoftext|> and <|endofprompt|> are ordinary <|im_start|>",
]


@pytest.fixture(scope="module")
def reference():
    """The other exact tokenizer."""
    return pytest.importorskip("bpe_openai").get_encoding("o200k_base")


@pytest.mark.parametrize("text", MULTILINGUAL)
def test_count_equals_the_other_exact_tokenizer(reference, text: str) -> None:
    """Two independent implementations of the vocabulary agree token by token."""
    assert tokens.encode(text) == reference.encode_ordinary(text)
    assert tokens.count(text) == len(reference.encode_ordinary(text))


@given(st.text(max_size=400))
def test_count_equals_the_reference_on_random_text(text: str) -> None:
    """Whatever the text, both tokenizers agree."""
    other = pytest.importorskip("bpe_openai").get_encoding("o200k_base")
    assert tokens.count(text) == len(other.encode_ordinary(text))


WORDS = [
    "the",
    "refund,",
    "of",
    "my",
    "card.",
    "数字",
    "、漢字。",
    "it's",
    "3,000",
    "(no)",
    "[x]",
    "_a_",
    "\n\n",
    "/x/",
    "'q'",
    "!",
]


@given(st.lists(st.sampled_from(WORDS), max_size=120), st.integers(8, 60))
def test_chunks_do_not_change_the_count(words: list[str], size: int) -> None:
    """Cutting at the places chosen gives the tokens of the uncut text."""
    text = " ".join(words)
    chunks = list(tokens._chunks(text, size=size + 20))
    assert "".join(chunks) == text
    assert [token for chunk in chunks for token in tokens.encode(chunk)] == tokens.encode(text)


def test_special_tokens_are_ordinary_text() -> None:
    """What a user writes is never a control token, and never an error."""
    assert tokens.count("<|endoftext|>") > 1


def test_lone_surrogates_are_counted() -> None:
    """Half a surrogate pair is one replacement character, not a crash."""
    assert tokens.count("a\ud800b") == tokens.count("a�b")
    assert tokens.split("\udfff") == ["�"]


@given(st.text(max_size=200))
def test_split_is_the_text_in_as_many_pieces_as_tokens(text: str) -> None:
    """The pieces joined are the text, and there is one for each token."""
    pieces = tokens.split(text)
    assert "".join(pieces) == text
    assert len(pieces) == tokens.count(text)


@given(st.text(max_size=200), st.integers(0, 50))
def test_cut_is_a_prefix_within_the_limit(text: str, limit: int) -> None:
    """A cut text is a prefix, and no longer than the limit in tokens of the whole."""
    short = tokens.cut(text, limit)
    assert text.startswith(short)
    if tokens.count(text) <= limit:
        assert short == text


@pytest.mark.parametrize("unit", ["a", " ", "\n", "!", "1", "漢", "👩‍👩‍👧", " \t", "é"])
def test_a_megabyte_of_one_thing_takes_seconds_at_most(unit: str) -> None:
    """A pathological megabyte neither crashes nor hangs."""
    text = unit * (1_000_000 // len(unit))
    start = time.perf_counter()
    assert tokens.count(text) > 1000
    assert time.perf_counter() - start < 10


def test_hard_cuts_are_off_by_two_tokens_each_at_most(reference) -> None:
    """Where no boundary exists, the error is bounded by the number of cuts."""
    text = "ab" * 90_000
    true = sum(1 for _ in tokens._encoding().encode_ordinary(text))
    assert abs(tokens.count(text) - true) <= 2 * (len(text) // tokens.CHUNK)


def test_a_long_ordinary_text_is_exact() -> None:
    """A text of several chunks counts as it does uncut."""
    rng = random.Random(5)
    text = " ".join(rng.choice(WORDS) for _ in range(60_000))
    assert len(text) > 3 * tokens.CHUNK
    assert tokens.encode(text) == tokens._encoding().encode_ordinary(text)


def test_import_does_not_load_the_vocabulary() -> None:
    """Importing the module loads no tokenizer."""
    code = "import sys, trivet.tokens; sys.exit('tiktoken' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
