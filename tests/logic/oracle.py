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
    return _unsatisfiable([*map(translate, premises), z3.Not(translate(claim))])


def contradict(premises: Sequence[Formula]) -> bool:
    """Whether z3 shows that the premises have no model."""
    return _unsatisfiable([translate(premise) for premise in premises])


def equivalent(left: Formula, right: Formula) -> bool:
    return entails([left], right) and entails([right], left)


def _unsatisfiable(formulas: Sequence[z3.BoolRef]) -> bool:
    solver = z3.SimpleSolver()
    solver.set("timeout", 10_000)
    solver.add(*formulas)
    answer = solver.check()
    assert answer != z3.unknown, f"z3 does not decide {formulas}: {solver.reason_unknown()}"
    return answer == z3.unsat
