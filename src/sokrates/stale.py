"""What a changed setting makes stale in a run folder: the parts that would have come out differently.

Contract: pure but for looking at which parts are there. A part depends on settings by their dotted names, and with each
on what stands below it (`sft` is all of SFT). What is only added (an iteration, a baseline) or only says how the work
is done makes nothing stale.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_PROBLEMS = ("data",)
_ASKED = ("model", "prompt", "trace_generation", "evaluation.temperature", "data")
_TUNED = ("model", "prompt", "sft", "trace_generation.max_steps", "data")
_SAMPLED = (*_TUNED, "trace_generation")
_PREFERRED = (*_SAMPLED, "preference_pairs", "dpo")
_PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("data", _PROBLEMS),
    ("sft", _TUNED),
    ("actions", _TUNED),
    ("iter1/traces", _SAMPLED),
    (r"iter\d+/traces", _PREFERRED),
    (r"iter\d+/(pairs\.jsonl|pairs\.json|adapter)", _PREFERRED),
    (r"(sft\+|rft|label|published)", _PREFERRED),
    (r"evaluation/(base|example)", _ASKED),
    (r"evaluation/(sft|actions)", (*_ASKED, *_TUNED)),
    ("evaluation/vote", (*_ASKED, *_TUNED, "oak_loop.votes")),
    ("evaluation/.*", (*_ASKED, *_PREFERRED)),
)
"""Parts by a pattern of their path, the first that matches, and what they depend on."""
_FURTHER = "transfer/*/evaluation/*"
_CHOSEN = ("evaluation.transfer_problems", "evaluation.seed")
"""What decides which problems of a further set are taken."""


def stale(root: Path, changed: Iterable[str]) -> list[Path]:
    """The parts of the run folder that depend on a changed setting, given by dotted names."""
    names = list(changed)
    return [part for part in _parts(root) if _depends(part.relative_to(root).as_posix(), names)]


def _parts(root: Path) -> list[Path]:
    """The parts that are there: below iterations and evaluations one folder deeper."""
    top = [path for path in sorted(root.iterdir()) if path.is_dir()] if root.is_dir() else []
    deeper = [path for path in top if re.fullmatch(r"iter\d+|evaluation", path.name)]
    parts = [path for path in top if path not in deeper]
    return parts + [part for path in deeper for part in sorted(path.iterdir())] + sorted(root.glob(_FURTHER))


def _depends(part: str, changed: list[str]) -> bool:
    set_, _, own = part.rpartition("/evaluation/")
    if set_ and any(name in _CHOSEN for name in changed):
        return True
    part = f"evaluation/{own}" if set_ else part  # on further problems as on the run's own
    for pattern, settings in _PARTS:
        if re.fullmatch(pattern, part):
            return any(name == setting or name.startswith(f"{setting}.") for name in changed for setting in settings)
    return False
