"""How formulas are built from their parts and taken apart by each other, as tables for the search.

Contract: `compositions` gives, for a formula, the sets of smaller formulas from which `compose` derives it in a few
steps, some of them behind an assumption of their own. `eliminations` gives the ways in which another line takes a line
apart: where the pattern is met, the rule gives the result. It does not know how to build ∀, nor ⊕, for which there is
no rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from sokrates.logic.formulas import (
    And,
    Atom,
    Exists,
    Forall,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
    Var,
    Xor,
    canonical,
    complement,
    conjuncts,
    disjuncts,
    flat_parts,
    joined,
    parts_of,
    rename_apart,
    strip_foralls,
)
from sokrates.logic.lines import Line, Pad

Shape = tuple[object, bool]


def shape(formula: Formula) -> Shape:
    """What formulas must share to be matched: a literal's predicate and sign, or the connective and its sign."""
    body, positive = (formula.body, False) if isinstance(formula, Not) else (formula, True)
    return (body.predicate if isinstance(body, Atom) else type(body), positive)


def is_literal(formula: Formula) -> bool:
    return isinstance(formula.body if isinstance(formula, Not) else formula, Atom)


@lru_cache(maxsize=1 << 16)
def free_variables(formula: Formula) -> frozenset[Var]:
    if isinstance(formula, Atom):
        return frozenset(term for term in formula.args if isinstance(term, Var))
    inner = frozenset[Var]().union(*map(free_variables, parts_of(formula)))
    return inner - {formula.var} if isinstance(formula, Forall | Exists) else inner


def compositions(formula: Formula) -> list[tuple[Formula, ...]]:
    """The alternatives: each some formulas, ∃ and ¬∀ aside, from which this one is built."""
    match formula:
        case And():
            return [tuple(dict.fromkeys(conjuncts(formula)))]
        case Or():
            return [(part,) for part in dict.fromkeys(disjuncts(formula))]
        case Implies(antecedent, consequent):
            return [(consequent,), (complement(antecedent),)]
        case Iff(left, right):
            return [(Implies(left, right), Implies(right, left))]
        case Xor():
            parts = flat_parts(formula, Xor)
            if len(parts) == 2:
                return [(parts[0], complement(parts[1])), (complement(parts[0]), parts[1])]
        case Not(body):
            return _denials(body)
    return []


def _denials(body: Formula) -> list[tuple[Formula, ...]]:
    """From what ¬body is built."""
    match body:
        case Not(inner):
            return [(inner,)]
        case And():
            return [(complement(part),) for part in dict.fromkeys(conjuncts(body))]
        case Or():
            return [tuple(complement(part) for part in dict.fromkeys(disjuncts(body)))]
        case Implies(antecedent, consequent):
            return [(antecedent, complement(consequent))]
        case Iff(left, right):
            return [(left, complement(right)), (right, complement(left))]
        case Xor():
            parts = flat_parts(body, Xor)
            if len(parts) == 2:
                return [parts, tuple(map(complement, parts))]
            return [tuple(map(complement, parts))] if len(parts) > 2 else []
    return []


def compose(pad: Pad, goal: Formula, lines: Sequence[Line]) -> Line:
    """The goal from the lines of one of its `compositions`, or for ∃ and ¬∀ from an instance."""
    match goal:
        case And():
            return pad.derive("AND_INTRO", goal, *lines)
        case Or():
            return pad.derive("OR_INTRO", goal, lines[0])
        case Exists():
            return pad.derive("EXIST_GENERALIZATION", goal, lines[0])
        case Iff():
            return pad.derive("BICONDITIONAL_INTRO", goal, *lines)
        case Xor():
            assumed = pad.assume(Not(goal))
            return pad.contradiction(
                assumed, pad.derive("DISJUNCTIVE_SYLLOGISM", complement(lines[1].formula), lines[0], assumed), lines[1]
            )
        case Implies(antecedent, consequent):
            assumed = pad.assume(antecedent)
            if lines[0].key != canonical(consequent):
                denied = pad.assume(complement(consequent))
                result = pad.as_goal(pad.contradiction(denied, assumed, lines[0]), consequent)
                return pad.derive("CONDITIONAL_PROOF", goal, assumed, result)
            return pad.derive("CONDITIONAL_PROOF", goal, assumed, lines[0])
        case Not(Not()):
            return pad.derive("DOUBLE_NEGATION", goal, lines[0])
        case Not(body):
            assumed = pad.assume(body)
            return pad.contradiction(assumed, *_clash(pad, assumed, body, lines))
    raise AssertionError(f"{goal} is not built from parts")


def _clash(pad: Pad, assumed: Line, body: Formula, lines: Sequence[Line]) -> tuple[Line, Line]:
    """What contradicts each other where a formula is assumed whose denial is built from these lines."""
    last = lines[-1]
    denied = complement(last.formula)
    match body:
        case And():
            return pad.derive("AND_ELIM", denied, assumed), last
        case Or() | Xor():
            return _remaining(pad, assumed, body, lines)
        case Implies():
            return pad.derive("MODUS_PONENS", denied, lines[0], assumed), last
        case Iff():
            implication = pad.derive("BICONDITIONAL_ELIM", Implies(lines[0].formula, denied), assumed)
            return pad.derive("MODUS_PONENS", denied, lines[0], implication), last
        case Forall():
            return pad.derive("UNIV_INSTANTIATION", denied, assumed), last
    raise AssertionError(f"¬{body} is not built from parts")


def _remaining(pad: Pad, assumed: Line, body: Or | Xor, lines: Sequence[Line]) -> tuple[Line, Line]:
    """Part after part of an alternative taken away, until one is left."""
    kind = type(body)
    parts = list(dict.fromkeys(disjuncts(body))) if isinstance(body, Or) else list(flat_parts(body, Xor))
    left = assumed
    for line in lines[:-1]:
        denied = line.key == canonical(complement(parts[0]))
        parts = parts[1:]
        rest = joined(kind, parts)
        left = pad.derive("DISJUNCTIVE_SYLLOGISM", rest if denied else complement(rest), line, left)
    return left, lines[-1]


class Elimination(NamedTuple):
    """One way to take a line apart: by `rule`, with a line that meets the pattern."""

    rule: str
    pattern: Formula
    result: Formula
    variables: tuple[Var, ...]


@lru_cache(maxsize=1 << 16)
def eliminations(formula: Formula) -> tuple[Elimination, ...]:
    variables, body = strip_foralls(rename_apart(formula, "p"))
    match body:
        case Implies(antecedent, consequent):
            return (
                Elimination("MODUS_PONENS", antecedent, consequent, variables),
                Elimination("MODUS_TOLLENS", complement(consequent), complement(antecedent), variables),
            )
        case Or() | Xor() | Not(Xor()):
            return tuple(
                Elimination("DISJUNCTIVE_SYLLOGISM", decided, left, variables) for decided, left in _decisions(body)
            )
    return ()


def _decisions(body: Formula) -> list[tuple[Formula, Formula]]:
    """What decides a part of ∨, ⊕ or ¬⊕, and what that leaves of it."""
    alternative = body.body if isinstance(body, Not) else body
    exclusive = isinstance(alternative, Xor)
    parts = list(flat_parts(alternative, Xor)) if exclusive else list(dict.fromkeys(disjuncts(alternative)))
    found = []
    for place, part in enumerate(parts):
        others = parts[:place] + parts[place + 1 :]
        if others:
            rest = joined(Xor if exclusive else Or, others)
            if isinstance(body, Not):
                rest = complement(rest)
            found.append((complement(part), rest))
            if exclusive:
                found.append((part, complement(rest)))
    return found


def pieces(denied: Formula) -> list[Formula]:
    """For a line ¬A, what may be assumed so that A can be built, and ¬A contradicts it. ∃ aside."""
    match denied:
        case And() | Or():
            return list(dict.fromkeys(flat_parts(denied, type(denied))))
        case Implies(antecedent, consequent):
            return [complement(antecedent), consequent]
        case Iff(left, right):
            return [left, complement(left), right, complement(right)]
    return []
