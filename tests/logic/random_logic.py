"""Random formulas, theories and steps: made so that variables shadow each other and many steps are nearly right."""

from __future__ import annotations

import random
from collections.abc import Sequence

from sokrates.logic.formulas import (
    And,
    Atom,
    Const,
    Forall,
    Formula,
    Implies,
    Not,
    Var,
    complement,
    conjuncts,
    constants,
    quantify,
    substitute,
)

UNARY, BINARY = ("P", "Q", "R"), ("S", "T")
CONSTANTS = (Const("a"), Const("b"), Const("c"))
VARIABLES = (Var("x"), Var("y"), Var("z"))


def atom(rng: random.Random, scope: Sequence[Var]) -> Atom:
    arity = rng.choice((1, 1, 2))
    terms = [*scope, *scope, *CONSTANTS]
    return Atom(rng.choice(UNARY if arity == 1 else BINARY), tuple(rng.choice(terms) for _ in range(arity)))


def literal(rng: random.Random, scope: Sequence[Var]) -> Formula:
    found = atom(rng, scope)
    return Not(found) if rng.random() < 0.4 else found


def formula(rng: random.Random, depth: int, scope: Sequence[Var] = ()) -> Formula:
    """Any formula without free variables but those in scope; a quantifier may bind a name of the scope again."""
    kind = rng.choice(("atom", "not", "and", "implies", "forall")) if depth else "atom"
    match kind:
        case "not":
            return Not(formula(rng, depth - 1, scope))
        case "and":
            return And(tuple(formula(rng, depth - 1, scope) for _ in range(rng.choice((2, 2, 3)))))
        case "implies":
            return Implies(formula(rng, depth - 1, scope), formula(rng, depth - 1, scope))
        case "forall":
            var = rng.choice(VARIABLES)
            return Forall(var, formula(rng, depth - 1, [*scope, var]))
    return atom(rng, scope)


def open_rule(rng: random.Random) -> tuple[tuple[Var, ...], Implies]:
    """The variables of a rule and the implication under them, mostly of literals, sometimes of anything."""
    variables = tuple(rng.sample(VARIABLES, rng.choice((0, 1, 1, 2, 2, 3))))
    return variables, Implies(_side(rng, variables), _side(rng, variables))


def _side(rng: random.Random, scope: Sequence[Var]) -> Formula:
    kind = rng.random()
    if kind < 0.6:
        return literal(rng, scope)
    if kind < 0.75:
        return And((literal(rng, scope), literal(rng, scope)))
    return formula(rng, 2, scope)


def instance(rng: random.Random, variables: Sequence[Var], body: Formula) -> Formula:
    return substitute(body, {var: rng.choice(CONSTANTS) for var in variables})


def lines(rng: random.Random) -> list[Formula]:
    """Lines that go together: rules, what fires them, what chains on to them, and some that only look so."""
    found: list[Formula] = []
    for _ in range(2):
        variables, rule = open_rule(rng)
        found.append(quantify(variables, rule))
        found.append(instance(rng, variables, rule.antecedent))
        found.append(complement(instance(rng, variables, rule.consequent)))
        chained = Implies(rule.consequent, _side(rng, variables))
        kept = tuple(rng.sample(variables, len(variables)))
        found.append(quantify(kept, chained) if rng.random() < 0.7 else instance(rng, variables, chained))
    found.append(And((formula(rng, 1), formula(rng, 1))))
    found.append(Not(Not(formula(rng, 1))))
    found.append(formula(rng, 3))
    rng.shuffle(found)
    return found


def disguised(rng: random.Random, whole: Formula) -> Formula:
    """The same formula in other words: bound variables renamed, conjunctions reordered, nested and repeated."""
    return _disguised(rng, whole, {})


def _disguised(rng: random.Random, whole: Formula, names: dict[Var, Var]) -> Formula:
    match whole:
        case Atom(predicate, args):
            return Atom(predicate, tuple(names.get(a, a) if isinstance(a, Var) else a for a in args))
        case Not(body):
            return Not(_disguised(rng, body, names))
        case Implies(antecedent, consequent):
            return Implies(_disguised(rng, antecedent, names), _disguised(rng, consequent, names))
        case Forall(var, body):
            fresh = Var(f"v{rng.randrange(10**9)}")
            return Forall(fresh, _disguised(rng, body, {**names, var: fresh}))
    parts = [_disguised(rng, part, names) for part in conjuncts(whole)]
    rng.shuffle(parts)
    if rng.random() < 0.5:
        parts.append(rng.choice(parts))
    if len(parts) > 2 and rng.random() < 0.5:
        parts[:2] = [And(tuple(parts[:2]))]
    return And(tuple(parts))


def tampered(rng: random.Random, whole: Formula) -> Formula:
    """A formula near this one that mostly does not follow where it does."""
    kind = rng.choice(("negate", "constant", "converse", "inside", "rebind"))
    match kind, whole:
        case "constant", _ if constants(whole):
            old, new = rng.choice(sorted(constants(whole), key=str)), rng.choice(CONSTANTS)
            return _replace(whole, old, new)
        case "converse", Implies(antecedent, consequent):
            return Implies(consequent, antecedent)
        case _, Forall(var, body):
            other = rng.choice(VARIABLES) if kind == "rebind" else var
            return Forall(other, tampered(rng, substitute(body, {var: other})))
        case "inside", Implies(antecedent, consequent):
            return Implies(tampered(rng, antecedent), consequent)
        case "inside", And(parts):
            return And((tampered(rng, parts[0]), *parts[1:]))
    return complement(whole)


def _replace(whole: Formula, old: Const, new: Const) -> Formula:
    match whole:
        case Atom(predicate, args):
            return Atom(predicate, tuple(new if a == old else a for a in args))
        case Not(body):
            return Not(_replace(body, old, new))
        case And(parts):
            return And(tuple(_replace(part, old, new) for part in parts))
        case Implies(antecedent, consequent):
            return Implies(_replace(antecedent, old, new), _replace(consequent, old, new))
        case Forall(var, body):
            return Forall(var, _replace(body, old, new))
