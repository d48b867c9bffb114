"""A problem's theory: its premises and conclusion, and what they entail. What all traces of a problem share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from sokrates.logic.answer import Answer
from sokrates.logic.closure import Closure
from sokrates.logic.formulas import Const, Formula, canonical, complement, constants


class Theory:
    """Some premises and a conclusion, read once, with what they entail."""

    def __init__(self, premises: Sequence[Formula], conclusion: Formula | None) -> None:
        self.premises = tuple(premises)
        self.conclusion = conclusion
        """None where the problem gives no formula for it: then nothing can be concluded."""
        self.premise_constants: frozenset[Const] = frozenset().union(*map(constants, premises))
        self.constants = self.premise_constants | (constants(conclusion) if conclusion else frozenset())

    @cached_property
    def keys(self) -> tuple[Formula, ...]:
        """The premises in canonical form."""
        return tuple(map(canonical, self.premises))

    @cached_property
    def closure(self) -> Closure:
        return Closure(self.premises)

    @property
    def consistent(self) -> bool | None:
        """Whether the premises have a model; None where that is not decided."""
        return self.closure.consistent

    def entails(self, formula: Formula, assumed: Sequence[Formula] = ()) -> bool | None:
        """Whether the premises, with what is assumed, entail a closed formula, classically; None where not decided."""
        return (Closure([*self.premises, *assumed]) if assumed else self.closure).entails(formula)

    @property
    def answer(self) -> Answer | None:
        """The right answer by classical entailment; None where it is not decided, or the premises contradict."""
        if self.conclusion is None:
            return None
        proved = self.entails(self.conclusion)
        refuted = self.entails(complement(self.conclusion))
        if proved and refuted:
            return None
        if proved or refuted:
            return Answer.TRUE if proved else Answer.FALSE
        return None if proved is None or refuted is None else Answer.UNKNOWN
