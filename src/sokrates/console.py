"""What people see while a command works: progress on standard error, results on standard output.

It is silent where nothing can be shown (no terminal) but for one line at the end of each piece of work.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sokrates import ranks

if TYPE_CHECKING:
    from sokrates.traces.trace import Trace

Advance = Callable[..., None]


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
def progress(label: str, total: int | None, unit: str) -> Iterator[Advance]:
    """A progress bar with rate and time left; the block gets a function that advances it by one.

    The function takes an optional `note` that is shown behind the bar.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{{task.fields[rate]}} {unit}/s"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    started, count = time.monotonic(), 0
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=total, rate="-", note="")

        def advance(*_: Any, note: str = "") -> None:
            nonlocal count
            count += 1
            rate = count / max(time.monotonic() - started, 1e-9)
            bar.update(task, advance=1, rate=f"{rate:.1f}", note=note)

        yield advance
    elapsed = time.monotonic() - started
    say(f"{label}: {count} {unit} in {elapsed:.1f} s ({count / max(elapsed, 1e-9):.1f} {unit}/s)")


@contextmanager
def trace_progress(label: str, total: int) -> Iterator[Callable[[Trace], None]]:
    """A progress bar over traces that shows the running accuracy and sound validity."""
    with progress(label, total, "traces") as advance:
        seen = correct = valid = tokens = 0
        started = time.monotonic()

        def on_trace(trace: Trace) -> None:
            nonlocal seen, correct, valid, tokens
            seen, correct, valid = seen + 1, correct + trace.correct, valid + bool(trace.all_steps_valid)
            tokens += trace.completion_tokens
            rate = tokens / max(time.monotonic() - started, 1e-9)
            advance(note=f"{rate:,.0f} tokens/s, right {correct / seen:.0%}, proved {valid / seen:.0%}")

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
