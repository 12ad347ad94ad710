"""Category, summary and next action: three calls a ticket, or one that answers in JSON.

What to look at: a third of the calls, one wait instead of three, the ticket sent once, and an answer that a program can
read. The schema is input too, and the keys are output: with tickets as short as these that can cost as much as it
saves, which is what the column of dollars is for.
With a real key: set OPENAI_API_KEY; compare the answers too: a model asked three things at once may do each a little
worse.
"""

import json
import os
from time import perf_counter

from tickets import TICKETS

from trivet.openai import OpenAI

MODEL = "gpt-5.4-mini"
DOLLARS_IN, DOLLARS_OUT = 0.75e-6, 4.50e-6  # a token, read and written
LABELS = ["billing", "technical", "account", "delivery", "general"]
STEPS = {
    "category": "Classify the support ticket as one of: " + ", ".join(LABELS) + ". Return only the label.",
    "summary": "Summarise the support ticket in one sentence of at most 12 words.",
    "next_action": "Recommend the next action for this support ticket in one sentence of at most 15 words.",
}
MERGED = "Triage the support ticket: category, summary and next action."
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

client = OpenAI(api_key=os.environ["OPENAI_API_KEY"])

print(f"{'steps':<13}{'calls':>6}{'tokens in':>11}{'tokens out':>12}{'dollars':>11}{'seconds':>9}")
found = {}
for how in ("three calls", "one call"):
    calls = tokens_in = tokens_out = 0
    rows = []
    began = perf_counter()
    for ticket in TICKETS[:5]:
        if how == "one call":
            asked = [client.responses.create(model=MODEL, input=f"{MERGED}\n\nTicket:\n{ticket}", text=FORMAT)]
            rows.append(json.loads(asked[0].output_text))
        else:
            asked = [
                client.responses.create(model=MODEL, input=f"{prompt}\n\nTicket:\n{ticket}")
                for prompt in STEPS.values()
            ]
            rows.append({key: response.output_text for key, response in zip(STEPS, asked, strict=True)})
        calls += len(asked)
        tokens_in += sum(response.usage.input_tokens for response in asked)
        tokens_out += sum(response.usage.output_tokens for response in asked)
    seconds = perf_counter() - began
    found[how] = rows
    dollars = tokens_in * DOLLARS_IN + tokens_out * DOLLARS_OUT
    print(f"{how:<13}{calls:>6}{tokens_in:>11}{tokens_out:>12}{dollars:>11.6f}{seconds:>9.2f}")

for row in found["one call"]:
    print(f"\n{row['category']}: {row['summary']}\n  -> {row['next_action']}")
