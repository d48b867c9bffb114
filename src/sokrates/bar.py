"""A piece of work as one line of a terminal: what it is, how far, time left, and the facts that are known of it so far.

Contract: the line is no wider than the terminal. Facts come the most important first; those for which there is no room
are left off whole, from the end; the bar itself, and then the rate, take what room is left. The main process draws, in
a terminal, unless TQDM_DISABLE is set, which hides other libraries' bars too. It knows no work, and says no news.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.progress import Progress, ProgressColumn, Task
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sokrates import ranks
from sokrates.gpu import Meter

Facts = Callable[[], Sequence[str]]

WINDOW = 30.0
"""Seconds over which a rate is taken."""
_GAP = "  "
_NARROWEST, _WIDEST = 10, 40
"""Of the bar, in columns."""


class Rate:
    """Amounts a second: of late, and over all."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._began = clock, clock()
        self._recent: deque[tuple[float, float]] = deque()
        self.total = 0.0

    def add(self, amount: float) -> None:
        now = self._clock()
        self.total += amount
        self._recent.append((now, amount))
        while self._recent[0][0] < now - WINDOW:
            self._recent.popleft()

    def now(self) -> float:
        """Over the last half minute."""
        now = self._clock()
        recent = sum(amount for at, amount in tuple(self._recent) if at >= now - WINDOW)
        return recent / max(min(WINDOW, now - self._began), 1e-9)

    def overall(self) -> float:
        return self.total / max(self._clock() - self._began, 1e-9)


class Bar:
    """The line of one piece of work, whether it is drawn or not."""

    def __init__(self, drawn: Progress, label: str, total: int | None, unit: str, facts: Facts) -> None:
        self.unit, self.facts, self.rate = unit, facts, Rate()
        self._drawn, self._task = drawn, drawn.add_task(label, total=total, bar=self)

    def advance(self, count: int = 1) -> None:
        """So much more is done."""
        self.rate.add(count)
        self._drawn.update(self._task, advance=count)

    def begin(self, done: int, total: int) -> None:
        """Say how much there is to do, and how much of it was done before; that does not count as done here."""
        self._drawn.update(self._task, completed=done, total=total)


def terminal() -> Console:
    """Where news goes."""
    return Console(stderr=True)


@contextmanager
def shown(label: str, total: int | None, unit: str, facts: Facts = tuple, *, metered: bool = False) -> Iterator[Bar]:
    """Draw a bar while the block runs; `metered` tells of GPUs and memory too. The last line is taken away again."""
    console = terminal()
    drawn = console.is_terminal and ranks.is_main() and not os.environ.get("TQDM_DISABLE")
    with Meter() if metered and drawn else nullcontext() as meter:
        line = _Line(console, meter)
        printed = sys.stdout.isatty()  # what goes to a terminal comes above the bar; a file gets it as it is
        with Progress(line, console=console, transient=True, disable=not drawn, redirect_stdout=printed) as progress:
            yield Bar(progress, label, total, unit, facts)


class _Line(ProgressColumn):
    """The whole line, fitted to the terminal's width."""

    max_refresh = None

    def __init__(self, console: Console, meter: Meter | None) -> None:
        super().__init__()
        self.console, self.meter = console, meter

    def render(self, task: Task) -> RenderableType:
        bar: Bar = task.fields["bar"]
        facts = [_count(task), _time(task), *bar.facts(), *device_facts(self.meter)]
        label, kept, room = fitted(task.description, facts, self.console.width)
        rate = f"{bar.rate.now():,.1f} {bar.unit}/s"
        if bar.rate.total and room >= 2 * len(_GAP) + _NARROWEST + cell_len(rate):
            kept.append(rate)
            room -= len(_GAP) + cell_len(rate)
        told = "".join(_GAP + fact for fact in kept)
        if not task.total or room < _NARROWEST + len(_GAP):
            return Text(label + told, no_wrap=True)
        line = Table.grid(padding=0)
        drawn = ProgressBar(task.total, task.completed, width=min(room - len(_GAP), _WIDEST))
        line.add_row(Text(label + _GAP), drawn, Text(told, no_wrap=True))
        return line


def fitted(label: str, facts: Sequence[str], width: int) -> tuple[str, list[str], int]:
    """The label, the facts for which a line has room, and the columns that they leave.

    A label takes half of the line at most.
    """
    if cell_len(label) > width // 2:
        label = f"{label[: max(width // 2 - 1, 0)]}…"
    kept, room = [], width - cell_len(label)
    for fact in facts:
        if room < len(_GAP) + cell_len(fact):
            break
        kept.append(fact)
        room -= len(_GAP) + cell_len(fact)
    return label, kept, room


def device_facts(meter: Meter | None) -> list[str]:
    """What a meter saw last, in words."""
    if meter is None or meter.latest is None:
        return []
    utilisation, memory = meter.latest
    facts = [] if utilisation is None else [f"GPU {utilisation:.0%}"]
    if memory is not None:
        facts.append(f"{memory:.1f} GiB" if meter.of_gpu else f"memory {memory:.1f} GiB")
    return facts


def _count(task: Task) -> str:
    return f"{int(task.completed)}" if task.total is None else f"{int(task.completed)}/{int(task.total)}"


def _time(task: Task) -> str:
    """The time left, or where that cannot be told the time gone by."""
    left = task.time_remaining
    return f"{_clock(task.elapsed or 0.0)} so far" if left is None else f"{_clock(left)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
