"""Gold traces ("optionize"): the shortest proof the prover finds, in the words that a model learns.

Contract: a gold trace verifies as fully valid or is not made. TRUE and FALSE are shortest proofs; UNKNOWN lists every
fact that steps can derive about the conclusion's subject and then concludes. A trace longer than `max_steps` is an
error.
"""

from __future__ import annotations

from dataclasses import dataclass

from sokrates.errors import SokratesError
from sokrates.logic.answer import ANSWERS, Answer
from sokrates.logic.english import read
from sokrates.logic.formulas import Formula, complement, constants, same
from sokrates.logic.language import FORMULAS
from sokrates.logic.prover import Derivation, derive_all, prove
from sokrates.logic.rules import CONCLUDE
from sokrates.problems import Problem
from sokrates.problems.reading import ReadProblem, language_of, read_problem
from sokrates.traces.text import render, render_action


class NoGoldTrace(SokratesError):
    """A problem has no gold trace, with the reason: undecided, no proof found, or too long."""


@dataclass(frozen=True, slots=True)
class Inference:
    """One step of an outline: its rule, the lines it cites, and its claim in words."""

    rule: str
    args: tuple[int, ...]
    claim: str


@dataclass(frozen=True, slots=True)
class Outline:
    """A trace before it is written out; `goal_line` is the line that decides the conclusion (None for UNKNOWN)."""

    answer: Answer
    inferences: tuple[Inference, ...]
    goal_line: int | None


def gold_completion(problem: Problem, *, max_steps: int = 24) -> str:
    """The text of a problem's gold trace. Errors: as `gold_outline`."""
    return write_outline(problem, gold_outline(problem, max_steps=max_steps))


def gold_outline(problem: Problem, *, max_steps: int = 24) -> Outline:
    """A problem's gold trace.

    Errors: UnreadableSentence where a sentence cannot be read; NoGoldTrace where there is no trace of at most
    `max_steps` steps, CONCLUDE included. The answer is the one that the premises entail, whatever the label says.
    """
    read = read_problem(problem.premises, problem.conclusion, problem.premises_fol, problem.conclusion_fol)
    if read.theory.conclusion is None:
        raise NoGoldTrace("its conclusion has no formula")
    answer = read.theory.answer
    if read.theory.consistent is None:
        raise NoGoldTrace("whether its premises contradict each other is not decided")
    if not read.theory.consistent:
        raise NoGoldTrace("its premises contradict each other")
    if answer is None:
        raise NoGoldTrace("whether its conclusion follows is not decided")
    derivations = _derivations(read, answer)
    if len(derivations) + 1 > max_steps:
        raise NoGoldTrace(f"its gold trace has {len(derivations) + 1} steps, the limit is {max_steps}")
    inferences = tuple(Inference(d.rule, d.args, read.language.say(d.formula, read.nouns)) for d in derivations)
    return Outline(answer, inferences, _goal_line(read, derivations, answer))


def _derivations(read: ReadProblem, answer: Answer) -> list[Derivation]:
    conclusion = read.theory.conclusion
    if answer is Answer.UNKNOWN:
        subjects = sorted(constants(conclusion), key=lambda constant: constant.name)
        return derive_all(read.theory, subjects[0]) if len(subjects) == 1 else []
    found = prove(read.theory, conclusion if answer is Answer.TRUE else complement(conclusion))
    if found is None:
        raise NoGoldTrace(f"its conclusion is {answer}, but the prover finds no proof by these rules")
    return found


def _goal_line(read: ReadProblem, derivations: list[Derivation], answer: Answer) -> int | None:
    if answer is Answer.UNKNOWN:
        return None
    goal = read.theory.conclusion if answer is Answer.TRUE else complement(read.theory.conclusion)
    lines: list[Formula] = [*read.theory.premises, *(d.formula for d in derivations)]
    return next(number for number, formula in enumerate(lines) if same(formula, goal))


def write_outline(problem: Problem, outline: Outline) -> str:
    """The outline in words: each thought quotes the lines it cites and then states its claim."""
    formulas = language_of(problem.premises_fol) is FORMULAS
    sentences = [*problem.premises_fol] if formulas else [_inner(sentence) for sentence in problem.premises]
    steps = []
    for inference in outline.inferences:
        quoted = " and ".join(f"{sentences[line]} (line {line})" for line in inference.args)
        thought = f"{quoted}, so {inference.claim}."
        thought = thought if formulas else thought[0].upper() + thought[1:]
        steps.append((thought, render_action(inference.rule, inference.args)))
        sentences.append(inference.claim)
    steps.append((_closing(outline), render_action(CONCLUDE, [ANSWERS.index(outline.answer)])))
    return render(steps, outline.answer)


def _closing(outline: Outline) -> str:
    if outline.goal_line is None:
        return f"No line says the conclusion or its opposite, so the answer is {outline.answer}."
    says = "says" if outline.answer is Answer.TRUE else "contradicts"
    return f"Line {outline.goal_line} {says} the conclusion, so the answer is {outline.answer}."


def _inner(sentence: str) -> str:
    """A sentence as it stands inside another: no full stop, a small first letter unless that says something else."""
    bare = sentence.strip().removesuffix(".")
    lowered = bare[0].lower() + bare[1:]
    return lowered if read(lowered) == read(bare) else bare
