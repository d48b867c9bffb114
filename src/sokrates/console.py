"""What people see while a command works: progress on standard error, results on standard output.

It is silent where nothing can be shown (no terminal) but for one line at the end of each piece of work.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from sokrates import ranks

if TYPE_CHECKING:
    from sokrates.bar import Bar, Facts

Advance = Callable[..., None]


class Verified(Protocol):
    """What is counted of a verified trace while traces come."""

    correct: bool
    completion_tokens: int

    @property
    def proved(self) -> bool: ...


def say(text: str) -> None:
    """One line of news, on standard error; of several processes the main one speaks."""
    if not ranks.is_main():
        return
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


class Listing:
    """Lines of news by kind: the first of each kind are said, and at the end how many more there were."""

    def __init__(self, most: int = 20) -> None:
        self._most, self._counts = most, Counter[str]()

    def add(self, kind: str, text: str) -> None:
        self._counts[kind] += 1
        if self._counts[kind] <= self._most:
            say(f"{kind}: {text}")

    def close(self) -> None:
        for kind, count in self._counts.items():
            if count > self._most:
                say(f"{kind}: … and {count - self._most} more")


@contextmanager
def bar(
    label: str, total: int | None, unit: str, facts: Facts = tuple, *, told: Facts | None = None, metered: bool = False
) -> Iterator[Bar]:
    """A progress bar (`bar.shown`), and at its end a line of news with the `facts`, or those that are `told` there."""
    from sokrates.bar import shown

    started = time.monotonic()
    with shown(label, total, unit, facts, metered=metered) as drawn:
        yield drawn
    elapsed, count = time.monotonic() - started, int(drawn.rate.total)
    if total and not count:
        say(f"{label}: nothing was left to do")
        return
    line = f"{label}: {count} {unit} in {elapsed:.1f} s ({count / max(elapsed, 1e-9):.1f} {unit}/s)"
    say(", ".join([line, *(told or facts)()]))


@contextmanager
def progress(label: str, total: int | None, unit: str) -> Iterator[Advance]:
    """A progress bar with time left and rate; the block gets a function that advances it by one.

    The function takes an optional `note` that is shown beside the bar.
    """
    noted = ""
    with bar(label, total, unit, lambda: [noted] if noted else [], told=tuple) as drawn:

        def advance(*_: Any, note: str = "") -> None:
            nonlocal noted
            noted = note
            drawn.advance()

        yield advance


@contextmanager
def trace_progress(label: str, total: int) -> Iterator[Callable[[Verified], None]]:
    """A progress bar over traces that shows the running accuracy and share of proofs, tokens a second, and the GPU."""
    from sokrates.bar import Rate

    seen = correct = proved = 0
    tokens = Rate()

    def facts(rate: Callable[[], float] = tokens.now) -> list[str]:
        if not seen:
            return []
        return [f"right {correct / seen:.0%}", f"proved {proved / seen:.0%}", f"{rate():,.0f} tokens/s"]

    with bar(label, total, "traces", facts, told=lambda: facts(tokens.overall), metered=True) as drawn:

        def on_trace(trace: Verified) -> None:
            nonlocal seen, correct, proved
            seen, correct, proved = seen + 1, correct + trace.correct, proved + trace.proved
            tokens.add(trace.completion_tokens)
            drawn.advance()

        yield on_trace


def print_table(table: Any, *, as_news: bool = False) -> None:
    """A rich table on standard output, or `as_news` on standard error, wide enough for its columns when that is a file
    or a pipe."""
    from rich.console import Console

    console = Console(stderr=as_news)
    if not console.is_terminal:
        console = Console(stderr=as_news, width=120)
    console.print(table)
    console.print()
