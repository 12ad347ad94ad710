"""Puts what finishes in any order back into the order it was begun in. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Ordering(Generic[T]):
    """`begin` names an item, `finish` brings it; items come out in the order of their beginning."""

    def __init__(self) -> None:
        self._begun: deque[int] = deque()
        self._finished: dict[int, T] = {}

    def begin(self, n: int) -> None:
        """The next item in order is `n`."""
        self._begun.append(n)

    def finish(self, n: int, item: T) -> Iterator[T]:
        """`n` is there; yields all items that are now at the head of the order."""
        self._finished[n] = item
        while self._begun and self._begun[0] in self._finished:
            yield self._finished.pop(self._begun.popleft())

    def rest(self) -> Iterator[T]:
        """What has finished behind an item that never will, in order."""
        while self._begun:
            n = self._begun.popleft()
            if n in self._finished:
                yield self._finished.pop(n)
