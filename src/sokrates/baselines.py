"""What the loop's gain is to be compared with: further rows of the same run, on the same unseen problems.

Contract: told as the loop is (`story`). A baseline begins where the loop began, with SFT's adapter, or looks at an
adapter of the loop in another way; it changes nothing that the loop made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sokrates.config import BaselineName, Config, Signal
from sokrates.problems import Problem
from sokrates.story import Stages
from sokrates.traces.building import build_trace
from sokrates.traces.text import render
from sokrates.traces.trace import Trace
from sokrates.training.preferences import complete
from sokrates.training.stages import fitting


@dataclass(frozen=True, slots=True)
class Loop:
    """What a loop had and made: the problems of its iterations, gold traces, SFT's adapter, its own last one, and the
    optimizer steps of DPO between them."""

    iterations: Sequence[Sequence[Problem]]
    gold: Sequence[Trace]
    start: str
    last: str
    steps: int


Baseline = Callable[[Stages, Loop], None]


def _sft_plus(this: Stages, loop: Loop) -> None:
    """SFT's adapter trained on for as many steps as DPO took, on gold traces: is it only the extra training?"""
    adapter = this.sft("sft+", loop.gold, loop.start, max_steps=max(1, loop.steps))
    this.evaluate("sft+", adapter)


def _rft(this: Stages, loop: Loop) -> None:
    """SFT on the verified samples in place of DPO, in as many iterations and steps (rejection fine-tuning)."""
    model = loop.start
    for index, problems in enumerate(loop.iterations, start=1):
        name = f"rft/iter{index}"
        # The first round samples from the same adapter as DPO's first: those traces are there already.
        traces = this.sample("iter1" if index == 1 else name, model, problems, index)
        best = this.picked(partial(_best, config=this.config), traces)
        if best:
            model = this.sft(f"{name}/adapter", best, model, max_steps=_share(loop.steps, index, len(loop.iterations)))
    this.evaluate("rft", model)


def _share(steps: int, index: int, rounds: int) -> int:
    """The steps of a round, numbered from 1, of all that DPO took: as many in each, and in the last what is left."""
    each = max(1, steps // rounds)
    return each if index < rounds else max(1, steps - each * (rounds - 1))


def _best(traces: Sequence[Trace], config: Config) -> list[Trace]:
    """The proofs that training can read whole, one of each text."""
    readable = fitting(traces, config.sft.max_length)
    proofs = [trace for trace in readable if complete(trace, config.preference_pairs)]
    kept = {(trace.problem_id, trace.completion): trace for trace in proofs}
    return list(kept.values())


def _whole_samples(row: BaselineName, signal: Signal) -> Baseline:
    """The loop again from SFT's adapter, its pairs made of whole samples by this signal."""

    def baseline(this: Stages, loop: Loop) -> None:
        model = loop.start
        for index, problems in enumerate(loop.iterations, start=1):
            name = f"{row}/iter{index}"
            traces = this.sample("iter1" if index == 1 else name, model, problems, index)  # as above
            trained = this.dpo(name, traces, model, signal)
            if trained is None:
                break
            model, _ = trained
        this.evaluate(row, model)

    return baseline


def _actions(this: Stages, loop: Loop) -> None:
    """SFT on gold traces without their thoughts: what the words are good for. None of its steps states a claim."""
    bare = this.picked(lambda traces: [_bare(trace) for trace in traces], loop.gold)
    this.evaluate("actions", this.sft("actions", bare, this.config.model))


def _bare(trace: Trace) -> Trace:
    assert trace.final_answer is not None
    bare = render([("", step.action) for step in trace.steps], trace.final_answer)
    return build_trace(trace.problem(), bare)


def _example(this: Stages, loop: Loop) -> None:
    """The base model, shown a worked example."""
    this.evaluate("example", this.config.model, example=True)


def _vote(this: Stages, loop: Loop) -> None:
    """SFT's adapter, several samples a problem: what more computation at test time gives in place of training."""
    this.evaluate("vote", loop.start, votes=this.config.oak_loop.votes)


def _guided(this: Stages, loop: Loop) -> None:
    """The last adapter, allowed only actions that are valid."""
    this.evaluate("guided", loop.last, guide="solver")


BASELINES: dict[BaselineName, Baseline] = {
    "sft+": _sft_plus,
    "rft": _rft,
    "whole": _whole_samples("whole", "verified"),
    "label": _whole_samples("label", "label"),
    "published": _whole_samples("published", "published"),
    "actions": _actions,
    "example": _example,
    "vote": _vote,
    "guided": _guided,
}
