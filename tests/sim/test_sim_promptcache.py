"""Cached and written tokens follow each family's documented rules."""

from __future__ import annotations

from typing import Any

LONG = "The refund policy of the shop is explained here in many words. " * 150
"""Some 1,800 tokens."""


def details(asked: Any) -> tuple[int, int]:
    inner = asked.json["usage"]["input_tokens_details"]
    return inner["cached_tokens"], inner["cache_write_tokens"]


def test_earlier_models_reuse_blocks_of_128_and_bill_no_write(provider: Any) -> None:
    """The second prompt with the same beginning reads it, rounded down to 128."""
    server = provider()
    assert details(server.ask(LONG + "one")) == (0, 0)
    server.now += 5
    asked = server.ask(LONG + "two")
    read, written = details(asked)
    assert read >= 1024
    assert read % 128 == 0
    assert asked.json["usage"]["input_tokens"] - read < 256
    assert written == 0


def test_a_short_prompt_is_never_cached(provider: Any) -> None:
    """Below 1,024 tokens nothing is read or written, whatever the model."""
    server = provider()
    for model in ("gpt-5.4-mini", "gpt-5.5", "gpt-6-luna"):
        for _ in range(2):
            server.now += 5
            assert details(server.ask("Hello " * 500, model=model)) == (0, 0)


def test_a_prefix_ends_with_its_lifetime(provider: Any) -> None:
    """Idle beyond the in-memory lifetime, or beyond a day when retention was asked for."""
    for retention, alive, dead in ((None, 290, 310), ("24h", 86_000, 87_000)):
        for gap, hit in ((alive, True), (dead, False)):
            server = provider()
            server.ask(LONG, prompt_cache_retention=retention)
            server.now += gap
            assert (details(server.ask(LONG, prompt_cache_retention=retention))[0] > 0) is hit


def test_the_wide_family_has_steps_of_2048(provider: Any) -> None:
    """GPT-5.5 caches at multiples of 2,048 tokens only."""
    server = provider()
    for text, expected in ((LONG, 0), (LONG * 2, 2048)):
        server.ask(text, model="gpt-5.5")
        server.now += 5
        assert details(server.ask(text, model="gpt-5.5"))[0] == expected


def test_later_models_bill_the_write_of_a_new_prefix(provider: Any) -> None:
    """Implicit mode writes to the end of the latest message; the same prompt again reads all of it."""
    server = provider()
    first = server.ask(LONG, model="gpt-6-luna")
    size = first.json["usage"]["input_tokens"]
    read, written = details(first)
    assert read == 0
    assert size - written < 10
    server.now += 5
    assert details(server.ask(LONG, model="gpt-6-luna")) == (written, 0)


def test_later_models_do_not_share_part_of_a_message(provider: Any) -> None:
    """Two prompts that differ at the end of one message share nothing: a breakpoint is exact."""
    server = provider()
    server.ask(LONG + "one", model="gpt-6-luna")
    server.now += 5
    read, written = details(server.ask(LONG + "two", model="gpt-6-luna"))
    assert read == 0
    assert written > 1024


def test_explicit_mode_without_a_breakpoint_writes_nothing(provider: Any) -> None:
    """Bulk one-shot prompts can avoid the surcharge."""
    server = provider()
    options = {"mode": "explicit"}
    assert details(server.ask(LONG, model="gpt-6-luna", prompt_cache_options=options)) == (0, 0)


def test_an_explicit_breakpoint_shares_what_stands_before_it(provider: Any) -> None:
    """The shared part is written once and read by the next row, for 30 minutes or 12 hours."""
    for ttl, key, gap in (("30m", "ttl_30m_tokens", 1700), ("12h", "ttl_12h_tokens", 40_000)):
        server = provider()
        results = []
        for row in ("one", "two"):
            mark = {"mode": "explicit", "ttl": ttl}
            shared = {"type": "input_text", "text": LONG, "prompt_cache_breakpoint": mark}
            messages = [{"role": "user", "content": [shared]}, {"role": "user", "content": row}]
            asked = server.ask(messages, model="gpt-6-luna", prompt_cache_options={"mode": "explicit"})
            results.append(asked.json["usage"]["input_tokens_details"])
            server.now += gap
        written = results[0]["cache_write_tokens"]
        assert written > 1024
        assert results[0]["cache_write_tokens_details"][key] == written
        assert results[1]["cached_tokens"] == written
        assert results[1]["cache_write_tokens"] == 0


def test_another_effort_or_schema_is_another_prefix(provider: Any) -> None:
    """Everything documented as part of the prefix separates."""
    server = provider()
    server.ask(LONG)
    server.now += 5
    assert details(server.ask(LONG, reasoning={"effort": "low"}))[0] == 0
    assert details(server.ask(LONG, text={"verbosity": "low"}))[0] == 0
    assert details(server.ask(LONG, model="gpt-5.4-nano"))[0] == 0
    assert details(server.ask(LONG))[0] > 0


def test_a_prefix_is_there_once_its_writer_has_begun_to_answer(provider: Any) -> None:
    """Of two identical requests at the same moment both miss; one a little later hits."""
    server = provider(time_scale=1)
    assert details(server.ask(LONG))[0] == 0
    assert details(server.ask(LONG))[0] == 0
    server.now += 2
    assert details(server.ask(LONG))[0] > 0
