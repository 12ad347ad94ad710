"""How a comparison is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from trivet.errors import DataError, SettingsError

CONTROL_LEAST, CONTROL_MOST = 20, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareConfig:
    """`truth`: the column that holds what is right. `margin`: the loss of quality still accepted, `alpha`: the level.

    `scorer`: see `scoring.scorer_of`. `seed`: of the order of the rows. `control`: rows that the baseline is asked
    twice, for the noise floor; None: a tenth of them, 20 at least and 200 at most. `stream`: answers are streamed, so
    that the time to the first token is known. `rate`: calls a second, sent by a schedule that no slow reply holds up;
    None: as many at once as the client takes. `objective`: seconds within which an answer is of use. `time_alone`:
    time each variant in a further pass of its own, which is paid for too. `calibrate`: measure the client's own bias.
    `stop_early`: stop where no remaining row could change a verdict. `folder`: where the comparison's folder is made;
    None keeps nothing on disk. `fresh`: take up no earlier one. `task`: the task file, for the record.
    """

    truth: str | None = None
    scorer: str | Callable[..., Any] | None = None
    margin: float = 0.02
    alpha: float = 0.05
    seed: int = 0
    control: int | None = None
    stream: bool = False
    rate: float | None = None
    objective: float | None = None
    time_alone: bool = False
    calibrate: bool = True
    stop_early: bool = True
    folder: Path | None = Path("runs")
    fresh: bool = False
    name: str = "compare"
    task: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.margin < 1:
            raise DataError(f"the margin is a share of the rows between 0 and 1, like 0.02, not {self.margin:g}")
        if not 0 < self.alpha < 0.5:
            raise DataError(f"the level alpha is between 0 and 0.5, like 0.05, not {self.alpha:g}")
        for name in ("rate", "objective"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and isfinite(value)):
                raise SettingsError(f"{name} is {value}, and must be above 0")
        if self.control is not None and self.control < 0:
            raise SettingsError(f"control is {self.control}, and is a number of rows from 0 on")

    def controlled(self, rows: int) -> int:
        """How many of so many rows the baseline is asked twice."""
        chosen = min(CONTROL_MOST, max(CONTROL_LEAST, rows // 10)) if self.control is None else self.control
        return min(rows, chosen)
