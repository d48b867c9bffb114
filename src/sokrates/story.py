"""What the loop and its baselines are told to: stages that are done, or only noted.

Contract: the order of the stages stands in `oak` and `baselines` alone, and in terms of these. `run.Run` does them,
`plan.Plan` writes down what would be done; so the two cannot disagree about the order. A sequence of problems or traces
that a plan hands out has a length, and nothing in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from sokrates.config import Config, GuideName, Signal
from sokrates.problems import Problem
from sokrates.traces.trace import Trace

Pick = Callable[[Sequence[Trace]], Sequence[Trace]]
"""Some of the traces, or something made of each; never more than there were."""


@dataclass
class Splits:
    """Problems to learn from, to sample in each iteration, and to evaluate on.

    Those to evaluate on, further sets included, are in no other split. Generated ones share nothing at all; from a
    file, each iteration draws again from the problems to learn from.
    """

    train: Sequence[Problem]
    iterations: Sequence[Sequence[Problem]]
    evaluation: Sequence[Problem]


class Stages(Protocol):
    """The stages of a run folder."""

    @property
    def config(self) -> Config: ...

    def timed(self, name: str) -> AbstractContextManager[None]:
        """Count the block's seconds under a name."""
        ...

    def splits(self) -> Splits:
        """The problems."""
        ...

    def gold(self, problems: Sequence[Problem]) -> Sequence[Trace]:
        """The verified gold traces of the training problems."""
        ...

    def picked(self, pick: Pick, traces: Sequence[Trace]) -> Sequence[Trace]:
        """What `pick` takes of the traces. Code that looks into traces goes through here."""
        ...

    def examine(self, problems: Sequence[Problem]) -> None:
        """Let every stage be evaluated on these problems, and on the further sets that the configuration names.

        A problem of a further set whose prompt the model has no room for is left out.
        """
        ...

    def evaluate(
        self, name: str, model: str, *, votes: int = 1, guide: GuideName | None = None, example: bool = False
    ) -> None:
        """Add a stage's row on each set: greedy, or by so many `votes`; under a `guide` other than the configured one,
        and with a worked `example` in the prompt, where they are given."""
        ...

    def sample(self, name: str, model: str, problems: Sequence[Problem], index: int) -> Sequence[Trace]:
        """Fresh verified traces of an iteration's problems."""
        ...

    def dpo(
        self, name: str, traces: Sequence[Trace], model: str, signal: Signal | None = None
    ) -> tuple[str, int] | None:
        """One DPO round: the new adapter and its optimizer steps; None where the traces make no pairs. Where a `signal`
        is given, whole traces make pairs by it, instead of what is configured."""
        ...

    def sft(self, name: str, traces: Sequence[Trace], model: str, max_steps: int = 0) -> str:
        """SFT from a model or an adapter; with `max_steps` exactly that many steps, without early stopping."""
        ...
