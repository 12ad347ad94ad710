"""The homework: a triage of five tickets, baseline against optimised, and which is the more cost-efficient.

The baseline sends a wordy prompt for each of three steps, one call after the other. The optimised one asks once, in few
words, for a bounded JSON answer, several tickets at a time. Stretch goal: total runtime, length of the output, dollars,
and whether the labels agree.
What to look at: most of the time goes with the waiting side by side, most of the money with the words not written.
With a real key: set OPENAI_API_KEY. Then label a hundred tickets by hand before you believe that the short prompt is as
good: `trivet compare` says how many it takes.
"""

import asyncio
import json
import os
from time import perf_counter

from tickets import TICKETS as ALL

from trivet.openai import AsyncOpenAI

TICKETS = ALL[:5]
MODEL = "gpt-5.4-mini"
DOLLARS_IN, DOLLARS_OUT = 0.75e-6, 4.50e-6  # a token, read and written
LABELS = ["billing", "technical", "account", "delivery", "general"]
WORDY = "You are an expert assistant of a world-class support team. Please read the following ticket very carefully. "
BASELINE = {
    "category": WORDY
    + "Decide which of the categories "
    + ", ".join(LABELS)
    + " fits best, and explain why in detail.",
    "summary": WORDY + "Write a thorough and detailed summary of everything that the customer tells us.",
    "next_action": WORDY + "Recommend the next action that our team should take, and explain it in detail.",
}
OPTIMISED = "Triage the support ticket: category, summary and next action."
SCHEMA = {
    "type": "object",
    "properties": {
        "category": {"type": "string", "enum": LABELS},
        "summary": {"type": "string", "description": "one sentence of at most 12 words"},
        "next_action": {"type": "string", "description": "one sentence of at most 15 words"},
    },
    "required": ["category", "summary", "next_action"],
    "additionalProperties": False,
}
FORMAT = {"format": {"type": "json_schema", "name": "triage", "schema": SCHEMA, "strict": True}}


async def baseline(client, ticket):
    """Three calls, three long answers."""
    responses = [
        await client.responses.create(model=MODEL, input=f"{prompt}\n\nTicket:\n{ticket}")
        for prompt in BASELINE.values()
    ]
    answer = responses[0].output_text.lower()
    return max(LABELS, key=answer.rfind), responses


async def optimised(client, ticket):
    """One call, one short answer; a broken one is a row to look at, not the end of the run."""
    response = await client.responses.create(
        model=MODEL, input=f"{OPTIMISED}\n\nTicket:\n{ticket}", text=FORMAT, max_output_tokens=120
    )
    try:
        return json.loads(response.output_text)["category"], [response]
    except (json.JSONDecodeError, KeyError):
        return "(no answer)", [response]


async def measure(client, triage, at_once):
    """Labels in order, and what they took."""
    places = asyncio.Semaphore(at_once)

    async def one(ticket):
        async with places:
            return await triage(client, ticket)

    began = perf_counter()
    done = await asyncio.gather(*(one(ticket) for ticket in TICKETS))
    seconds = perf_counter() - began
    responses = [response for _, asked in done for response in asked]
    tokens_in = sum(response.usage.input_tokens for response in responses)
    tokens_out = sum(response.usage.output_tokens for response in responses)
    return {
        "labels": [label for label, _ in done],
        "calls": len(responses),
        "tokens in": tokens_in,
        "tokens out": tokens_out,
        "characters": sum(len(response.output_text) for response in responses),
        "dollars": tokens_in * DOLLARS_IN + tokens_out * DOLLARS_OUT,
        "seconds": seconds,
    }


async def main():
    """Both, and what comes of the comparison."""
    async with AsyncOpenAI(api_key=os.environ["OPENAI_API_KEY"]) as client:
        first = await measure(client, baseline, 1)
        second = await measure(client, optimised, 5)

    print(f"{'':<22}{'baseline':>12}{'optimised':>12}{'ratio':>8}")
    for name, form in (("calls", "d"), ("tokens in", "d"), ("tokens out", "d"), ("characters", "d"),
                       ("dollars", ".6f"), ("seconds", ".2f")):  # fmt: skip
        ratio = second[name] / first[name]
        print(f"{name:<22}{first[name]:>12{form}}{second[name]:>12{form}}{ratio:>8.2f}")
    per_dollar = [len(TICKETS) / way["dollars"] for way in (first, second)]
    print(
        f"{'tickets for a dollar':<22}{per_dollar[0]:>12.0f}{per_dollar[1]:>12.0f}{per_dollar[1] / per_dollar[0]:>8.2f}"
    )

    agreed = sum(a == b for a, b in zip(first["labels"], second["labels"], strict=True))
    print(f"\nlabels that agree: {agreed} of {len(TICKETS)}")
    winner = "optimised" if second["dollars"] < first["dollars"] else "baseline"
    print(f"more cost-efficient: {winner}; whether it is as good, {len(TICKETS)} tickets can't tell")
    for label, ticket in zip(second["labels"], TICKETS, strict=True):
        print(f"{label:<11}{ticket[:60]}")


asyncio.run(main())
