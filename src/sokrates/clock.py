"""Where the time of a stage goes: seconds by part."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Adds up seconds under names, each second under one name only."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str, *, of: str | None = None) -> Iterator[None]:
        """Count the block under a name; where it lies inside the block of another name, `of`, not under that."""
        began = time.monotonic()
        yield
        self.add(name, time.monotonic() - began, of=of)

    def add(self, name: str, seconds: float, *, of: str | None = None) -> None:
        """Count seconds under a name, and where they are a part of what another counts, no longer there."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        if of:
            self.seconds[of] = self.seconds.get(of, 0.0) - seconds

    def total(self) -> float:
        return sum(self.seconds.values())
