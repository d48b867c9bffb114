"""A problem's sentences as the kernel's formulas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sokrates.errors import SokratesError
from sokrates.logic.english import Reading, Unreadable, read
from sokrates.logic.theory import Theory


class UnreadableSentence(SokratesError):
    """A premise or conclusion is outside the controlled English; the message quotes it."""


@dataclass(frozen=True, slots=True)
class ReadProblem:
    """The theory of a problem, and the words that its sentences use as nouns."""

    theory: Theory
    nouns: frozenset[str]


@lru_cache(maxsize=2048)
def read_sentences(premises: tuple[str, ...], conclusion: str) -> ReadProblem:
    """Read premises and conclusion once for all traces of a problem. Errors: UnreadableSentence, saying which."""
    readings = [_reading(sentence, f"premise {number}") for number, sentence in enumerate(premises)]
    goal = _reading(conclusion, "the conclusion")
    nouns = frozenset[str]().union(goal.nouns, *(reading.nouns for reading in readings))
    return ReadProblem(Theory([reading.formula for reading in readings], goal.formula), nouns)


def _reading(sentence: str, where: str) -> Reading:
    reading = read(sentence)
    if isinstance(reading, Unreadable):
        raise UnreadableSentence(f"{where}: {reading.why}")
    return reading


def sentences(text: str) -> Sequence[str]:
    """A paragraph's sentences, each with its full stop."""
    return [f"{part.strip()}." for part in text.split(".") if part.strip()]
