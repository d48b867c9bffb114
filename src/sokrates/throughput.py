"""How fast generation and training were where they were measured, and the nearest figure to something else.

Contract: `throughput.json` beside this file is made from the results of the benchmarks
(`python -m benchmarks.throughput`). A figure is only taken for the same work done the same way on the same kind of
device, and for a model at most `FARTHEST` times as large or small. What is estimated from one is rough: the length of
texts, the batch and the very device differ. Pure but for reading its file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Literal

import msgspec

FILE = "throughput.json"
FARTHEST = 32
"""Beyond so many times more or fewer parameters a figure says nothing."""

Work = Literal["generate", "sft", "dpo", "start"]
UNITS: dict[Work, str] = {"generate": "traces/s", "sft": "examples/s", "dpo": "pairs/s", "start": "s an engine start"}


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured rate."""

    work: Work
    way: str
    """An engine's name; of SFT `packed` or `padded`; of DPO the adapter's mode."""
    device: Literal["cpu", "cuda"]
    machine: str
    """What it was measured on, for people."""
    parameters: int
    """Of the base model."""
    rate: float
    """Items a second; of `start` the seconds of one."""
    tokens: float
    """Of an item, in the mean: of a trace's completion, of an example, of a pair's two sequences; 0 for `start`."""
    source: str
    """The file in benchmarks/results."""

    def seconds(self, count: float, parameters: int) -> float:
        """What so many items take with a model of another size: with a larger one in proportion to its parameters. A
        smaller one is taken to be no faster, for its work is mostly launched and waited for; and so is a start."""
        if self.work == "start":
            return count * self.rate
        return count / self.rate * max(1.0, parameters / self.parameters)

    def basis(self, parameters: int) -> str:
        """The figure in words, and whether it had to be scaled."""
        size = f"at {in_words(self.parameters)} on {self.machine}"
        length = f" of {self.tokens:.0f} tokens" if self.tokens else ""
        text = f"{self.work} ({self.way}): {self.rate:.3g} {UNITS[self.work]}{length} measured {size} ({self.source})"
        if 0.9 < parameters / self.parameters < 1.1:
            return text
        scaled = self.work != "start" and parameters > self.parameters
        return f"{text}, {'scaled to' if scaled else 'taken as it is for'} {in_words(parameters)}"


@cache
def figures() -> Sequence[Figure]:
    """All figures that the package has."""
    content = resources.files("sokrates").joinpath(FILE).read_bytes()
    return msgspec.json.decode(content, type=list[Figure])


def nearest(work: Work, way: str, device: str, parameters: int, among: Sequence[Figure] | None = None) -> Figure | None:
    """The figure of the same work, way and kind of device whose model is the nearest in size; None where none fits."""
    known = figures() if among is None else among
    fitting = [figure for figure in known if (figure.work, figure.way, figure.device) == (work, way, device)]

    def distance(figure: Figure) -> float:
        return abs(math.log(figure.parameters / parameters))

    best = min(fitting, key=distance, default=None)
    return best if best is not None and distance(best) <= math.log(FARTHEST) else None


def in_words(parameters: int) -> str:
    """A number of parameters for people: 8.2B, 4.7M."""
    for unit, size in (("B", 1e9), ("M", 1e6)):
        if parameters >= size:
            return f"{parameters / size:.1f}{unit}"
    return str(parameters)
