"""Traces made from completions: a model's or the gold one's."""

from __future__ import annotations

from sokrates.problems import Problem
from sokrates.traces.text import parse
from sokrates.traces.trace import Trace


def build_trace(problem: Problem, completion: str, *, max_steps: int | None = None) -> Trace:
    """A trace of what a completion says, unverified. Steps beyond `max_steps` are cut off."""
    parsed = parse(completion)
    steps = parsed.steps[:max_steps]
    return Trace(
        problem_id=problem.problem_id,
        premises=problem.premises,
        conclusion=problem.conclusion,
        premises_fol=problem.premises_fol,
        conclusion_fol=problem.conclusion_fol,
        label=problem.label,
        hops=problem.hops,
        final_answer=None,
        stated_answer=parsed.final_answer,
        correct=False,
        num_steps=len(steps),
        total_step_count=len(steps),
        steps=steps,
        completion=completion,
    )
