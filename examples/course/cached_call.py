"""The same call made twice, and once more with another word.

What to look at: with `trivet.openai` the second answer is the first one, `id` and all, in no time and for nothing; with
`openai` it is generated and paid again. A request that differs by one word is another request.
With a real key: set OPENAI_API_KEY; the first call takes what the provider takes, the second still nothing.
"""

import os
from time import perf_counter

from tickets import TICKETS

from trivet.openai import OpenAI

client = OpenAI(api_key=os.environ["OPENAI_API_KEY"])

ASK = "Summarise this support ticket in one sentence of at most 12 words.\n\nTicket:\n"
CALLS = {
    "first": ASK + TICKETS[0],
    "the same again": ASK + TICKETS[0],
    "another word": ASK.replace("12", "10") + TICKETS[0],
}

seen: set[str] = set()
print(f"{'call':<16}{'seconds':>9}  {'answered':<11}{'text'}")
for name, prompt in CALLS.items():
    began = perf_counter()
    response = client.responses.create(model="gpt-5.4-mini", input=prompt)
    seconds = perf_counter() - began
    print(f"{name:<16}{seconds:>9.3f}  {'from cache' if response.id in seen else 'anew':<11}{response.output_text}")
    seen.add(response.id)
