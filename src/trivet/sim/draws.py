"""Chance by hash: what befalls a request depends on the seed, its body and how often that body came, alone.

So a run repeats exactly, whatever the concurrency and the order of arrival; and each draw has a name of its
own, so that a new one changes none of the others.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from statistics import NormalDist
from typing import TypeVar

T = TypeVar("T")

_NORMAL = NormalDist()


class Draws:
    """Named random numbers of one attempt."""

    __slots__ = ("_key",)

    def __init__(self, seed: int, body: bytes, attempt: int) -> None:
        self._key = hashlib.blake2b(
            body,
            digest_size=16,
            key=seed.to_bytes(8, "little", signed=True),
            salt=attempt.to_bytes(16, "little"),
        ).digest()

    def uniform(self, name: str) -> float:
        """A number from 0 up to but not including 1."""
        digest = hashlib.blake2b(name.encode(), digest_size=8, key=self._key).digest()
        return (int.from_bytes(digest, "little") >> 11) / (1 << 53)

    def lognormal(self, name: str, median: float, spread: float) -> float:
        """A positive number around the median; `spread` is the standard deviation of its logarithm."""
        if not spread or not median:
            return median
        return median * math.exp(spread * _NORMAL.inv_cdf(max(self.uniform(name), 1e-9)))

    def choice(self, name: str, options: Sequence[T]) -> T:
        """One of the options."""
        return options[int(self.uniform(name) * len(options))]

    def hexadecimal(self, name: str, digits: int) -> str:
        """That many hexadecimal digits, 128 at most."""
        return hashlib.blake2b(name.encode(), digest_size=64, key=self._key).hexdigest()[:digits]


class Attempts:
    """Counts how often each body came; forgets those seen longest ago."""

    __slots__ = ("_capacity", "_counts")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._counts: OrderedDict[bytes, int] = OrderedDict()

    def next(self, body: bytes) -> int:
        """0 for a body that is new, then 1, 2, ..."""
        digest = hashlib.blake2b(body, digest_size=16).digest()
        number = self._counts.pop(digest, -1) + 1
        self._counts[digest] = number
        if len(self._counts) > self._capacity:
            self._counts.popitem(last=False)
        return number
