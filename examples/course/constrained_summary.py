"""A free-form against a constrained summary of five tickets.

What to look at: a bound in the prompt makes the answers short and alike; a cap (`max_output_tokens`) alone makes no
answer shorter, it cuts it off: look at `status`. Keep the cap above the bound, as a belt for the day the prompt fails.
With a real key: set OPENAI_API_KEY; free-form answers of a real model are longer still, and vary from run to run.
"""

import os
from time import perf_counter

from tickets import TICKETS

from trivet.openai import OpenAI

MODEL = "gpt-5.4-mini"
ASKS = {
    "free-form": ("Summarise this support ticket and describe in detail what the customer wants.", None),
    "cap alone": ("Summarise this support ticket and describe in detail what the customer wants.", 16),
    "constrained": ("Summarise this support ticket in one sentence of at most 12 words.", 40),
}

client = OpenAI(api_key=os.environ["OPENAI_API_KEY"])

print(f"{'summary':<13}{'tokens out':>11}{'words each':>12}{'cut off':>9}{'seconds':>9}")
first = {}
for name, (ask, cap) in ASKS.items():
    tokens_out = words = cut = 0
    began = perf_counter()
    for ticket in TICKETS[:5]:
        bound = {} if cap is None else {"max_output_tokens": cap}
        response = client.responses.create(model=MODEL, input=f"{ask}\n\nTicket:\n{ticket}", **bound)
        tokens_out += response.usage.output_tokens
        words += len(response.output_text.split())
        cut += response.status == "incomplete"
        first.setdefault(name, response.output_text)
    seconds = perf_counter() - began
    print(f"{name:<13}{tokens_out:>11}{words / 5:>12.1f}{cut:>9}{seconds:>9.2f}")

for name, text in first.items():
    print(f"\n{name}: {text}")
