"""The kernel remembers what it has read; over a long file it must also forget.

Contract: what the memoised functions of `logic` and `problems` hold is bounded by the bytes of the records they were
given. Emptying them costs nothing but reading again: problems that stand together in a file share what they share.
"""

from __future__ import annotations

import sys

ROOMS = ("sokrates.logic", "sokrates.problems")
LIMIT = 4 << 20
"""Bytes of records between two emptyings."""

_held = 0


def note(size: int) -> None:
    """A record of so many bytes was judged in this process; empties the caches when it was time to."""
    global _held
    _held += size
    if _held > LIMIT:
        empty()
        _held = 0


def empty() -> None:
    """Empty every memoised function of the kernel and the readers."""
    for name, module in list(sys.modules.items()):
        if name.startswith(ROOMS):
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
