"""The same 80 tickets, so many at once, against an account that takes 50 requests a second.

By hand: threads that send as fast as they may, as most programs begin. Then the same with trivet, which is told
nothing.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import trivet

PROMPT = "Classify the ticket into one of: billing, bug, access. Return only the label.\n\nTicket: "
TICKETS = [f"Order {n}: I was charged {n % 7 + 2} times, please refund me." for n in range(80)]

# 3,000 requests a minute, of which no more than a second's worth at once; answers take a quarter of their usual time
ACCOUNT = trivet.sim.Scenario(rpm=3000, burst_s=1, time_scale=0.25)


def send(url: str, ticket: str) -> bool:
    """One request; whether it was answered. A refused one is given up, as by a program without retries."""
    body = json.dumps({"model": "gpt-5.4-mini", "input": PROMPT + ticket, "max_output_tokens": 16}).encode()
    headers = {"Content-Type": "application/json", "Authorization": "Bearer any"}
    try:
        urlopen(Request(f"{url}/responses", body, headers)).read()
    except HTTPError:
        return False
    return True


def by_hand(at_once: int) -> tuple[int, int, float]:
    """Rows answered, requests refused, seconds."""
    with trivet.sim.start(ACCOUNT) as account, ThreadPoolExecutor(at_once) as pool:
        began = time.perf_counter()
        answered = sum(pool.map(lambda ticket: send(account.url, ticket), TICKETS))
        return answered, len(TICKETS) - answered, time.perf_counter() - began


def with_trivet() -> tuple[int, int, float]:
    """The same, for a client that nobody has told any limit."""
    task = trivet.Task(PROMPT + "{{ text }}", params={"max_output_tokens": 16})
    with (
        trivet.sim.start(ACCOUNT) as account,
        trivet.Client(base_url=account.url, simulated=account.identity, cache=None) as client,
    ):
        summary = client.map(task, TICKETS, folder=None).summary
        return summary.ok, summary.calls.rate_limited, summary.wall_s


print(f"{'':20} {'answered':>8} {'refused':>8} {'time':>8} {'answered/s':>11}")
for name, (answered, refused, seconds) in {
    "by hand, 1 at once": by_hand(1),
    "by hand, 5 at once": by_hand(5),
    "by hand, 80 at once": by_hand(80),
    "trivet": with_trivet(),
}.items():
    print(f"{name:20} {answered:8} {refused:8} {seconds:6.1f} s {answered / seconds:11.1f}")
