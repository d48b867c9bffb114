"""What a changed setting makes stale in a run folder: the parts that would have come out differently.

Contract: pure but for looking at which parts are there. A part depends on settings by their dotted names, and with each
on what stands below it (`sft` is all of SFT). What is only added (a baseline, a further set) or only says how the work
is done makes nothing stale; an added iteration only what is compared with the whole loop.
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
_WHOLE_LOOP = (*_PREFERRED, "oak_loop.num_iterations")
"""Of what takes as many steps or rounds as the loop, or its last adapter."""
_SCORED = ("validity_weight", "correct_bonus", "all_valid_bonus", "min_gap", "max_pairs_per_problem")
_SIGNALLED = (*_SAMPLED, *(f"preference_pairs.{name}" for name in _SCORED), "dpo")
"""Of the loop again by a signal of its own: it compares whole samples, whatever the loop compares."""
_CHOSEN = ("evaluation.transfer_problems", "evaluation.seed")
"""What decides which problems of a further set are taken."""
_FURTHER = r"transfer/[^/]+/"
_PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"data/gold\.jsonl", (*_PROBLEMS, "trace_generation.max_steps")),
    ("data/.*", _PROBLEMS),
    ("sft", _TUNED),
    ("actions", _TUNED),
    ("iter1/traces", _SAMPLED),
    (r"iter\d+/traces", _PREFERRED),
    (r"iter\d+/(pairs\.jsonl|pairs\.json|adapter)", _PREFERRED),
    (r"(sft\+|rft)", _WHOLE_LOOP),
    ("(label|published)", _SIGNALLED),
    ("whole", _PREFERRED),
    (r"evaluation/(base|example)", _ASKED),
    (r"evaluation/(sft|actions)", (*_ASKED, *_TUNED)),
    ("evaluation/vote", (*_ASKED, *_TUNED, "oak_loop.votes")),
    ("evaluation/(label|published)", (*_ASKED, *_SIGNALLED, "oak_loop.num_iterations")),
    (r"evaluation/(sft\+|rft|whole|guided)", (*_ASKED, *_WHOLE_LOOP)),
    ("evaluation/.*", (*_ASKED, *_PREFERRED)),
)
"""Parts by a pattern of their path, the first that matches, and what they depend on."""


def stale(root: Path, changed: Iterable[str]) -> list[Path]:
    """The parts of the run folder that depend on a changed setting, given by dotted names."""
    names = list(changed)
    return [part for part in _parts(root) if _depends(part.relative_to(root).as_posix(), names)]


def _parts(root: Path) -> list[Path]:
    """The parts that are there: folders, and in some folders whatever lies in them."""
    deeper = [
        path for kind in ("data", "iter[0-9]*", "evaluation", "transfer/*/evaluation") for path in root.glob(kind)
    ]
    top = [path for path in root.glob("*") if path.is_dir() and path not in deeper and path.name != "transfer"]
    return sorted([*top, *(part for path in deeper for part in path.iterdir())])


def _depends(part: str, changed: list[str]) -> bool:
    own = re.sub(f"^{_FURTHER}", "", part)  # on further problems as on the run's own
    chosen = _CHOSEN if own != part else ()
    for pattern, settings in _PARTS:
        if re.fullmatch(pattern, own):
            wanted = (*settings, *chosen)
            return any(name == setting or name.startswith(f"{setting}.") for name in changed for setting in wanted)
    return False
