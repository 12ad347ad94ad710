"""A set of row numbers, one bit each."""

from __future__ import annotations

from collections.abc import Iterator


class RowSet:
    """Row numbers from 0, in an eighth of a byte up to the largest."""

    def __init__(self) -> None:
        self._bits = bytearray()
        self._size = 0

    def __contains__(self, n: int) -> bool:
        byte = n >> 3
        return byte < len(self._bits) and bool(self._bits[byte] >> (n & 7) & 1)

    def __len__(self) -> int:
        return self._size

    @property
    def bound(self) -> int:
        """A number larger than any that is in."""
        return 8 * len(self._bits)

    def __iter__(self) -> Iterator[int]:
        """The numbers, ascending."""
        for byte, bits in enumerate(self._bits):
            if bits:
                yield from (byte * 8 + bit for bit in range(8) if bits >> bit & 1)

    def add(self, n: int) -> bool:
        """Put a number in; whether it was not there."""
        byte, bit = n >> 3, 1 << (n & 7)
        bits = self._bits
        if byte >= len(bits):
            bits.extend(bytes(byte + 1 - len(bits)))
        elif bits[byte] & bit:
            return False
        bits[byte] |= bit
        self._size += 1
        return True

    def discard(self, n: int) -> None:
        """Take a number out, if it is in."""
        if n in self:
            self._bits[n >> 3] &= ~(1 << (n & 7))
            self._size -= 1

    def __repr__(self) -> str:
        return f"RowSet({self._size} rows)"
