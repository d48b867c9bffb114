"""A compact set of 64-bit keys: how a stream knows the records that it has had, at 11 to 22 bytes each.

Two different records share a key with probability 2⁻⁶⁴; among a million records the chance that any two do is 3 in 10⁸.
Such a record would be refused as a duplicate, by its name, and never lost in silence.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b


def trace_key(problem_id: str, sample: int) -> int:
    """The key of a trace, the same in every process; never 0."""
    digest = blake2b(f"{sample} {problem_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1


class Seen:
    """An open-addressing table of non-zero keys, at most three quarters full."""

    def __init__(self) -> None:
        self._count = 0
        self._table = array("Q", bytes(8 << 10))

    def __contains__(self, key: int) -> bool:
        return self._table[self._slot(key)] == key

    def __len__(self) -> int:
        return self._count

    def add(self, key: int) -> bool:
        """Put a key in; False when it was there."""
        slot = self._slot(key)
        if self._table[slot] == key:
            return False
        self._table[slot] = key
        self._count += 1
        if 4 * self._count > 3 * len(self._table):
            self._grow()
        return True

    def _slot(self, key: int) -> int:
        """Where the key stands, or the free place for it."""
        table, last = self._table, len(self._table) - 1
        slot = key & last
        while table[slot] not in (0, key):
            slot = (slot + 1) & last
        return slot

    def _grow(self) -> None:
        old = self._table
        self._table = array("Q", bytes(2 * 8 * len(old)))
        for key in old:
            if key:
                self._table[self._slot(key)] = key
