"""What the linter found, as data and as people read it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec import Struct

from trivet.wording import dollars, one_line


class Finding(Struct, frozen=True, kw_only=True):
    """A waste: what it is, its line in `where` (of the file, where known), the tokens it takes.

    `tokens`: exact, of the text in question; 0 where the waste is not in the prompt's own text. `fix`: what
    the mechanical edit leaves of `text`, "" for nothing, None where there is no such edit.
    """

    code: str
    line: int | None
    tokens: int
    message: str
    where: str = "prompt"
    text: str = ""
    fix: str | None = None


class Lint(Struct, frozen=True, kw_only=True):
    """The findings, and the shorter prompt that the mechanical ones give.

    `tokens_before`, `tokens_after`: of the constant part of prompt and instructions, in o200k_base. `prompt`
    and `instructions`: the shorter ones, None for instructions where there are none. `usd_per_million_calls`:
    what the saved tokens cost as uncached input at the standard price of `model`, in force since
    `price_since`; None where that is not known. `compare`: the command that would prove it, None where there
    is nothing to prove or no task to prove it on.
    """

    name: str
    tokens_before: int
    tokens_after: int
    findings: tuple[Finding, ...]
    prompt: str
    instructions: str | None = None
    diff: str = ""
    saved_per_call: int = 0
    saved_per_million_calls: int = 0
    model: str | None = None
    usd_per_million_calls: Decimal | None = None
    price_since: date | None = None
    compare: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether there is a shorter prompt."""
        return self.tokens_after < self.tokens_before

    def __str__(self) -> str:
        return "\n".join(lines(self))


def lines(lint: Lint) -> list[str]:
    """The result as people read it."""
    shown = [_finding(lint.name, each) for each in lint.findings] or [f"{lint.name}: nothing to find fault with"]
    shown += [f"note: {note}" for note in lint.notes]
    if not lint.changed:
        return [*shown, "", f"{lint.tokens_before:,} constant tokens a call; no mechanical edit makes it shorter"]
    percent = 100 * lint.saved_per_call / lint.tokens_before
    saved = (
        f"saves {lint.saved_per_call:,} tokens a call ({percent:.0f} %), {lint.saved_per_million_calls:,} "
        f"per million calls"
    )
    if lint.usd_per_million_calls is not None:
        saved += (
            f": {dollars(lint.usd_per_million_calls)} as uncached input of {lint.model} (price of {lint.price_since})"
        )
    shown += [
        "",
        lint.diff.rstrip("\n"),
        "",
        f"{lint.tokens_before:,} -> {lint.tokens_after:,} constant tokens; {saved}",
    ]
    shown.append("A changed prompt can change the answers: nothing was applied, and nothing is proven yet.")
    if lint.compare:
        shown.append(f"Prove it: {lint.compare}")
    return shown


def _finding(name: str, found: Finding) -> str:
    place = f"{name}:{found.line}" if found.line else name
    tokens = f" ({found.tokens:,} tokens)" if found.tokens else ""
    text = f': "{one_line(found.text, 90)}"' if found.text else ""
    arrow = f' -> "{one_line(found.fix, 60)}"' if found.fix else ""
    return f"{place}: {found.code}{tokens}: {found.message}{text}{arrow}"
