"""The two languages that problems and claims are written in: controlled English, and formulas.

Contract: what a language says, it reads back as the same formula.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sokrates.logic import english, fol
from sokrates.logic.english import Reading, Unreadable
from sokrates.logic.formulas import Formula, show

Reader = Callable[[str], Reading | Unreadable]


@dataclass(frozen=True, slots=True)
class Language:
    """How a text is read, and how a formula is said (the nouns are those of the problem's own sentences)."""

    name: str
    read: Reader
    say: Callable[[Formula, frozenset[str]], str]


ENGLISH = Language("controlled English", english.read, english.say)
FORMULAS = Language("first-order formulas", fol.read, lambda formula, _: show(formula))
