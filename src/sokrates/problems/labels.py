"""Labels checked against what the premises entail."""

from __future__ import annotations

from sokrates.problems.problem import Problem
from sokrates.problems.reading import read_problem


def label_error(problem: Problem) -> str | None:
    """Why a problem's label cannot be right, as a sentence with its id; None where it agrees or there is no label."""
    if problem.label is None:
        return None
    theory = read_problem(problem.premises, problem.conclusion, problem.premises_fol, problem.conclusion_fol).theory
    if theory.consistent is False:
        return f"{problem.problem_id}: its premises contradict each other, so its label {problem.label} means nothing"
    answer = theory.answer
    if answer is None:
        return f"{problem.problem_id}: whether its label {problem.label} is right is not decided"
    if answer is not problem.label:
        return f"{problem.problem_id}: its label is {problem.label}, but by its premises the conclusion is {answer}"
    return None
