"""The nearest known name, for messages about a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ " (did you mean 'x'?)" for the nearest of the known names, or nothing where none is near."""
    by_fold = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(name.casefold()[:100], by_fold, n=1)
    return f" (did you mean '{by_fold[near[0]]}'?)" if near else ""
