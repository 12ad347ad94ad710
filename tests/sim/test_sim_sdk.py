"""The official SDK works against the simulator as against the provider, blocking and asynchronous."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest

from trivet import sim
from trivet.sim.scenario import Faults, Scenario

openai = pytest.importorskip("openai")
pydantic = pytest.importorskip("pydantic")

MODEL = "gpt-5.4-mini"
ASK = "Classify into one of: billing, technical_support.\nReturn only the label.\n\nTicket:\nI was charged twice"


class Triage(pydantic.BaseModel):
    """What a ticket becomes."""

    category: Literal["billing", "technical_support"]
    summary: str
    next_action: str
    urgency: int = pydantic.Field(ge=1, le=5)
    tags: list[str]


@pytest.fixture
def client(server: sim.Simulator) -> Iterator[Any]:
    with openai.OpenAI(base_url=server.url, api_key="any", max_retries=0) as made:
        yield made


def test_create_returns_the_answer_and_its_usage(client: Any) -> None:
    """With every detail object that clients index."""
    reply = client.responses.create(model=MODEL, input=ASK, max_output_tokens=16)
    assert reply.output_text == "billing"
    assert reply.usage.input_tokens_details.cached_tokens == 0
    assert reply.usage.input_tokens_details.cache_write_tokens == 0
    assert reply.usage.output_tokens_details.reasoning_tokens == 0
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens
    assert reply._request_id.startswith("req_")


def test_a_stream_yields_typed_events(client: Any) -> None:
    """From created to completed."""
    events = list(client.responses.create(model=MODEL, input=ASK, stream=True))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "billing"
    assert events[-1].response.usage.output_tokens >= 1


def test_the_stream_helper_gives_the_final_response(client: Any) -> None:
    """It insists on the order of events and a constant id."""
    with client.responses.stream(model=MODEL, input=ASK) as stream:
        seen = [event.type for event in stream]
        final = stream.get_final_response()
    assert final.output_text == "billing"
    assert "response.output_text.delta" in seen


def test_parse_returns_a_model(client: Any) -> None:
    """The schema that the SDK sends is accepted as strict, and the document fits it."""
    parsed = client.responses.parse(model=MODEL, input="Triage this.\n\nTicket: charged twice", text_format=Triage)
    assert isinstance(parsed.output_parsed, Triage)
    assert parsed.output_parsed.category == "billing"
    with client.responses.stream(model=MODEL, input="Ticket: charged twice", text_format=Triage) as stream:
        assert isinstance(stream.get_final_response().output_parsed, Triage)


def test_tokens_are_counted_and_responses_fetched(client: Any) -> None:
    """The sub-endpoints and the models."""
    counted = client.responses.input_tokens.count(model=MODEL, input=ASK)
    reply = client.responses.create(model=MODEL, input=ASK)
    assert counted.input_tokens == reply.usage.input_tokens
    assert client.responses.retrieve(reply.id).output_text == "billing"
    client.responses.delete(reply.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(reply.id)
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve(MODEL).id == MODEL


def test_raw_responses_show_the_headers(client: Any) -> None:
    """And that the provider is simulated."""
    raw = client.responses.with_raw_response.create(model=MODEL, input=ASK)
    assert "seed=0" in raw.headers["x-trivet-simulated"]
    assert int(raw.headers["openai-processing-ms"]) >= 1
    assert raw.parse().output_text == "billing"


def test_errors_are_the_sdk_s_own_classes(client: Any) -> None:
    """By status, with code and param."""
    with pytest.raises(openai.BadRequestError) as bad:
        client.responses.create(model=MODEL, input=ASK, reasoning={"effort": "minimal"})
    assert (bad.value.code, bad.value.param) == ("unsupported_value", "reasoning.effort")
    with pytest.raises(openai.NotFoundError) as missing:
        client.responses.create(model="gpt-9", input=ASK)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=MODEL, input=ASK, extra_body={"nonsense": 1})


def test_limits_and_faults_reach_the_sdk_as_its_errors() -> None:
    """429 with its type, 5xx, and the connection error of a reset."""
    with sim.start(Scenario(time_scale=0, rpm=60, burst_s=1)) as server:
        limited = openai.OpenAI(base_url=server.url, api_key="any", max_retries=0)
        limited.responses.create(model=MODEL, input="a")
        with pytest.raises(openai.RateLimitError) as refused:
            for _ in range(5):
                limited.responses.create(model=MODEL, input="a")
        assert refused.value.type == "requests"
        assert refused.value.response.headers["retry-after"] == "1"
        limited.close()
    shares = Faults(server_error=0.25, overloaded=0.25, reset=0.25, html=0.25)
    with sim.start(Scenario(time_scale=0, faults=shares)) as server:
        broken = openai.OpenAI(base_url=server.url, api_key="any", max_retries=0)
        seen = set()
        for n in range(40):
            try:
                seen.add(type(broken.responses.create(model=MODEL, input=f"{n}")).__name__)
            except openai.OpenAIError as error:
                seen.add(type(error).__name__)
        broken.close()
        assert seen == {"InternalServerError", "APIConnectionError", "str"}
        assert server.books()["faults"].keys() == {"server_error", "overloaded", "reset", "html"}


async def test_the_asynchronous_client_works_the_same(server: sim.Simulator) -> None:
    """Create, stream, parse."""
    async with openai.AsyncOpenAI(base_url=server.url, api_key="any", max_retries=0) as client:
        reply = await client.responses.create(model=MODEL, input=[{"role": "user", "content": ASK}])
        assert reply.output_text == "billing"
        text = ""
        async for event in await client.responses.create(model="gpt-6-luna", input=ASK, stream=True):
            text += event.delta if event.type == "response.output_text.delta" else ""
        assert text == "billing"
        async with client.responses.stream(model=MODEL, input=ASK) as stream:
            assert (await stream.get_final_response()).output_text == "billing"
        parsed = await client.responses.parse(model=MODEL, input="Ticket: crash", text_format=Triage)
        assert parsed.output_parsed is not None
