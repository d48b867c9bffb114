"""Labels checked against what the premises entail, or, for ProofWriter, against what its rules derive."""

from __future__ import annotations

from sokrates.logic.chaining import chained_answer
from sokrates.logic.theory import Theory
from sokrates.problems.problem import Problem
from sokrates.problems.reading import read_problem

CHAINED = "proofwriter"
"""The source whose labels are made by forward chaining, not by entailment."""


def label_error(problem: Problem) -> str | None:
    """Why a problem's label cannot be right, as a sentence with its id; None where it agrees or there is no label."""
    if problem.label is None:
        return None
    theory = _theory(problem)
    if theory.conclusion is None:
        return f"{problem.problem_id}: its conclusion has no formula, so its label {problem.label} cannot be checked"
    if problem.source != CHAINED and theory.consistent is False:
        return f"{problem.problem_id}: its premises contradict each other, so its label {problem.label} means nothing"
    answer = chained_answer(theory) if problem.source == CHAINED else theory.answer
    if answer is None:
        return f"{problem.problem_id}: whether its label {problem.label} is right is not decided"
    if answer is not problem.label:
        means = "by its rules" if problem.source == CHAINED else "by its premises"
        return f"{problem.problem_id}: its label is {problem.label}, but {means} the conclusion is {answer}"
    return None


def classical_difference(problem: Problem) -> str | None:
    """Where a label made by forward chaining is not the answer of classical logic, a sentence with the problem's id."""
    if problem.label is None or problem.source != CHAINED:
        return None
    theory = _theory(problem)
    if theory.consistent is False:
        return f"{problem.problem_id}: its label is {problem.label}, but classically its premises contradict each other"
    if theory.answer in (None, problem.label):
        return None
    return f"{problem.problem_id}: its label is {problem.label}, but classically the conclusion is {theory.answer}"


def _theory(problem: Problem) -> Theory:
    return read_problem(problem.premises, problem.conclusion, problem.premises_fol, problem.conclusion_fol).theory
