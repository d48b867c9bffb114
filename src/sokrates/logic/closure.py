"""What premises entail, decided completely for PrOntoQA's theories.

The fragment: ground literals of one-place predicates, ∀x L(x), ∀x (L(x) → L'(x)) with literals on both sides, and
conjunctions of these (in a consequent too). Such a theory is a set of clauses of at most two literals for each
constant. A satisfiable two-literal theory stays satisfiable under a set of literals exactly when closing that set under
its implications and their contrapositives meets no contradiction (the argument behind 2-SAT: Aspvall, Plass and Tarjan,
1979), so a formula is entailed exactly when its negation, as literals, closes to one. Without functions and equality
the constants, or one fresh element for a generalised claim, are all the domain that matters.

Outside the fragment `entails` still answers True where the part inside it proves the claim, and otherwise None.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sokrates.logic.formulas import (
    And,
    Atom,
    Const,
    Forall,
    Formula,
    Implies,
    Not,
    Term,
    canonical,
    complement,
    conjuncts,
    substitute,
)

_SOMETHING = Const("#something")
"""A constant that no premise names: the element that a generalised claim speaks of."""


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
            return
        if isinstance(premise, Forall):
            body = premise.body
            if isinstance(body, Implies) and (source := _open_literal(body.antecedent, premise.var)):
                targets = [_open_literal(part, premise.var) for part in conjuncts(body.consequent)]
                if all(targets):
                    for target in targets:
                        self._add_edge(source, target, line)  # type: ignore[arg-type]
                    return
            if literal := _open_literal(body, premise.var):
                self.facts.append(Fact(None, literal, line))
                return
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
        elements = {who for who, _ in assumed} | {fact.who for fact in self.facts if fact.who} or {_SOMETHING}
        return self._unsatisfiable_rules or any(
            _clashes(self.holds_of(who, [literal for other, literal in assumed if other == who])) for who in elements
        )

    def entails(self, formula: Formula) -> bool | None:
        """Whether the premises entail a closed formula, classically; None where that is not decided."""
        key = canonical(formula)
        if key not in self._entailed:
            decided = self._entails(key, ())
            self._entailed[key] = None if decided is False and not self.complete else decided
        return self._entailed[key]

    def _entails(self, formula: Formula, assumed: tuple[tuple[Const, Literal], ...]) -> bool | None:
        match formula:
            case And(parts):
                return _all(self._entails(part, assumed) for part in parts)
            case Forall(var, body):
                # Canonical formulas name variables by depth: each ∀ of a path speaks of an element of its own.
                element = Const(f"{_SOMETHING.name}{var.name}")
                return self._entails(substitute(body, {var: element}), assumed)
            case Implies(antecedent, consequent):
                literals = _ground_literals(antecedent)
                return None if literals is None else self._entails(consequent, (*assumed, *literals))
            case Not(Not(body)):
                return self._entails(body, assumed)
            case Not(Forall() as denied):
                # Entailed exactly when the premises contradict what it denies.
                lines = [*self.premises, *(literal_formula(literal, who) for who, literal in assumed), denied]
                consistent = Closure(lines).consistent
                return None if consistent is None else not consistent
            case Not(Implies(antecedent, consequent)):
                return self._entails(And((antecedent, complement(consequent))), assumed)
        literals = _ground_literals(complement(formula))
        return None if literals is None else self._contradictory([*assumed, *literals])


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


def _open_literal(formula: Formula, var: Term) -> Literal | None:
    atom, positive = (formula.body, False) if isinstance(formula, Not) else (formula, True)
    return Literal(atom.predicate, positive) if isinstance(atom, Atom) and atom.args == (var,) else None


def _ground_literals(formula: Formula) -> tuple[tuple[Const, Literal], ...] | None:
    literals = [ground_literal(part) for part in conjuncts(formula)]
    return None if any(literal is None for literal in literals) else tuple(literals)  # type: ignore[arg-type]
