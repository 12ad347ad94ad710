"""A provider on a bad day: resets, errors, broken JSON, empty, cut and refused answers.

Every row ends as a result or as a reason; what a second try can mend is tried again, and nothing else.
"""

from collections import Counter

import trivet

BAD_DAY = trivet.sim.Scenario(
    time_scale=0.1,
    faults=trivet.sim.Faults(
        reset=0.05, server_error=0.05, malformed=0.05, empty_text=0.05, refusal=0.05, truncated=0.05
    ),
)
TICKETS = [f"Ticket {n}: I was charged {n % 7 + 2} times for order {n}, please refund me." for n in range(100)]

task = trivet.Task(
    "Classify the ticket, and summarise it in one sentence.\n\nTicket: {{ text }}",
    output={
        "type": "object",
        "additionalProperties": False,
        "required": ["category", "summary"],
        "properties": {"category": {"enum": ["billing", "bug", "access"]}, "summary": {"type": "string"}},
    },
    params={"max_output_tokens": 200},
)

with (
    trivet.sim.start(BAD_DAY) as provider,
    trivet.Client(base_url=provider.url, simulated=provider.identity, cache=None) as client,
):
    run = client.map(task, TICKETS, folder=None)
    results = list(run)
    again = [TICKETS[result.n] for result in results if not result.ok]
    second = list(client.map(task, again, folder=None)) if again else []

summary = run.summary
print(f"rows       {summary.rows}, of which {summary.ok} have a result and {summary.failed} a reason")
print(f"attempts   {summary.calls.attempts}, of which {summary.calls.retries} retries")
print("reasons    " + ", ".join(f"{code} {n}" for code, n in sorted(summary.failures.items())))
print(f"cost       ${summary.cost_usd:.6f}, possibly billed besides: {summary.possibly_billed} attempts")
print(f"again      {len(again)} failed rows, of which {sum(result.ok for result in second)} have a result now")
print("fields     " + ", ".join(sorted(Counter(key for r in results if r.ok for key in r.output))))
