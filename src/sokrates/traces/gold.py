"""Gold traces ("optionize"): the shortest proof the prover finds, in the words that a model learns.

Contract: a gold trace verifies as fully valid or is not made. TRUE and FALSE are the proofs of `logic.prover`; UNKNOWN
lists facts that steps can derive about the conclusion's subjects, in PrOntoQA's theories all of them, and then
concludes. A trace longer than `max_steps` is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sokrates.errors import SokratesError
from sokrates.logic.answer import ANSWERS, Answer
from sokrates.logic.english import read
from sokrates.logic.formulas import Formula, constants, same, show
from sokrates.logic.language import ENGLISH, FORMULAS
from sokrates.logic.prover import NAMES as LETTERS
from sokrates.logic.prover import Derivation, SearchEnded, derive_all, derive_some, prove
from sokrates.logic.rules import CONCLUDE
from sokrates.logic.theory import Theory
from sokrates.problems import Problem
from sokrates.problems.reading import ReadProblem, language_of, read_problem
from sokrates.problems.words import NAMES
from sokrates.traces.text import render, render_action

_MOST_EXPLORED = 6
"""How many steps an UNKNOWN takes where the theory may have any number of facts."""


class NoGoldTrace(SokratesError):
    """A problem has no gold trace, with the reason: undecided, no proof found, or too long."""


class TooLong(NoGoldTrace):
    """A problem's gold trace has more steps than are wanted."""


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
    `max_steps` steps, CONCLUDE included. The answer is the one that the premises entail: where the label says
    otherwise there is none.
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
    if problem.label not in (None, answer):
        raise NoGoldTrace(f"its label is {problem.label}, but by its premises the conclusion is {answer}")
    derivations = _derivations(read, answer)
    if len(derivations) + 1 > max_steps:
        raise TooLong(f"its gold trace has {len(derivations) + 1} steps, the limit is {max_steps}")
    inferences = tuple(Inference(d.rule, d.args, said(d.formula, read)) for d in derivations)
    return Outline(answer, inferences, _goal_line(read, derivations, answer))


def _derivations(read: ReadProblem, answer: Answer) -> list[Derivation]:
    goal = read.theory.goal(answer)
    if goal is None:
        return _explored(read.theory)
    try:
        found = prove(read.theory, goal, names=NAMES if read.language is ENGLISH else LETTERS)
    except SearchEnded as ended:
        raise NoGoldTrace(f"its conclusion is {answer}, but {ended}") from None
    if found is None:
        raise NoGoldTrace(f"its conclusion is {answer}, but the prover finds no proof by these rules")
    return found


def _explored(theory: Theory) -> list[Derivation]:
    """What an UNKNOWN lists: all facts about the one subject in PrOntoQA's theories, a few in others."""
    about = constants(theory.conclusion) if theory.conclusion else frozenset()
    if theory.closure.complete:
        return derive_all(theory, next(iter(about))) if len(about) == 1 else []
    return derive_some(theory, about, most=_MOST_EXPLORED)


def said(formula: Formula, read: ReadProblem) -> str:
    """A formula in the problem's language. Errors: NoGoldTrace where it cannot be said there."""
    try:
        return read.language.say(formula, read.nouns)
    except ValueError:
        raise NoGoldTrace(f"its proof has {show(formula)}, which cannot be said in the controlled English") from None


def _goal_line(read: ReadProblem, derivations: list[Derivation], answer: Answer) -> int | None:
    goal = read.theory.goal(answer)
    if goal is None:
        return None
    if derivations:
        return len(read.theory.premises) + len(derivations) - 1
    return next(number for number, formula in enumerate(read.theory.premises) if same(formula, goal))


def write_outline(problem: Problem, outline: Outline) -> str:
    """The outline in words: each thought quotes the lines it cites and then states its claim."""
    formulas = language_of(problem.premises_fol) is FORMULAS
    sentences = [*problem.premises_fol] if formulas else [_inner(sentence) for sentence in problem.premises]
    steps = []
    for inference in outline.inferences:
        quotes = [f"{sentences[line]} (line {line})" for line in inference.args]
        thought = _thought(inference, quotes)
        thought = thought if formulas else thought[0].upper() + thought[1:]
        steps.append((thought, render_action(inference.rule, inference.args)))
        sentences.append(inference.claim)
    steps.append((_closing(outline), render_action(CONCLUDE, [ANSWERS.index(outline.answer)])))
    return render(steps, outline.answer)


def _thought(inference: Inference, quotes: Sequence[str]) -> str:
    match inference.rule:
        case "ASSUME":
            return f"Assume {inference.claim}."
        case "CONTRADICTION":
            given = f"{' and '.join(dict.fromkeys(quotes[1:]))} contradict each other"
        case "CONDITIONAL_PROOF":
            given = f"G{_supposed(quotes)[1:]}"
        case "CASE_SPLIT" | "EXIST_INSTANTIATION":
            given = ", and ".join([quotes[0], *map(_supposed, zip(quotes[1::2], quotes[2::2], strict=True))])
        case _:
            given = " and ".join(quotes)
    return f"{given}, so {inference.claim}."


def _supposed(quotes: Sequence[str]) -> str:
    """An assumption, and what it leads to."""
    assumption, result = quotes
    return f"given that {assumption}, we know that {result}"


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
