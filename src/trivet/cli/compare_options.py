"""The options of `trivet compare` alone."""

from __future__ import annotations

from typing import Annotated

import typer

Variants = Annotated[
    str | None,
    typer.Option("--variants", metavar="A,B", help="Which, the baseline first (all; the task itself first)."),
]
Models = Annotated[
    str | None,
    typer.Option("--models", metavar="A,B", help="The task with each of these models, the first the baseline."),
]
Tries = Annotated[
    list[str] | None,
    typer.Option("--try", metavar="KEY=VALUE", help="One change of the baseline, like effort=none; repeatable."),
]
KeepProven = Annotated[bool, typer.Option("--keep", help="Write the best change into the task file, if it is proven.")]
Truth = Annotated[str | None, typer.Option("--truth", metavar="COLUMN", help="The column that holds what is right.")]
Scorer = Annotated[
    str | None,
    typer.Option(
        "--scorer",
        metavar="NAME",
        help="exact, normalised, numeric:TOLERANCE, json, judge:MODEL, judge-score:MODEL, or module:function.",
    ),
]
Margin = Annotated[float, typer.Option("--margin", help="The loss of quality that is still accepted.")]
Alpha = Annotated[float, typer.Option("--alpha", help="The chance of a false claim, over all variants.")]
Control = Annotated[
    int | None,
    typer.Option("--control", metavar="N", help="Rows that the baseline is asked twice, for the noise (a tenth)."),
]
Stream = Annotated[bool, typer.Option("--stream", help="Stream the answers, to time the first token, too.")]
Rate = Annotated[
    float | None,
    typer.Option("--rate", metavar="N", help="Calls a second by a schedule, that no slow reply holds up."),
]
Objective = Annotated[
    str | None,
    typer.Option("--objective", metavar="2s", help="Tell the share of rows answered rightly within this time."),
]
TimeAlone = Annotated[
    bool, typer.Option("--time-alone", help="Time each variant in a pass of its own, too; costs that pass.")
]
EveryRow = Annotated[
    bool, typer.Option("--every-row", help="Ask every row, even where none could change a verdict any more.")
]
Calibrate = Annotated[
    bool, typer.Option("--calibrate/--no-calibrate", help="Measure what this client adds to each latency.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start over; take up no comparison that was stopped.")]
Seed = Annotated[
    int | None, typer.Option("--seed", metavar="S", help="The seed of the order, of --sample, and of the simulator.")
]
