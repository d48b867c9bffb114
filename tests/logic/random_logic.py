"""Random formulas, theories and steps: made so that variables shadow each other and many steps are nearly right."""

from __future__ import annotations

import random
from collections.abc import Sequence

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
    Var,
    Xor,
    complement,
    constants,
    flat_parts,
    parts_of,
    quantify,
    rebuilt,
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
    kind = rng.choice((Atom, Not, And, Or, Xor, Implies, Implies, Iff, Forall, Forall, Exists)) if depth else Atom
    if kind is Atom:
        return atom(rng, scope)
    if kind is Not:
        return Not(formula(rng, depth - 1, scope))
    if kind in (And, Or, Xor):
        return kind(tuple(formula(rng, depth - 1, scope) for _ in range(rng.choice((2, 2, 3)))))
    if kind in (Implies, Iff):
        return kind(formula(rng, depth - 1, scope), formula(rng, depth - 1, scope))
    var = rng.choice(VARIABLES)
    return kind(var, formula(rng, depth - 1, [*scope, var]))


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
    found += _connected(rng)
    found.append(And((formula(rng, 1), formula(rng, 1))))
    found.append(Not(Not(formula(rng, 1))))
    found.append(formula(rng, 3))
    rng.shuffle(found)
    return found


def _connected(rng: random.Random) -> list[Formula]:
    """An alternative with what decides it, a ↔ with its two halves, and an ∃, some of them under a ∀."""
    scope = tuple(rng.sample(VARIABLES, rng.choice((0, 0, 1))))
    sides = tuple(literal(rng, scope) for _ in range(rng.choice((2, 2, 3))))
    there = tuple(rng.sample(VARIABLES, rng.choice((0, 1))))
    left, right = literal(rng, there), literal(rng, there)
    decided = rng.choice((complement(sides[0]), complement(sides[-1]), sides[0]))
    var = rng.choice(VARIABLES)
    return [
        quantify(scope, rng.choice((Or, Or, Xor))(sides)),
        instance(rng, scope, decided),
        quantify(there, Iff(left, right)),
        quantify(there, Implies(left, right)),
        quantify(there, Implies(right, left)),
        Exists(var, rng.choice((literal(rng, (var,)), And((literal(rng, (var,)), literal(rng, (var,))))))),
    ]


def disguised(rng: random.Random, whole: Formula) -> Formula:
    """The same formula in other words: bound variables renamed, conjunctions reordered, nested and repeated."""
    return _disguised(rng, whole, {})


def _disguised(rng: random.Random, whole: Formula, names: dict[Var, Var]) -> Formula:
    match whole:
        case Atom(predicate, args):
            return Atom(predicate, tuple(names.get(a, a) if isinstance(a, Var) else a for a in args))
        case Forall(var, body) | Exists(var, body):
            fresh = Var(f"v{rng.randrange(10**9)}")
            return type(whole)(fresh, _disguised(rng, body, {**names, var: fresh}))
        case Not() | Implies():
            return rebuilt(whole, [_disguised(rng, part, names) for part in parts_of(whole)])
        case Iff():
            sides = [_disguised(rng, part, names) for part in parts_of(whole)]
            rng.shuffle(sides)
            return Iff(*sides)
    kind = type(whole)
    parts = [_disguised(rng, part, names) for part in flat_parts(whole, kind)]
    rng.shuffle(parts)
    if kind is not Xor and rng.random() < 0.5:
        parts.append(rng.choice(parts))
    if len(parts) > 2 and rng.random() < 0.5:
        parts[:2] = [kind(tuple(parts[:2]))]
    return kind(tuple(parts))


def tampered(rng: random.Random, whole: Formula) -> Formula:
    """A formula near this one that mostly does not follow where it does."""
    kind = rng.choice(("negate", "constant", "converse", "inside", "rebind", "connective", "quantifier"))
    match kind, whole:
        case "constant", _ if constants(whole):
            old, new = rng.choice(sorted(constants(whole), key=str)), rng.choice(CONSTANTS)
            return _replace(whole, old, new)
        case "converse", Implies(antecedent, consequent):
            return Implies(consequent, antecedent)
        case "connective", And(parts) | Or(parts) | Xor(parts):
            return rng.choice((And, Or, Xor))(parts)
        case "quantifier", Forall(var, body):
            return Exists(var, body)
        case "quantifier", Exists(var, body):
            return Forall(var, body)
        case _, Forall(var, body) | Exists(var, body):
            other = rng.choice(VARIABLES) if kind == "rebind" else var
            return type(whole)(other, tampered(rng, substitute(body, {var: other})))
        case "inside", And() | Or() | Xor() | Implies() | Iff():
            first, *others = parts_of(whole)
            return rebuilt(whole, [tampered(rng, first), *others])
    return complement(whole)


def _replace(whole: Formula, old: Const, new: Const) -> Formula:
    if isinstance(whole, Atom):
        return Atom(whole.predicate, tuple(new if a == old else a for a in whole.args))
    return rebuilt(whole, [_replace(part, old, new) for part in parts_of(whole)])
