"""What premises entail, decided completely for PrOntoQA's theories and a little beyond.

The fragment: what says, written as clauses, nothing but ground literals of one-place predicates and, of every x alike,
one literal or one of two (∀x (L(x) → L'(x)), and so ↔ and ⊕ of two literals, conjunctions as consequents, disjunctions
as antecedents). Such a theory is a set of clauses of at most two literals for each constant. A satisfiable two-literal
theory stays satisfiable under a set of literals exactly when closing that set under its implications and their
contrapositives meets no contradiction (the argument behind 2-SAT: Aspvall, Plass and Tarjan, 1979), so a formula is
entailed exactly when each way in which it could be false closes to one. Without functions and equality the constants,
and one fresh element for each thing that a claim generalises about, are all the domain that matters.

Outside the fragment `entails` still answers True where the part inside it proves the claim, and otherwise None.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import NamedTuple

from sokrates.logic.formulas import (
    And,
    Atom,
    Const,
    Exists,
    Forall,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
    Term,
    TooComplex,
    Xor,
    canonical,
    complement,
    conjuncts,
    substitute,
)

_SOMETHING, _ANYTHING = "#something", "#anything"
"""With a number, the constants that stand for what a claim generalises about, and for what a premise does."""

_ASSUMED = -1
"""Stands for the line of what no premise says."""

MOST_WAYS = 64
"""In which a claim may be false; beyond them it is not decided."""

Way = tuple[Formula, ...]


class Literal(NamedTuple):
    predicate: str
    positive: bool

    def negated(self) -> Literal:
        return Literal(self.predicate, not self.positive)


class Edge(NamedTuple):
    """An implication between literals of one element, from the premise with number `line`, maybe by contraposition."""

    target: Literal
    line: int
    contraposed: bool


class Fact(NamedTuple):
    """A literal given for `who` (None: for everything) by the premise with number `line`."""

    who: Const | None
    literal: Literal
    line: int


class Closure:
    """The implications and facts of some premises, closed on demand."""

    def __init__(self, premises: Sequence[Formula]) -> None:
        self.premises = tuple(premises)
        self.complete = True
        """False when a premise lies outside the fragment."""
        self.facts: list[Fact] = []
        self.edges: dict[Literal, list[Edge]] = {}
        self._reach: dict[Literal, frozenset[Literal]] = {}
        self._entailed: dict[Formula, bool | None] = {}
        for line, premise in enumerate(premises):
            for part in conjuncts(premise):
                self._add(part, line)
        self._unsatisfiable_rules = any(
            literal.negated() in self.reach(literal) and literal in self.reach(literal.negated())
            for literal in list(self.edges)
            if literal.positive
        )
        self.consistent = self._consistent()
        """Whether the premises have a model; None where that is not decided."""

    def _consistent(self) -> bool | None:
        if self._contradictory([]):
            return False
        return True if self.complete else None

    def _add(self, premise: Formula, line: int) -> None:
        if found := ground_literal(premise):
            self.facts.append(Fact(*found, line))
        elif isinstance(premise, Forall) and (sides := literal_rule(premise)):
            self._add_edge(*sides, line)
        else:
            self._add_clauses(premise, line)

    def _add_clauses(self, premise: Formula, line: int) -> None:
        """What any other premise says: that no way in which it would be false is the case."""
        try:
            ways = _Ways(_ANYTHING).of(premise, False)
        except TooComplex:
            ways = [()]
        for way in ways:
            literals = list(dict.fromkeys(map(ground_literal, way)))
            match literals:
                case [(who, literal)]:
                    self.facts.append(Fact(None if _is_anything(who) else who, literal.negated(), line))
                case [(who, literal), (other, second)] if who == other and _is_anything(who):
                    self._add_edge(literal, second.negated(), line)
                case _:
                    self.complete = False

    def _add_edge(self, source: Literal, target: Literal, line: int) -> None:
        self.edges.setdefault(source, []).append(Edge(target, line, contraposed=False))
        self.edges.setdefault(target.negated(), []).append(Edge(source.negated(), line, contraposed=True))

    def reach(self, literal: Literal) -> frozenset[Literal]:
        """All that the rules give for an element of which `literal` holds, itself included."""
        known = self._reach.get(literal)
        if known is None:
            found, stack = {literal}, [literal]
            while stack:
                for edge in self.edges.get(stack.pop(), ()):
                    if edge.target not in found:
                        found.add(edge.target)
                        stack.append(edge.target)
            known = self._reach[literal] = frozenset(found)
        return known

    def holds_of(self, who: Const, extra: Iterable[Literal] = ()) -> set[Literal]:
        """The closure of the facts about one element, with some literals assumed of it besides."""
        given = [fact.literal for fact in self.facts if fact.who is None or fact.who == who]
        return set().union(*(self.reach(literal) for literal in [*given, *extra]))

    def _contradictory(self, assumed: Sequence[tuple[Const, Literal]]) -> bool:
        return self._unsatisfiable_rules or any(
            _clashes(self.holds_of(who, [literal for other, literal in assumed if other == who]))
            for who in self._elements(assumed)
        )

    def _elements(self, assumed: Sequence[tuple[Const, Literal]]) -> Iterable[Const]:
        named = dict.fromkeys([*(who for who, _ in assumed), *(fact.who for fact in self.facts if fact.who)])
        return named or (Const(_SOMETHING),)

    def entails(self, formula: Formula) -> bool | None:
        """Whether the premises entail a closed formula, classically; None where that is not decided."""
        key = canonical(formula)
        if key not in self._entailed:
            decided = self._entails(key)
            self._entailed[key] = None if decided is False and not self.complete else decided
        return self._entailed[key]

    def _entails(self, formula: Formula) -> bool | None:
        try:
            return _all(self._excludes(way) for way in _Ways(_SOMETHING).of(formula, False))
        except TooComplex:
            return None

    def _excludes(self, way: Way) -> bool | None:
        """Whether the premises contradict these formulas together."""
        literals = [ground_literal(part) for part in way]
        if None not in literals:
            return self._contradictory(literals)  # type: ignore[arg-type]
        consistent = Closure([*self.premises, *way]).consistent
        return None if consistent is None else not consistent

    def counterexample(self, formula: Formula) -> Way | None:
        """Formulas that make this one false and that the premises leave open, where that is how `entails` is False."""
        if self.entails(formula) is not False:
            return None
        return next(way for way in _Ways(_SOMETHING).of(canonical(formula), False) if self._excludes(way) is False)

    def lines_for(self, formula: Formula) -> frozenset[int]:
        """Numbers of premises that entail a formula which `entails` affirms: a path of edges each, or all premises."""
        return frozenset().union(*(self._conflict(way) for way in _Ways(_SOMETHING).of(canonical(formula), False)))

    def _conflict(self, way: Way) -> Iterable[int]:
        literals = [ground_literal(part) for part in way]
        if None not in literals and not self._unsatisfiable_rules:
            for who in self._elements(literals):  # type: ignore[arg-type]
                if lines := self._clash(who, [literal for other, literal in literals if other == who]):  # type: ignore[misc]
                    return lines - {_ASSUMED}
        return range(len(self.premises))

    def _clash(self, who: Const, assumed: Sequence[Literal]) -> set[int]:
        """The lines by which literals of one element come to contradict each other; empty where they do not."""
        given = [(literal, _ASSUMED) for literal in assumed]
        given += [(fact.literal, fact.line) for fact in self.facts if fact.who in (None, who)]
        origins: dict[Literal, tuple[int, Literal | None]] = {}
        queue: deque[tuple[Literal, int, Literal | None]] = deque((literal, line, None) for literal, line in given)
        while queue:
            literal, line, source = queue.popleft()
            if literal not in origins:
                origins[literal] = line, source
                if literal.negated() in origins:
                    return _path(origins, literal) | _path(origins, literal.negated())
                queue.extend((edge.target, edge.line, literal) for edge in self.edges.get(literal, ()))
        return set()


class _Ways:
    """How a formula can come to have a truth value: formulas that are true together, mostly literals.

    A formula has the value exactly where all of one way's are true, for some choice of the elements that get the names
    `element`1 and so on. A universal stays as it is.
    """

    def __init__(self, element: str) -> None:
        self._fresh = (Const(f"{element}{number}") for number in count(1))

    def of(self, formula: Formula, value: bool) -> list[Way]:
        """Errors: TooComplex where there are more than `MOST_WAYS`."""
        match formula:
            case Not(body):
                return self.of(body, not value)
            case And(parts):
                return self._every(parts, True) if value else self._any(parts, False)
            case Or(parts):
                return self._any(parts, True) if value else self._every(parts, False)
            case Implies(antecedent, consequent):
                sides = (complement(antecedent), consequent)
                return self._any(sides, True) if value else self._every(sides, False)
            case Iff(left, right):
                return self._parity((left, right), not value)
            case Xor(parts):
                return self._parity(parts, value)
            case Forall(var, body) | Exists(var, body) if isinstance(formula, Exists) == value:
                return self.of(substitute(body, {var: next(self._fresh)}), value)
            case Exists(var, body):
                return [(Forall(var, complement(body)),)]
        return [(formula if value else Not(formula),)]

    def _any(self, parts: Sequence[Formula], value: bool) -> list[Way]:
        return _few([way for part in parts for way in self.of(part, value)])

    def _every(self, parts: Sequence[Formula], value: bool) -> list[Way]:
        found: list[Way] = [()]
        for part in parts:
            found = _few(_pairs(found, self.of(part, value)))
        return found

    def _parity(self, parts: Sequence[Formula], odd: bool) -> list[Way]:
        """The ways in which an odd, or even, number of the parts is true."""
        found: dict[bool, list[Way]] = {True: [], False: [()]}
        for part in parts:
            true, false = self.of(part, True), self.of(part, False)
            found = {
                parity: _few(_pairs(found[parity], false) + _pairs(found[not parity], true)) for parity in (True, False)
            }
        return found[odd]


def _pairs(left: Sequence[Way], right: Sequence[Way]) -> list[Way]:
    return [(*first, *second) for first in left for second in right]


def _few(ways: list[Way]) -> list[Way]:
    if len(ways) > MOST_WAYS:
        raise TooComplex("this formula can be false in too many ways")
    return ways


def _path(origins: Mapping[Literal, tuple[int, Literal | None]], literal: Literal | None) -> set[int]:
    lines = set()
    while literal is not None:
        line, literal = origins[literal]
        lines.add(line)
    return lines


def _is_anything(who: Const) -> bool:
    return who.name.startswith(_ANYTHING)


def _all(answers: Iterable[bool | None]) -> bool | None:
    seen = set(answers)
    return False if False in seen else None if None in seen else True


def _clashes(literals: set[Literal]) -> bool:
    return any(not literal.positive and literal.negated() in literals for literal in literals)


def ground_literal(formula: Formula) -> tuple[Const, Literal] | None:
    """A one-place literal said of a constant, or None."""
    atom, positive = (formula.body, False) if isinstance(formula, Not) else (formula, True)
    if isinstance(atom, Atom) and len(atom.args) == 1 and isinstance(atom.args[0], Const):
        return atom.args[0], Literal(atom.predicate, positive)
    return None


def literal_formula(literal: Literal, term: Term) -> Formula:
    atom = Atom(literal.predicate, (term,))
    return atom if literal.positive else Not(atom)


def literal_rule(premise: Forall) -> tuple[Literal, Literal] | None:
    """Antecedent and consequent of ∀x (L(x) → L'(x)), the rule that one step applies to a literal, or None."""
    if not isinstance(premise.body, Implies):
        return None
    source = _open_literal(premise.body.antecedent, premise.var)
    target = _open_literal(premise.body.consequent, premise.var)
    return (source, target) if source and target else None


def _open_literal(formula: Formula, var: Term) -> Literal | None:
    atom, positive = (formula.body, False) if isinstance(formula, Not) else (formula, True)
    return Literal(atom.predicate, positive) if isinstance(atom, Atom) and atom.args == (var,) else None
