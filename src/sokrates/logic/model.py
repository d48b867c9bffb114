"""Finite models: what is true in one case, worked out by the plain reading of the connectives.

Contract: `holds` says whether a closed formula over the model's names is true in it; `reasons` gives literals, all true
in the model, that alone make the formula true, or false, in every model with this domain. Nothing here searches.
Predicates are told apart by name and number of places; a tuple that is not in a relation is false.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from sokrates.logic.formulas import (
    EQUALS,
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
    TooComplex,
    Var,
    Xor,
    complement,
    substitute,
)

MOST_EVALUATIONS = 10_000
"""How many subformulas one question may look at; a formula of n nested quantifiers over k elements takes kⁿ."""

Relation = frozenset[tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Model:
    """Elements 0, 1, …: what each constant names, what names each element, and where each predicate is true."""

    named: Mapping[Const, int]
    names: tuple[Const, ...]
    """A name for every element: one of its constants, or one that no premise uses."""
    relations: Mapping[tuple[str, int], Relation]

    def holds(self, formula: Formula) -> bool:
        """Errors: TooComplex where that takes too many evaluations."""
        return _Evaluation(self).holds(formula, {})

    def reasons(self, formula: Formula) -> list[Formula]:
        """Literals, true here, because of which the formula is as it is here. Errors: TooComplex."""
        evaluation = _Evaluation(self)
        return list(dict.fromkeys(evaluation.reasons(formula, evaluation.holds(formula, {}))))


class _Evaluation:
    """One question to a model, which gives up after a number of evaluations."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.left = MOST_EVALUATIONS

    def holds(self, formula: Formula, scope: Mapping[Var, int]) -> bool:
        self.left -= 1
        if self.left < 0:
            raise TooComplex("this formula takes too long to evaluate")
        match formula:
            case Atom(predicate, args):
                found = tuple(self.model.named[a] if isinstance(a, Const) else scope[a] for a in args)
                if predicate == EQUALS:
                    return found[0] == found[1]
                return found in self.model.relations.get((predicate, len(args)), ())
            case Not(body):
                return not self.holds(body, scope)
            case And(parts):
                return all(self.holds(part, scope) for part in parts)
            case Or(parts):
                return any(self.holds(part, scope) for part in parts)
            case Xor(parts):
                return sum(self.holds(part, scope) for part in parts) % 2 == 1
            case Implies(antecedent, consequent):
                return not self.holds(antecedent, scope) or self.holds(consequent, scope)
            case Iff(left, right):
                return self.holds(left, scope) == self.holds(right, scope)
            case Forall(var, body):
                return all(self.holds(body, {**scope, var: e}) for e in range(len(self.model.names)))
            case Exists(var, body):
                return any(self.holds(body, {**scope, var: e}) for e in range(len(self.model.names)))

    def reasons(self, formula: Formula, value: bool) -> Iterable[Formula]:
        """Literals because of which a closed formula has its value here."""
        match formula:
            case Atom():
                return [formula if value else complement(formula)]
            case Not(body):
                return self.reasons(body, not value)
            case And(parts):
                return self._all(parts, True) if value else self._one(parts, False)
            case Or(parts):
                return self._one(parts, True) if value else self._all(parts, False)
            case Implies(antecedent, consequent):
                sides = (complement(antecedent), consequent)
                return self._one(sides, True) if value else self._all(sides, False)
            case Xor(parts):
                return [reason for part in parts for reason in self.reasons(part, self.holds(part, {}))]
            case Iff(left, right):
                return self.reasons(Xor((left, right)), not value)
            case Forall(var, body) | Exists(var, body):
                instances = [substitute(body, {var: name}) for name in self.model.names]
                every = isinstance(formula, Forall) == value
                return self._all(instances, value) if every else self._one(instances, value)

    def _all(self, formulas: Sequence[Formula], value: bool) -> list[Formula]:
        return [reason for formula in formulas for reason in self.reasons(formula, value)]

    def _one(self, formulas: Sequence[Formula], value: bool) -> Iterable[Formula]:
        return self.reasons(next(f for f in formulas if self.holds(f, {}) == value), value)


def unused_names(taken: Collection[Const]) -> Iterator[Const]:
    """X, Y, Z, X', Y', …, for elements that no constant names; both languages read them as names."""
    spelled = (letter + "'" * primes for primes in count() for letter in "XYZ")
    return (who for who in map(Const, spelled) if who not in taken)
