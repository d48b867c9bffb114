"""A problem's theory: its premises and conclusion, and what they entail. What all traces of a problem share.

Contract: the closure answers where it decides, z3 where it does not; each is asked the same thing only once. A formula
too large for `smt.within_limits` is not decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from sokrates.logic.answer import Answer
from sokrates.logic.closure import Closure
from sokrates.logic.formulas import Const, Formula, canonical, complement, constants
from sokrates.logic.smt import Smt, within_limits

if TYPE_CHECKING:
    from sokrates.logic.explain import Grounds


MOST_SUPPOSITIONS = 64
"""How many theories under assumptions are remembered: there is no end to what traces assume."""


class Theory:
    """Some premises and a conclusion, read once, with what they entail."""

    def __init__(self, premises: Sequence[Formula], conclusion: Formula | None) -> None:
        self.premises = tuple(premises)
        self.conclusion = conclusion
        """None where the problem gives no formula for it: then nothing can be concluded."""
        self.premise_constants: frozenset[Const] = frozenset().union(*map(constants, premises))
        self.constants = self.premise_constants | (constants(conclusion) if conclusion else frozenset())
        self.explained: dict[Formula, Grounds] = {}
        """What `explain` has found out already."""
        self._assuming: dict[tuple[Formula, ...], Theory] = {}

    @cached_property
    def keys(self) -> tuple[Formula, ...]:
        """The premises in canonical form."""
        return tuple(map(canonical, self.premises))

    @cached_property
    def closure(self) -> Closure:
        return Closure(self.premises)

    @cached_property
    def smt(self) -> Smt:
        return Smt(self.premises)

    @property
    def decided_fast(self) -> bool:
        """Whether the closure decides what is asked, apart from odd claims, so that z3 is hardly needed."""
        return self.closure.complete

    @cached_property
    def consistent(self) -> bool | None:
        """Whether the premises have a model; None where that is not decided."""
        decided = self.smt.consistent if self.closure.consistent is None else self.closure.consistent
        if decided is None and self.conclusion is not None:
            # What leaves something open is consistent.
            goals = (self.conclusion, complement(self.conclusion))
            return True if any(self.entails(goal) is False for goal in goals) else None
        return decided

    def entails(self, formula: Formula, assumed: Sequence[Formula] = ()) -> bool | None:
        """Whether the premises, with what is assumed, entail a closed formula, classically; None where not decided."""
        if not all(map(within_limits, (formula, *assumed))):
            return None
        if assumed:
            return self.assuming(assumed).entails(formula)
        decided = self.closure.entails(formula)
        return self.smt.entails(formula) if decided is None else decided

    def assuming(self, assumed: Sequence[Formula]) -> Theory:
        """The theory that has these as its last premises; one for all orders and spellings of them."""
        keys = tuple(sorted(set(map(canonical, assumed)), key=repr))
        if keys not in self._assuming:
            if len(self._assuming) >= MOST_SUPPOSITIONS:
                self._assuming.clear()
            self._assuming[keys] = Theory([*self.premises, *keys], self.conclusion)
        return self._assuming[keys]

    def goal(self, answer: Answer) -> Formula | None:
        """What must be proved for an answer; None for UNKNOWN, and where the conclusion has no formula."""
        if self.conclusion is None or answer is Answer.UNKNOWN:
            return None
        return self.conclusion if answer is Answer.TRUE else complement(self.conclusion)

    @property
    def answer(self) -> Answer | None:
        """The right answer by classical entailment; None where it is not decided, or the premises contradict."""
        if self.conclusion is None:
            return None
        proved, refuted = self.entails(self.conclusion), self.entails(complement(self.conclusion))
        if proved and refuted:
            return None
        if proved or refuted:
            return Answer.TRUE if proved else Answer.FALSE
        return None if proved is None or refuted is None else Answer.UNKNOWN
