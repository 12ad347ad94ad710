"""The garbage collector, told what a run is like.

Python looks for cycles each time that 700 more objects live than before. Thousands of calls in flight are
thousands of tasks, which are neither garbage nor old, so that it looks all the time and finds nothing: with
its defaults, that was a third of all CPU at 2,000 calls in flight. A program that calls the library decides
for itself; the command line is a program.
"""

from __future__ import annotations

import gc

YOUNG, MIDDLE, OLD = 250_000, 20, 100
"""Objects, and rounds of the younger generation, between two looks.

A row that ends well leaves no cycles, so that a run of such rows gains nothing by looking. Peak memory over 30,000 rows
that all fail was the same as with a fifth of the first number.
"""


def collect_less() -> None:
    """Set what is loaded by now apart as here to stay, and look for garbage less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
