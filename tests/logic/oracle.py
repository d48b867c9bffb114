"""An independent judge of entailment: formulas translated to z3 over one uninterpreted sort."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import z3

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
    Term,
    Var,
    Xor,
)

_ELEMENT = z3.DeclareSort("Element")


def translate(formula: Formula, scope: dict[Var, z3.ExprRef] | None = None) -> z3.BoolRef:
    """A closed formula as z3's. A variable bound again inside stands for the inner one."""
    scope = scope or {}
    match formula:
        case Atom(predicate, args) if predicate == EQUALS:
            return _term(args[0], scope) == _term(args[1], scope)
        case Atom(predicate, args):
            sorts = [_ELEMENT] * len(args)
            return z3.Function(f"{predicate}/{len(args)}", *sorts, z3.BoolSort())(*(_term(a, scope) for a in args))
        case Not(body):
            return z3.Not(translate(body, scope))
        case And(parts):
            return z3.And(*(translate(part, scope) for part in parts))
        case Or(parts):
            return z3.Or(*(translate(part, scope) for part in parts))
        case Xor(parts):
            return functools.reduce(z3.Xor, (translate(part, scope) for part in parts))
        case Implies(antecedent, consequent):
            return z3.Implies(translate(antecedent, scope), translate(consequent, scope))
        case Iff(left, right):
            return translate(left, scope) == translate(right, scope)
        case Forall(var, body) | Exists(var, body):
            bound = z3.Const(f"variable {len(scope)} {var.name}", _ELEMENT)
            quantifier = z3.ForAll if isinstance(formula, Forall) else z3.Exists
            return quantifier([bound], translate(body, {**scope, var: bound}))


def _term(term: Term, scope: dict[Var, z3.ExprRef]) -> z3.ExprRef:
    return z3.Const(f"constant {term.name}", _ELEMENT) if isinstance(term, Const) else scope[term]


def entails(premises: Sequence[Formula], claim: Formula) -> bool:
    """Whether z3 proves the claim from these premises alone, classically. Errors: AssertionError if it cannot tell."""
    answer = decided(premises, claim)
    assert answer is not None, f"z3 does not decide whether {premises} entail {claim}"
    return answer


def decided(premises: Sequence[Formula], claim: Formula) -> bool | None:
    """Whether z3 proves the claim from these premises, or finds a counter-model; None where it does neither."""
    formulas = [*map(translate, premises), z3.Not(translate(claim))]
    answer = _unsatisfiable(formulas, milliseconds=500)
    if answer is None and any(_unsatisfiable([*formulas, _few(size)], milliseconds=500) is False for size in (1, 2, 3)):
        return False
    return answer


def _few(size: int) -> z3.BoolRef:
    """That there are at most so many things: a model found so is a model all the same."""
    anything = z3.Const("anything", _ELEMENT)
    return z3.ForAll([anything], z3.Or(*(anything == z3.Const(f"element {n}", _ELEMENT) for n in range(size))))


def contradict(premises: Sequence[Formula]) -> bool:
    """Whether z3 shows that the premises have no model."""
    return _unsatisfiable([translate(premise) for premise in premises]) is True


def equivalent(left: Formula, right: Formula) -> bool:
    """Whether z3 refutes neither way; of two formulas with quantifiers it cannot always prove both."""
    return decided([left], right) is not False and decided([right], left) is not False


def _unsatisfiable(formulas: Sequence[z3.BoolRef], milliseconds: int = 10_000) -> bool | None:
    solver = z3.SimpleSolver()
    solver.set("timeout", milliseconds)
    solver.add(*formulas)
    answer = solver.check()
    return None if answer == z3.unknown else answer == z3.unsat
