"""The lines of a proof that is being looked for: a graph, before they are numbered.

Contract: a line knows the rule and the lines that gave it, the assumptions that it rests on, and its cost: how many
steps it takes from the premises. The same formula is assumed in one line only. `Pad.spend` counts work and raises
`SearchEnded` at the limit. Nothing here is trusted: whether a step is right is the kernel's word.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sokrates.logic.formulas import Formula, Not, canonical, complement
from sokrates.logic.rules import ASSUME

_LOOK_AT_THE_CLOCK = 1024


class SearchEnded(Exception):
    """The search did more work, or took longer, than it may."""


@dataclass(frozen=True, slots=True)
class Derivation:
    """One step of a proof: a rule, the lines it cites, and what it derives."""

    rule: str
    args: tuple[int, ...]
    formula: Formula


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A premise (no rule, `number` its line), an assumption, or what a rule gives from other lines."""

    formula: Formula
    key: Formula
    """The formula in canonical form."""
    number: int
    rule: str = ""
    parents: tuple[Line, ...] = ()
    rests: frozenset[int] = frozenset()
    """The numbers of the assumptions that it rests on."""
    cone: frozenset[int] = frozenset()
    """The numbers of all steps that it takes, its own included."""

    @property
    def cost(self) -> int:
        return len(self.cone)

    @property
    def assumes(self) -> bool:
        """Whether something is assumed on the way to it."""
        return self.rule == ASSUME or any(parent.assumes for parent in self.parents)


def joint_cost(lines: Iterable[Line]) -> int:
    """How many steps several lines take together."""
    return len(frozenset[int]().union(*(line.cone for line in lines)))


_DISCHARGED = {
    "CONTRADICTION": lambda count: {place: 0 for place in range(1, count)},
    "CONDITIONAL_PROOF": lambda count: {1: 0},
    "EXIST_INSTANTIATION": lambda count: {2: 1},
    "CASE_SPLIT": lambda count: {place: place - 1 for place in range(2, count, 2)},
}
"""For a rule with so many arguments: from which places the assumption at which place is discharged."""


class Pad:
    """Where lines are made."""

    def __init__(self, premises: Sequence[Formula], *, most_work: int, seconds: float) -> None:
        self.premises = [Line(formula, canonical(formula), number) for number, formula in enumerate(premises)]
        self._next = len(premises)
        self._assumed: dict[Formula, Line] = {}
        self._left = most_work
        self._deadline = time.monotonic() + seconds

    def spend(self, work: int = 1) -> None:
        before, self._left = self._left, self._left - work
        if self._left < 0:
            raise SearchEnded("the search ended at its limit of work")
        if before // _LOOK_AT_THE_CLOCK != self._left // _LOOK_AT_THE_CLOCK and time.monotonic() > self._deadline:
            raise SearchEnded("the search ended at its limit of time")

    def assume(self, formula: Formula) -> Line:
        key = canonical(formula)
        if key not in self._assumed:
            number = self._number()
            self._assumed[key] = Line(formula, key, number, ASSUME, (), frozenset({number}), frozenset({number}))
        return self._assumed[key]

    def derive(self, rule: str, formula: Formula, *parents: Line) -> Line:
        number = self._number()
        cone = frozenset({number}).union(*(parent.cone for parent in parents))
        rests = _rests(rule, [parent.number for parent in parents], [parent.rests for parent in parents])
        return Line(formula, canonical(formula), number, rule, parents, rests, cone)

    def contradiction(self, assumed: Line, one: Line, other: Line) -> Line:
        """What a clash shows of an assumption; one of the two lines, where that says it already."""
        result = complement(assumed.formula)
        for line in (one, other):
            if line.key == canonical(result) and assumed.number not in line.rests:
                return line
        return self.derive("CONTRADICTION", result, assumed, *self._direct(one, other))

    def _direct(self, one: Line, other: Line) -> tuple[Line, Line]:
        """The clash of A with a ¬A that was shown by assuming A: what clashed then, from A itself."""
        for line, denial in ((one, other), (other, one)):
            if denial.rule == "CONTRADICTION" and denial.parents[0].key == line.key:
                _, *clash = (self._replaced(parent, denial.parents[0], line, {}) for parent in denial.parents)
                if joint_cost(clash) < joint_cost((one, other)):
                    return self._direct(*clash)
        return one, other

    def _replaced(self, line: Line, assumed: Line, proved: Line, done: dict[int, Line]) -> Line:
        """The line with a proof in the place of an assumption that it rests on."""
        if line is assumed:
            return proved
        if assumed.number not in line.rests:
            return line
        if line.number not in done:
            parents = [self._replaced(parent, assumed, proved, done) for parent in line.parents]
            done[line.number] = self.derive(line.rule, line.formula, *parents)
        return done[line.number]

    def as_goal(self, line: Line, goal: Formula) -> Line:
        """A line that says A, for the goal ¬¬A."""
        if line.key != canonical(goal) and isinstance(goal, Not) and isinstance(goal.body, Not):
            return self.derive("DOUBLE_NEGATION", goal, self.as_goal(line, goal.body.body))
        return line

    def _number(self) -> int:
        self.spend(4)
        self._next += 1
        return self._next - 1


def _rests(rule: str, cited: Sequence[int], rests: Sequence[frozenset[int]]) -> frozenset[int]:
    """What a line rests on, from the numbers of the lines it cites and what they rest on."""
    discharged = _DISCHARGED[rule](len(cited)) if rule in _DISCHARGED else {}
    assumptions = set(discharged.values())
    found: frozenset[int] = frozenset()
    for place, below in enumerate(rests):
        if place in discharged:
            found |= below - {cited[discharged[place]]}
        elif place not in assumptions:
            found |= below
    return found


def numbered(goals: Sequence[Line], premises: int) -> list[Derivation]:
    """The steps that some lines take, in an order in which each stands behind what it cites; none twice."""
    writing = _Writing(premises)
    needed = {writing.write(goal) for goal in goals}
    return _needed(writing.steps, needed, premises)


class _Writing:
    """Lines written down as steps. One that says what a written one says, resting on no less, is not written again."""

    def __init__(self, premises: int) -> None:
        self.steps: list[Derivation] = []
        self._rests: list[frozenset[int]] = [frozenset()] * premises
        self._assumed: dict[int, int] = {}
        self._written: dict[Formula, list[int]] = {}

    def write(self, line: Line) -> int:
        """The number under which the line now stands."""
        if not line.rule:
            return line.number
        if line.rule == ASSUME:
            if line.number not in self._assumed:
                self._assumed[line.number] = self._append(line, (), frozenset({len(self._rests)}))
            return self._assumed[line.number]
        known = self._find(line, frozenset(self._assumed[n] for n in line.rests if n in self._assumed))
        if known is not None:
            return known
        args = tuple(self.write(parent) for parent in line.parents)
        rests = _rests(line.rule, args, [self._rests[number] for number in args])
        known = self._find(line, rests)
        return self._append(line, args, rests) if known is None else known

    def _find(self, line: Line, rests: frozenset[int]) -> int | None:
        return next((n for n in self._written.get(line.key, ()) if self._rests[n] <= rests), None)

    def _append(self, line: Line, args: tuple[int, ...], rests: frozenset[int]) -> int:
        number = len(self._rests)
        self.steps.append(Derivation(line.rule, args, line.formula))
        self._rests.append(rests)
        self._written.setdefault(line.key, []).append(number)
        return number


def _needed(steps: Sequence[Derivation], needed: set[int], premises: int) -> list[Derivation]:
    """Without the steps on which none of those needed rests."""
    for number in range(premises + len(steps) - 1, premises - 1, -1):
        if number in needed:
            needed.update(steps[number - premises].args)
    kept = [number for number in range(premises, premises + len(steps)) if number in needed]
    moved = {number: premises + place for place, number in enumerate(kept)}
    return [
        Derivation(step.rule, tuple(moved.get(a, a) for a in step.args), step.formula)
        for step in (steps[number - premises] for number in kept)
    ]
