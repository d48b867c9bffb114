"""Labels: by entailment, and ProofWriter's by forward chaining."""

from __future__ import annotations

from sokrates.logic.answer import Answer
from sokrates.problems import Problem
from sokrates.problems.labels import check_label, classical_difference, label_error
from sokrates.problems.readers import read_problems
from tests.shared_data import files, needs

RULES = ("Every wumpus is red.", "Max is not red.")


def problem(source: str, label: Answer | None, *premises: str, conclusion: str = "Max is a wumpus.") -> Problem:
    return Problem(problem_id="p", premises=premises or RULES, conclusion=conclusion, label=label, source=source)


def test_proofwriters_labels_are_what_its_rules_derive():
    assert label_error(problem("proofwriter", Answer.UNKNOWN)) is None
    wrong = label_error(problem("proofwriter", Answer.FALSE))
    assert wrong == "p: its label is FALSE, but by its rules the conclusion is UNKNOWN"
    assert label_error(problem("prontoqa", Answer.FALSE)) is None
    assert label_error(problem("prontoqa", Answer.UNKNOWN)).endswith("by its premises the conclusion is FALSE")
    unsaid = problem("proofwriter", Answer.TRUE, conclusion="Every wumpus is red.")
    assert label_error(unsaid) == "p: whether its label TRUE is right is not decided"


def test_where_classical_logic_differs_is_said_apart():
    said = classical_difference(problem("proofwriter", Answer.UNKNOWN))
    assert said == "p: its label is UNKNOWN, but classically the conclusion is FALSE"
    assert classical_difference(problem("proofwriter", Answer.FALSE)) is None
    assert classical_difference(problem("proofwriter", None)) is None
    assert classical_difference(problem("prontoqa", Answer.UNKNOWN)) is None
    both = problem("proofwriter", Answer.UNKNOWN, "Max is red.", "Max is not red.")
    assert classical_difference(both) == "p: its label is UNKNOWN, but classically its premises contradict each other"


def test_a_conclusion_without_a_formula_has_no_label_to_check():
    given = Problem(problem_id="p", premises=("A(b)",), premises_fol=("A(b)",), conclusion="So.", label=Answer.TRUE)
    assert label_error(given) == "p: its conclusion has no formula, so its label TRUE cannot be checked"


def test_each_problem_has_one_status():
    both = ("Max is red.", "Max is not red.")
    assert check_label(problem("prontoqa", Answer.FALSE)).status == "labels_agree"
    assert check_label(problem("prontoqa", Answer.TRUE)).status == "labels_differ"
    assert check_label(problem("prontoqa", None)) == ("unlabelled", None)
    assert check_label(problem("prontoqa", None, *both)) == ("inconsistent", "p: its premises contradict each other")
    assert check_label(problem("prontoqa", Answer.TRUE, *both)).status == "inconsistent"
    assert check_label(problem("proofwriter", Answer.UNKNOWN, *both)).status == "labels_agree"


@needs("proofwriter/dev_sample.jsonl")
def test_every_label_of_the_sample_agrees():
    problems = list(read_problems(files("proofwriter/dev_sample.jsonl")[0], "proofwriter"))
    assert len(problems) == 311
    assert [error for problem in problems if (error := label_error(problem))] == []


@needs("proofwriter/dev_sample.jsonl")
def test_six_of_the_sample_are_not_classical():
    problems = list(read_problems(files("proofwriter/dev_sample.jsonl")[0], "proofwriter"))
    assert len([said for problem in problems if (said := classical_difference(problem))]) == 6


@needs("folio/folio-validation.jsonl")
def test_nine_of_folios_labels_do_not_follow_from_its_formulas():
    problems = list(read_problems(files("folio/folio-validation.jsonl")[0], "folio"))
    errors = [error for problem in problems if (error := label_error(problem))]
    assert (len(problems), len(errors)) == (204, 9)
    assert all("by its premises the conclusion is" in error for error in errors)
