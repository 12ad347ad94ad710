"""Five tickets one after the other, and all at once with `asyncio`.

What to look at: the total is the sum of the calls in the first case, and the slowest call in the second; no single call
is faster. With hundreds of tickets the provider's limits decide: see the page on concurrency.
With a real key: set OPENAI_API_KEY; an account of the lowest tier refuses sooner, and `trivet.openai` then waits.
"""

import asyncio
import os
from time import perf_counter

from tickets import TICKETS

from trivet.openai import AsyncOpenAI

PROMPT = "Classify the support ticket as one of: billing, technical, account, delivery, general. Return only the label."


async def label(client: AsyncOpenAI, ticket: str) -> tuple[str, float]:
    """The label, and how long it took."""
    began = perf_counter()
    response = await client.responses.create(model="gpt-5.4-mini", input=f"{PROMPT}\n\nTicket:\n{ticket}")
    return response.output_text, perf_counter() - began


async def main() -> None:
    """Both ways, on different tickets, so that no answer can come out of a cache."""
    async with AsyncOpenAI(api_key=os.environ["OPENAI_API_KEY"]) as client:
        await client.models.list()  # the connection is there before the clock runs
        began = perf_counter()
        one_by_one = [await label(client, ticket) for ticket in TICKETS[:5]]
        first = perf_counter() - began
        began = perf_counter()
        at_once = await asyncio.gather(*(label(client, ticket) for ticket in TICKETS[5:]))
        second = perf_counter() - began

    print(f"{'how':<13}{'total s':>9}{'sum of calls s':>16}{'slowest s':>11}  labels")
    for how, total, done in (("one by one", first, one_by_one), ("all at once", second, at_once)):
        times = [seconds for _, seconds in done]
        labels = ", ".join(name for name, _ in done)
        print(f"{how:<13}{total:>9.2f}{sum(times):>16.2f}{max(times):>11.2f}  {labels}")


asyncio.run(main())
