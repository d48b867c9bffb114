"""Labels checked against what the premises entail, or, for ProofWriter, against what its rules derive."""

from __future__ import annotations

from typing import Literal, NamedTuple

from sokrates.logic.chaining import chained_answer
from sokrates.logic.theory import Theory
from sokrates.problems.problem import Problem
from sokrates.problems.reading import read_problem

CHAINED = "proofwriter"
"""The source whose labels are made by forward chaining, not by entailment."""


LabelStatus = Literal["labels_agree", "labels_differ", "undecided", "inconsistent", "unlabelled"]


class LabelCheck(NamedTuple):
    """How a label stands against what the premises entail, and what is wrong as a sentence with the problem's id."""

    status: LabelStatus
    message: str | None = None


def check_label(problem: Problem) -> LabelCheck:
    """Check a problem's label. Errors: UnreadableSentence where a sentence is outside of its language."""
    name, label, theory = problem.problem_id, problem.label, _theory(problem)
    chained = problem.source == CHAINED
    if theory.consistent is False and not chained:
        means = "" if label is None else f", so its label {label} means nothing"
        return LabelCheck("inconsistent", f"{name}: its premises contradict each other{means}")
    if label is None:
        return LabelCheck("unlabelled")
    if theory.conclusion is None:
        return LabelCheck("undecided", f"{name}: its conclusion has no formula, so its label {label} cannot be checked")
    answer = chained_answer(theory) if chained else theory.answer
    if answer is None:
        return LabelCheck("undecided", f"{name}: whether its label {label} is right is not decided")
    if answer is not label:
        means = "by its rules" if chained else "by its premises"
        return LabelCheck("labels_differ", f"{name}: its label is {label}, but {means} the conclusion is {answer}")
    return LabelCheck("labels_agree")


def label_error(problem: Problem) -> str | None:
    """Why a problem's label cannot be right or be checked; None where it agrees or there is no label."""
    return None if problem.label is None else check_label(problem).message


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
