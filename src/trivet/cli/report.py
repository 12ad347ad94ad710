"""`trivet report`: saved runs and comparisons as one page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from trivet.cli.show import document, say
from trivet.errors import RunError
from trivet.reporting.report import check, gather, write
from trivet.reporting.table import write_csv
from trivet.wording import SIMULATED


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """Everything `trivet report` was told."""

    what: tuple[Path, ...]
    out: Path
    csv: Path | None
    with_text: bool
    as_json: bool

    def __post_init__(self) -> None:
        if self.csv is not None and self.csv.resolve() == self.out.resolve():
            raise RunError(f"the page and the table can't both be {self.out}: choose another name for one of them")


def execute(options: ReportOptions) -> int:
    """Draw; 0 when the page is written."""
    check(options.out)
    figures = gather(options.what, with_text=options.with_text)
    if options.csv is not None:
        write_csv(options.what, options.csv, with_text=options.with_text)
    write(figures, options.out)
    figures = replace(figures, page=str(options.out))
    if options.as_json:
        document(figures)
        return 0
    say(f"{options.out}: {options.out.stat().st_size / 1024:,.0f} kB")
    if options.csv is not None:
        say(f"{options.csv}: a line for each call")
    if figures.simulated:
        say(SIMULATED)
    return 0
