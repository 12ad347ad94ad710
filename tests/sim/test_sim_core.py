"""The provider as a whole: objects, usage, routes, faults, books, repetition, bounded memory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trivet import tokens
from trivet.sim.constants import STORED_COUNT
from trivet.sim.core import Core
from trivet.sim.scenario import Faults, Latency, Scenario

REQUIRED = (
    "id object created_at completed_at status incomplete_details model previous_response_id instructions output "
    "error tools tool_choice truncation parallel_tool_calls text top_p presence_penalty frequency_penalty "
    "top_logprobs temperature reasoning usage max_output_tokens max_tool_calls store background service_tier "
    "metadata safety_identifier prompt_cache_key user"
)
HEADERS = {"authorization": "Bearer any", "content-type": "application/json"}
LABEL = "Classify into one of: billing, other.\nReturn only the label.\n\nTicket:\n"


def test_every_documented_field_is_there(provider: Any) -> None:
    """Of both specifications."""
    whole = provider().ask("Hello", metadata={"k": "v"}, safety_identifier="s", max_output_tokens=99).json
    assert set(REQUIRED.split()) <= set(whole)
    assert whole["object"] == "response"
    assert whole["status"] == "completed"
    assert whole["metadata"] == {"k": "v"}
    assert whole["safety_identifier"] == "s"
    assert whole["max_output_tokens"] == 99
    assert whole["created_at"] <= whole["completed_at"]
    item = whole["output"][0]
    assert (item["type"], item["role"], item["status"], item["phase"]) == (
        "message",
        "assistant",
        "completed",
        "final_answer",
    )
    assert item["content"][0]["annotations"] == []
    assert item["content"][0]["logprobs"] == []


def test_usage_is_counted_with_the_vocabulary(provider: Any) -> None:
    """Input grows with the text's own tokens; output is the text's; the total is the sum."""
    server = provider()
    base = server.ask("a").json["usage"]["input_tokens"]
    text = "Ein längerer Text, 漢字 und 👩‍👩‍👧."
    asked = server.ask(text)
    usage = asked.json["usage"]
    assert usage["input_tokens"] - base == tokens.count(text) - tokens.count("a")
    assert usage["output_tokens"] == tokens.count(asked.text)
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    counted = server.post("/v1/responses/input_tokens", {"model": "gpt-5.4-mini", "input": text}).json
    assert counted == {"object": "response.input_tokens", "input_tokens": usage["input_tokens"]}


def test_reasoning_is_billed_where_the_default_effort_has_it(provider: Any) -> None:
    """Luna reasons unless told not to; mini does not unless told to."""
    server = provider()

    def reasoning(model: str, **fields: Any) -> int:
        usage = server.ask(LABEL + "x", model=model, **fields).json["usage"]
        return usage["output_tokens_details"]["reasoning_tokens"]

    assert reasoning("gpt-5.4-mini") == 0
    assert reasoning("gpt-6-luna") > 0
    assert reasoning("gpt-6-luna", reasoning={"effort": "none"}) == 0
    assert reasoning("gpt-5.4-mini", reasoning={"effort": "low"}) > 0
    whole = server.ask(LABEL + "x", model="gpt-6-luna").json
    assert [item["type"] for item in whole["output"]] == ["reasoning", "message"]
    assert whole["reasoning"]["effort"] == "medium"


@pytest.mark.parametrize("cap", [1, 3, 7])
def test_the_cap_cuts_the_text_at_that_token(provider: Any, cap: int) -> None:
    """Status incomplete, reason max_output_tokens, and not a token more billed."""
    server = provider()
    full = server.ask("Tell me about refunds").text
    asked = server.ask("Tell me about refunds", max_output_tokens=cap)
    assert asked.json["status"] == "incomplete"
    assert asked.json["incomplete_details"] == {"reason": "max_output_tokens"}
    assert asked.json["completed_at"] is None
    assert asked.text == tokens.cut(full, cap)
    assert asked.json["usage"]["output_tokens"] == cap


def test_reasoning_can_use_up_the_whole_cap(provider: Any) -> None:
    """Then there is no visible text at all."""
    whole = provider().ask("Hi", model="gpt-6-luna", max_output_tokens=16).json
    assert whole["status"] == "incomplete"
    assert [item["type"] for item in whole["output"]] == ["reasoning"]
    assert whole["usage"]["output_tokens_details"]["reasoning_tokens"] == 16


def test_an_overflowing_input_is_refused_or_dropped(provider: Any) -> None:
    """As documented; with truncation auto the start is dropped and the window billed."""
    server = provider()
    text = "word " * 130_000
    asked = server.ask(text, model="gpt-4o-mini")
    assert (asked.status, asked.error["code"], asked.error["param"]) == (400, "context_length_exceeded", "input")
    asked = server.ask(text, model="gpt-4o-mini", truncation="auto")
    assert asked.json["usage"]["input_tokens"] == 128_000


def test_the_same_run_repeats_whatever_the_order(provider: Any) -> None:
    """Answers, tokens, faults and durations depend on the body and its attempt alone."""
    bodies = [f"{LABEL}ticket {n} about refunds" for n in range(40)] * 3
    knobs = {"noise": 0.3, "seed": 5, "time_scale": 1, "faults": Faults(server_error=0.2, refusal=0.2)}

    def run(order: list[str]) -> dict[str, list[tuple[int, bytes, float]]]:
        server = provider(**knobs)
        seen: dict[str, list[tuple[int, bytes, float]]] = {}
        for body in order:
            asked = server.ask(body)
            seen.setdefault(body, []).append((asked.status, asked.raw, asked.at))
        return seen

    assert run(bodies) == run(bodies[::-1])
    assert run(bodies) != {}
    assert provider(**{**knobs, "seed": 6}).ask(bodies[0]).raw != provider(**knobs).ask(bodies[0]).raw


def test_longer_answers_take_longer(provider: Any) -> None:
    """At a spread of 0 the latency is the TTFT plus the tokens over the rate."""
    server = provider(time_scale=1, latency=Latency(ttft=0.5, tokens_per_s=100, spread=0))
    asked = server.ask("Tell me about refunds")
    count = asked.json["usage"]["output_tokens"]
    assert asked.at == pytest.approx(0.5 + count / 100)
    reasoned = server.ask("Tell me about refunds", model="gpt-6-luna")
    assert reasoned.at == pytest.approx(0.5 + reasoned.json["usage"]["output_tokens"] / 100)
    assert provider(time_scale=0).ask("x").at == 0
    assert server.ask("Tell me about refunds", service_tier="fast").at < asked.at
    assert server.ask("Tell me about refunds", service_tier="flex").at > asked.at


FAULTS: dict[str, Any] = {
    "rate_limit": (429, "rate_limit_exceeded"),
    "slow_down": (429, "slow_down"),
    "server_error": (500, "server_error"),
    "overloaded": (503, "server_is_overloaded"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_error_faults_have_the_documented_status_and_code(provider: Any, name: str) -> None:
    """And bill nothing."""
    server = provider(faults=Faults(**{name: 1.0}))
    asked = server.ask()
    assert (asked.status, asked.error["code"]) == FAULTS[name]
    assert server.core.books.statement().billed == {}
    assert server.core.books.statement().faults == {name: 1}


def test_quota_faults_take_all_four_codes(provider: Any) -> None:
    """Without a time to come back."""
    server = provider(faults=Faults(quota=1.0))
    asked = [server.ask(f"{n}") for n in range(60)]
    assert {one.error["type"] for one in asked} == {"insufficient_quota"}
    assert len({one.error["code"] for one in asked}) == 4
    assert not any("retry-after" in one.headers for one in asked)


def test_flex_is_unavailable_to_flex_alone(provider: Any) -> None:
    """A 429 Resource Unavailable; the default tier does not see it."""
    server = provider(faults=Faults(flex_unavailable=1.0))
    assert server.ask().status == 200
    refused = server.ask(service_tier="flex")
    assert (refused.status, refused.error["message"]) == (429, "Resource Unavailable")


def test_faults_of_the_answer_are_bodies_with_status_200(provider: Any) -> None:
    """Each in its documented shape, and billed but for the failed one."""
    empty = provider(faults=Faults(empty_text=1.0)).ask()
    assert (empty.json["status"], empty.text) == ("completed", "")
    refused = provider(faults=Faults(refusal=1.0)).ask()
    part = refused.json["output"][0]["content"][0]
    assert part["type"] == "refusal"
    assert part["refusal"]
    filtered = provider(faults=Faults(content_filter=1.0)).ask()
    assert filtered.json["incomplete_details"] == {"reason": "content_filter"}
    truncated = provider(faults=Faults(truncated=1.0)).ask("Tell me about refunds")
    assert truncated.json["incomplete_details"] == {"reason": "max_output_tokens"}
    failed = provider(faults=Faults(failed=1.0))
    assert failed.ask().json["status"] == "failed"
    assert failed.ask().json["error"]["code"] == "server_error"
    assert failed.core.books.statement().billed == {}


def test_faults_of_the_wire_break_the_reply(provider: Any) -> None:
    """Resets, silence, cuts, pages of HTML, broken JSON, nothing."""

    def one(name: str) -> Any:
        return provider(faults=Faults(**{name: 1.0}), time_scale=1).ask("Tell me about refunds")

    assert (one("reset").exchange.end, one("reset").raw) == ("reset", b"")
    assert (one("hang").exchange.end, one("hang").raw) == ("hang", b"")
    cut = one("cut")
    assert cut.exchange.end in ("reset", "fin")
    assert 0 < len(cut.raw) < cut.exchange.length
    assert (one("bad_gateway").status, one("html").status) == (502, 200)
    assert one("html").raw.startswith(b"<html>")
    assert one("html").headers["content-type"].startswith("text/html")
    malformed = one("malformed")
    assert malformed.exchange.length == len(malformed.raw)
    with pytest.raises(json.JSONDecodeError):
        json.loads(malformed.raw)
    assert (one("empty_body").status, one("empty_body").raw) == (200, b"")
    slow = one("slow")
    assert slow.json["status"] == "completed"
    assert slow.at > 20
    assert len(slow.chunks) > 50


def test_faults_come_at_the_rates_given(provider: Any) -> None:
    """Over many bodies, within chance."""
    server = provider(faults=Faults(server_error=0.1, refusal=0.2))
    for n in range(2000):
        server.ask(f"{n}")
    seen = server.core.books.statement().faults
    assert 150 < seen["server_error"] < 250
    assert 330 < seen["refusal"] < 470


def test_a_retry_draws_anew(provider: Any) -> None:
    """The same body fails now and succeeds later."""
    server = provider(faults=Faults(overloaded=0.5))
    assert {server.ask("same").status for _ in range(20)} == {200, 503}


def test_the_books_are_the_sum_of_the_usages(provider: Any) -> None:
    """By model and tier, caches included; refusals counted by code."""
    server = provider(tpm=10_000_000)
    total = {"input": 0, "output": 0, "reasoning": 0}
    for n in range(20):
        usage = server.ask(f"Tell me about refunds {n}", model="gpt-6-luna", service_tier="flex").json["usage"]
        total["input"] += usage["input_tokens"]
        total["output"] += usage["output_tokens"]
        total["reasoning"] += usage["output_tokens_details"]["reasoning_tokens"]
    server.ask(nonsense=1)
    books = server.get("/v1/trivet/books").json
    line = books["billed"]["gpt-6-luna/flex"]
    assert {name: line[name] for name in total} == total
    assert line["requests"] == 20
    assert books["refused"] == {"unknown_parameter": 1}
    assert (books["requests"], books["in_flight"], books["max_in_flight"]) == (21, 0, 1)


def test_limits_stand_in_every_reply_and_count_the_unsuccessful(provider: Any) -> None:
    """Successes, malformed requests and faults all use up a request."""
    server = provider(tier=1, faults=Faults(server_error=0.5))
    replies = [server.ask(f"{n}") for n in range(20)] + [server.ask(nonsense=1)]
    remaining = [int(reply.headers["x-ratelimit-remaining-requests"]) for reply in replies]
    assert {reply.status for reply in replies} == {200, 500, 400}
    assert remaining == list(range(499, 478, -1))
    assert all(reply.headers["x-trivet-simulated"] == server.core.scenario.identity() for reply in replies)


def test_stored_responses_are_kept_and_deleted(provider: Any) -> None:
    """Unless store is false."""
    server = provider()
    whole = server.ask("x").json
    path = f"/v1/responses/{whole['id']}"
    assert server.get(path).json == whole
    assert server.get(path, "DELETE").json == {"id": whole["id"], "object": "response", "deleted": True}
    assert server.get(path).status == 404
    unkept = server.ask("x", store=False).json["id"]
    assert server.get(f"/v1/responses/{unkept}").status == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models", 200),
        ("GET", "/models", 200),
        ("GET", "/v1/models/gpt-5.4-mini", 200),
        ("GET", "/v1/models/gpt-9", 404),
        ("GET", "/v1/responses", 405),
        ("PUT", "/v1/responses", 405),
        ("DELETE", "/v1/models", 405),
        ("POST", "/v1/chat/completions", 404),
        ("GET", "/", 404),
        ("GET", "/v1/", 404),
        ("HEAD", "/v1/models", 200),
        ("OPTIONS", "/v1/responses", 200),
        ("GET", "/v1/responses/../../etc", 404),
        ("GET", "/v1/responses/" + "x" * 5000, 404),
    ],
)
def test_paths_and_methods_have_the_statuses_of_the_api(provider: Any, method: str, path: str, status: int) -> None:
    """Errors are JSON with the four fields."""
    asked = provider().get(path, method)
    assert asked.status == status
    if status >= 400:
        assert set(asked.error) == {"message", "type", "param", "code"}


def test_a_key_and_a_json_body_are_asked_for() -> None:
    """401 without the header or an empty key, 400 for another content type; any key will do."""
    core = Core(Scenario(time_scale=0))
    body = b'{"model":"gpt-5.4-mini","input":"x"}'

    def status(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return core.handle("POST", "/v1/responses", named, body, 0.0).status

    kind = "application/json; charset=utf-8"
    assert status(content_type=kind) == 401
    assert status(content_type=kind, authorization="Bearer ") == 401
    assert status(content_type=kind, authorization="Basic abc") == 401
    assert status(content_type="text/plain", authorization="Bearer k") == 400
    assert status(authorization="Bearer k") == 400
    assert status(content_type=kind, authorization="Bearer k") == 200


def test_memory_stays_bounded_over_many_requests() -> None:
    """Stored responses are forgotten, the oldest first."""
    core = Core(Scenario(time_scale=0))
    first = ""
    for n in range(STORED_COUNT.value + 10):
        exchange = core.handle("POST", "/v1/responses", HEADERS, b'{"model":"gpt-5.4-mini","input":"%d"}' % n, 0.0)
        first = first or json.loads(next(iter(exchange.chunks))[1])["id"]
    assert core.handle("GET", f"/v1/responses/{first}", HEADERS, b"", 0.0).status == 404
    assert len(core._stored._bodies) <= STORED_COUNT.value


def test_the_null_provider_answers_anything_at_once() -> None:
    """A fixed valid body, or a fixed stream; the tokenizer is not needed."""
    core = Core(Scenario(null=True))
    for body in (b"", b"garbage", b'{"model":"x"}'):
        exchange = core.handle("POST", "/v1/responses", {}, body, 0.0)
        ((at, data),) = exchange.chunks
        assert at == 0
        assert json.loads(data)["status"] == "completed"
    ((_, stream),) = core.handle("POST", "/v1/responses", {}, b'{"stream": true}', 0.0).chunks
    assert b"response.completed" in stream
