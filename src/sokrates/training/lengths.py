"""How long the examples are, and how much of the work padding would be.

Contract: pure arithmetic on lengths in tokens, and the text that shows it. It does not know who prints it, and draws no
order of its own: the batches to pad are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, median

import msgspec

BINS = 8
"""Most bars of the histogram."""
BAR = 40
"""Characters of the longest bar."""


class Bin(msgspec.Struct, frozen=True):
    """Examples of at least `least` and at most `most` tokens."""

    least: int
    most: int
    examples: int


class Lengths(msgspec.Struct, frozen=True, kw_only=True):
    """Lengths of prompts and completions together, in tokens, and shares of all tokens that padding would be."""

    shortest: int
    median: float
    mean: float
    longest: int
    histogram: list[Bin]
    padded_to_max_length: float
    """Share of padding with one example to a row, each padded to `max_length`."""
    padded_to_longest: float
    """Share of padding with one example to a row, each padded to the longest of its batch."""
    padding: float
    """Share of padding in this training: none where documents are packed."""

    def __str__(self) -> str:
        most = max(bin.examples for bin in self.histogram)
        width = len(str(self.longest))
        lines = [f"lengths: {self.shortest} to {self.longest} tokens, median {self.median:g}, mean {self.mean:g}"]
        for bin in self.histogram:
            bar = "█" * -(-BAR * bin.examples // most)
            lines.append(f"  {bin.least:>{width}} – {bin.most:>{width}}  {bar:<{BAR}} {bin.examples}")
        lines.append(
            f"padding: {self.padding:.1%} of all tokens; {self.padded_to_longest:.1%} would be if rows were padded to "
            f"the longest of their batch, {self.padded_to_max_length:.1%} if padded to max_length"
        )
        return "\n".join(lines)


def measure(lengths: Sequence[int], max_length: int, batches: Sequence[Sequence[int]], *, packed: bool) -> Lengths:
    """Histogram and padding of examples of these lengths, at least one.

    `batches`: the indices of the examples that would be padded together, were they not packed.
    """
    total = sum(lengths)
    padded = sum(len(batch) * max(lengths[index] for index in batch) for batch in batches)
    to_longest = 1 - total / padded
    return Lengths(
        shortest=min(lengths),
        median=median(lengths),
        mean=round(mean(lengths), 1),
        longest=max(lengths),
        histogram=histogram(lengths),
        padded_to_max_length=round(1 - total / (max_length * len(lengths)), 4),
        padded_to_longest=round(to_longest, 4),
        padding=0.0 if packed else round(to_longest, 4),
    )


def histogram(lengths: Sequence[int]) -> list[Bin]:
    """At most `BINS` bins of one width, a multiple of 8 where the lengths are far apart, none empty at either end."""
    span = max(lengths) - min(lengths) + 1
    width = -(-span // BINS)
    if width > 8:
        width = -(-width // 8) * 8
    counts: dict[int, int] = {}
    for length in lengths:
        counts[length // width] = counts.get(length // width, 0) + 1
    return [
        Bin(number * width, number * width + width - 1, counts.get(number, 0))
        for number in range(min(counts), max(counts) + 1)
    ]
