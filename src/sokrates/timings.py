"""What each part of a loop cost, as `timings.json` keeps it: time, and what of the device it took.

Contract: figures of runs that went on where others stopped are added up. Old files, which have numbers of seconds, are
read too. It does not know the parts, nor how their figures are measured.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from sokrates import jsonl

TIMINGS = "timings.json"


class Timing(msgspec.Struct, frozen=True, omit_defaults=True):
    """The cost of one part, or of several together; None is what was not measured."""

    seconds: float
    gpu_utilisation: float | None = None
    """Mean share of the time in which some kernel ran."""
    peak_gpu_memory_gib: float | None = None
    """Most that was in use on a GPU, by whichever process; seen once a second."""
    peak_process_memory_gib: float | None = None
    """Without a GPU: most that the process held, without those it started; seen once a second."""

    def __add__(self, other: Timing) -> Timing:
        """Seconds are added, utilisations weighted by them, of the peaks the higher one counts."""
        seconds = self.seconds + other.seconds
        busy = [(part.gpu_utilisation, part.seconds) for part in (self, other) if part.gpu_utilisation is not None]
        known = sum(weight for _, weight in busy)
        return Timing(
            round(seconds, 2),
            round(sum(share * weight for share, weight in busy) / known, 3) if known else None,
            _higher(self.peak_gpu_memory_gib, other.peak_gpu_memory_gib),
            _higher(self.peak_process_memory_gib, other.peak_process_memory_gib),
        )


def _higher(one: float | None, other: float | None) -> float | None:
    return max((peak for peak in (one, other) if peak is not None), default=None)


def read(folder: Path) -> dict[str, Timing]:
    """The parts of a run folder's loop; none where nothing was timed. Errors: as `jsonl.read_json`."""
    if not (folder / TIMINGS).is_file():
        return {}
    found = jsonl.read_json(folder / TIMINGS, dict[str, float | Timing])
    return {name: part if isinstance(part, Timing) else Timing(part) for name, part in found.items()}
