"""What the loop's gain is to be compared with: further rows of the same run, on the same unseen problems.

Contract: a baseline begins where the loop began, with SFT's adapter, or looks at an adapter of the loop in another way;
it changes nothing that the loop made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sokrates.config import BaselineName
from sokrates.run import Run, Splits
from sokrates.traces.trace import Trace
from sokrates.training.stages import fitting


@dataclass(frozen=True, slots=True)
class Loop:
    """What a loop has made: SFT's adapter, its own last one, and the optimizer steps of DPO between them."""

    splits: Splits
    gold: list[Trace]
    start: str
    last: str
    steps: int


def _sft_plus(this: Run, loop: Loop) -> None:
    """SFT's adapter trained on for as many steps as DPO took, on gold traces: is it only the extra training?"""
    adapter = this.sft("sft+", loop.gold, loop.start, max_steps=max(1, loop.steps))
    this.evaluate("sft+", adapter, loop.splits.evaluation)


def _rft(this: Run, loop: Loop) -> None:
    """SFT on the verified samples in place of DPO, in as many iterations and steps (rejection fine-tuning)."""
    model, rounds = loop.start, len(loop.splits.iterations)
    for index, problems in enumerate(loop.splits.iterations, start=1):
        name = f"rft/iter{index}"
        # The first round samples from the same adapter as DPO's first: those traces are there already.
        traces = this.sample("iter1" if index == 1 else name, model, problems, index)
        best = _best(fitting(traces, this.config.sft.max_length))
        if best:
            model = this.sft(f"{name}/adapter", best, model, max_steps=max(1, loop.steps // rounds))
    this.evaluate("rft", model, loop.splits.evaluation)


def _best(traces: Sequence[Trace]) -> list[Trace]:
    """The fully valid traces, one of each text."""
    kept = {(trace.problem_id, trace.completion): trace for trace in traces if trace.all_steps_valid}
    return list(kept.values())


BASELINES: dict[BaselineName, Callable[[Run, Loop], None]] = {"sft+": _sft_plus, "rft": _rft}
