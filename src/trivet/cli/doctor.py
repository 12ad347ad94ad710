"""`trivet doctor`: which documented behaviours a server and a key really show."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from decimal import Decimal

from trivet.cli.connect import server
from trivet.cli.options import CallOptions
from trivet.cli.show import document, note, say
from trivet.client.doctor import WORST_INPUT_TOKENS, WORST_OUTPUT_TOKENS, Doctor, Finding
from trivet.client.today import today
from trivet.errors import SettingsError
from trivet.prices.book import standard_book
from trivet.settings import Endpoint, duration, endpoint, proxies
from trivet.tasks.plan import DEFAULT_MODEL
from trivet.transport.open import open_transport
from trivet.types import Usage
from trivet.wording import dollars, one_line

_MARKS = {"yes": "yes", "no": "NO", "differs": "differs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorOptions:
    """Which server, which model."""

    model: str | None
    sim: bool
    base_url: str | None
    timeout: str | None
    yes: bool
    as_json: bool


def execute(options: DoctorOptions) -> int:
    """Ask, examine, tell."""
    model = options.model or DEFAULT_MODEL
    with server(CallOptions(sim=options.sim, base_url=options.base_url)) as where:
        target = endpoint(**where)
        _ask(options, target, model)
        findings = asyncio.run(_examine(options, target, model))
    if options.as_json:
        document({"server": target.host, "simulated": options.sim, "model": model, "findings": findings})
    else:
        shown = sum(finding.shown == "yes" for finding in findings)
        who = "the simulated provider" if options.sim else target.host
        say(f"{shown} of {len(findings)} documented behaviours shown by {who}.")
    return 0


def _ask(options: DoctorOptions, target: Endpoint, model: str) -> None:
    if options.sim or options.yes:
        return
    most = standard_book().cost(
        Usage(input=WORST_INPUT_TOKENS, output=WORST_OUTPUT_TOKENS), model=model, tier=None, day=today()
    )
    price = f"{dollars(most)} at most" if most is not None else "of unknown price"
    question = f"This makes 15 small calls of {model!r} to {target.host}, {price}."
    if most is not None and most > Decimal("0.01"):
        question += " That is more than a cent: a smaller --model shows the same."
    if options.as_json or not sys.stdin.isatty():
        raise SettingsError(f"{question} Say --yes to go on.")
    note(question)
    sys.stderr.write("Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise SettingsError("nothing was called")


async def _examine(options: DoctorOptions, target: Endpoint, model: str) -> list[Finding]:
    transport = open_transport(proxies())

    def tell(finding: Finding) -> None:
        if not options.as_json:
            say(f"{_MARKS[finding.shown]:8} {finding.behaviour:45} {one_line(finding.detail, 100)}")

    try:
        return await Doctor(transport, target, model, duration(options.timeout or "30s")).examine(tell)
    finally:
        await transport.close()
