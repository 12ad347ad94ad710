"""A verbose and a concise prompt over the same five tickets: tokens, time and money, measured.

What to look at: both prompts choose the same labels, but the verbose one is read, paid and waited for with every
ticket, and asks for reasons that nobody reads. Output tokens decide the time, and most of the money.
With a real key: set OPENAI_API_KEY; times are the provider's, the labels a real model's, and five calls a prompt are
too few to say that one is as good as the other.
"""

import os
from time import perf_counter

from tickets import TICKETS

from trivet.openai import OpenAI

MODEL = "gpt-5.4-mini"
DOLLARS_IN, DOLLARS_OUT = 0.75e-6, 4.50e-6  # a token, read and written
LABELS = ["billing", "technical", "account", "delivery", "general"]
PROMPTS = {
    "verbose": (
        "You are an expert assistant who works with a world-class customer support team. Please read the following "
        "support ticket very carefully, consider it from every angle, and decide which category it belongs to. "
        "It is very important that you choose exactly one of: " + ", ".join(LABELS) + ". Please explain your decision "
        "in detail, so that everybody on our team can follow how you came to it."
    ),
    "concise": "Classify the support ticket as one of: " + ", ".join(LABELS) + ". Return only the label.",
}

client = OpenAI(api_key=os.environ["OPENAI_API_KEY"])


def label_in(answer: str) -> str:
    """The label that the answer comes to: the one it names last."""
    return max(LABELS, key=answer.lower().rfind)


labels = {}
print(f"{'prompt':<10}{'tokens in':>10}{'tokens out':>12}{'dollars':>11}{'seconds':>9}")
for name, prompt in PROMPTS.items():
    tokens_in = tokens_out = 0
    labels[name] = []
    began = perf_counter()
    for ticket in TICKETS[:5]:
        response = client.responses.create(model=MODEL, input=f"{prompt}\n\nTicket:\n{ticket}")
        tokens_in += response.usage.input_tokens
        tokens_out += response.usage.output_tokens
        labels[name].append(label_in(response.output_text))
    seconds = perf_counter() - began
    dollars = tokens_in * DOLLARS_IN + tokens_out * DOLLARS_OUT
    print(f"{name:<10}{tokens_in:>10}{tokens_out:>12}{dollars:>11.6f}{seconds:>9.2f}")

print()
for ticket, verbose, concise in zip(TICKETS, labels["verbose"], labels["concise"], strict=False):
    print(f"{verbose:<11}{concise:<11}{ticket[:50]}")
