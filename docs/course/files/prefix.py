"""The provider's own prompt cache: the same long guide before or behind the ticket, 20 tickets one after the other."""

import trivet

RULES = "\n".join(
    f"Rule {n}: a ticket about matter {n} that names order {n * 7} goes to desk {n % 9}." for n in range(80)
)
TICKETS = [f"I was charged {n + 2} times for order {n}, please refund me." for n in range(20)]
ASK = "Classify the ticket into one of: billing, bug, access. Return only the label."

ORDERS = {
    "guide first": f"{RULES}\n\n{ASK}\n\nTicket: {{{{ text }}}}",
    "ticket first": f"Ticket: {{{{ text }}}}\n\n{RULES}\n\n{ASK}",
}

for name, prompt in ORDERS.items():
    task = trivet.Task(prompt, params={"max_output_tokens": 16})
    with (
        trivet.sim.start(trivet.sim.Scenario(time_scale=0.1)) as provider,
        trivet.Client(
            base_url=provider.url, simulated=provider.identity, cache=None, limits=trivet.Limits(concurrency=1)
        ) as client,
    ):
        summary = client.map(task, TICKETS, folder=None).summary
    tokens = summary.tokens
    print(f"{name:13} {tokens.input:7,} tokens in, {tokens.cached_input:7,} of them cached, ${summary.cost_usd:.6f}")
