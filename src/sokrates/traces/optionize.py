"""The optionize stage: problems to gold traces, each verified before it is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sokrates.problems import Problem
from sokrates.traces.building import build_trace
from sokrates.traces.gold import NoGoldTrace, gold_completion
from sokrates.traces.trace import Trace


def optionize(problems: Iterable[Problem], *, max_steps: int, unsolved: list[tuple[str, str]]) -> Iterator[Trace]:
    """The gold traces of the problems that have one; the others are put in `unsolved` as (id, reason)."""
    for problem in problems:
        try:
            yield build_trace(problem, gold_completion(problem, max_steps=max_steps))
        except NoGoldTrace as error:
            unsolved.append((problem.problem_id, str(error)))
