"""A problem's sentences as the kernel's formulas.

Contract: a problem that gives a formula for each premise is read from its formulas, and its claims are formulas;
otherwise both are controlled English. A conclusion without a formula is then not known to the theory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sokrates.errors import SokratesError
from sokrates.logic.english import Reading, Unreadable
from sokrates.logic.formulas import Formula
from sokrates.logic.language import ENGLISH, FORMULAS, Language
from sokrates.logic.theory import Theory


class UnreadableSentence(SokratesError):
    """A premise or conclusion is outside the controlled English, or no formula; the message quotes it."""


@dataclass(frozen=True, slots=True)
class ReadProblem:
    """The theory of a problem, the words that its sentences use as nouns, and the language of its claims."""

    theory: Theory
    nouns: frozenset[str]
    language: Language = ENGLISH

    def say(self, formula: Formula) -> str:
        """A formula in the problem's language. Errors: ValueError where English has no sentence for it."""
        return self.language.say(formula, self.nouns)


def language_of(premises_fol: tuple[str, ...]) -> Language:
    """The language of a problem with these formulas."""
    return FORMULAS if premises_fol and all(premises_fol) else ENGLISH


@lru_cache(maxsize=2048)
def read_problem(
    premises: tuple[str, ...], conclusion: str, premises_fol: tuple[str, ...] = (), conclusion_fol: str = ""
) -> ReadProblem:
    """Read a problem once for all its traces.

    Errors: UnreadableSentence, saying which premise or the conclusion, or that the formulas are not one a premise.
    """
    if any(premises_fol) and len(premises_fol) != len(premises):
        raise UnreadableSentence(f"{len(premises)} premises but {len(premises_fol)} formulas: expected as many of each")
    language = language_of(premises_fol)
    if language is FORMULAS:
        premises, conclusion = premises_fol, conclusion_fol
    readings = [_reading(sentence, f"premise {number}", language) for number, sentence in enumerate(premises)]
    goal = _reading(conclusion, "the conclusion", language) if conclusion or language is ENGLISH else None
    nouns = frozenset[str]().union(*(reading.nouns for reading in readings), goal.nouns if goal else ())
    return ReadProblem(Theory([r.formula for r in readings], goal.formula if goal else None), nouns, language)


def read_sentences(premises: tuple[str, ...], conclusion: str) -> ReadProblem:
    """A problem in controlled English. Errors: as `read_problem`."""
    return read_problem(premises, conclusion)


def _reading(sentence: str, where: str, language: Language) -> Reading:
    reading = language.read(sentence)
    if isinstance(reading, Unreadable):
        raise UnreadableSentence(f"{where}: {reading.why}")
    return reading


def sentences(text: str) -> Sequence[str]:
    """A paragraph's sentences, each with its full stop."""
    return [f"{part.strip()}." for part in text.split(".") if part.strip()]
