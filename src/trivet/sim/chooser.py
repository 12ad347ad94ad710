"""Chooses labels for one attempt; a share of them comes out as the second best, by the attempt's draws."""

from __future__ import annotations

from trivet.sim.draws import Draws
from trivet.sim.labels import rank

Labels = tuple[tuple[str, str], ...]
"""Names with their descriptions."""


class Chooser:
    """`noise` is the share of choices that differ from the best fit; each choice draws anew."""

    def __init__(self, draws: Draws, noise: float) -> None:
        self._draws = draws
        self._noise = noise
        self._made = 0

    def __call__(self, labels: Labels, matter: str) -> str:
        """The label for a matter."""
        ranked = rank(labels, matter)
        self._made += 1
        if self._noise and len(ranked) > 1 and self._draws.uniform(f"noise{self._made}") < self._noise:
            return ranked[1][1]
        return ranked[0][1]
