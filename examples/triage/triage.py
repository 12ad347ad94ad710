"""Support tickets in, categories out, in Python.

python examples/triage/triage.py          with OPENAI_API_KEY set: the provider
python examples/triage/triage.py --sim    the built-in simulated provider, no key needed
"""

import sys
from contextlib import ExitStack
from pathlib import Path

import trivet

TICKETS = Path(__file__).with_name("tickets.jsonl")

triage = trivet.Task(
    "Classify the support ticket into one of: {{ labels | join(', ') }}.\n"
    "Return only the label.\n\nTicket:\n{{ ticket }}",
    output=trivet.Labels("billing", "technical_support", "account_access", "general_inquiry"),
    params={"max_output_tokens": 16},
    normalise=True,
)

with ExitStack() as stack:
    server = {}
    if "--sim" in sys.argv:
        simulator = stack.enter_context(trivet.sim.start())
        server = {"base_url": simulator.url, "simulated": simulator.identity}
    client = stack.enter_context(trivet.Client(**server))

    run = client.map(triage, TICKETS, id="id", folder=None)
    for result in run:
        print(result.id, result.output or result.error)
    print(run.summary)
