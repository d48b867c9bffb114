"""The rules for → and ↔ that discharge nothing."""

from __future__ import annotations

from collections.abc import Sequence

from sokrates.logic.formulas import (
    Forall,
    Formula,
    Iff,
    Implies,
    Var,
    complement,
    match_formula,
    quantify,
    rename_apart,
    same,
    show,
    substitute,
)
from sokrates.logic.rules.rule import (
    Example,
    Rule,
    Use,
    distinct,
    either_order,
    listed,
    universal_biconditional,
    universal_implication,
    wrong_shape,
)
from sokrates.logic.verdict import Reason, Refusal


def _with_rule(lines: Sequence[Formula], name: str) -> list[tuple[Formula, tuple[Var, ...], Implies]]:
    """Both readings of two lines as (fact, implication), in either order. The implication's names are set apart."""
    ways = []
    for fact, rule in either_order(lines):
        if isinstance(rule, Forall | Implies) and (found := universal_implication(rename_apart(rule, "r"))):
            ways.append((fact, *found))
    if not ways:
        raise Refusal(Reason.WRONG_SHAPE, f"{name} needs an implication; neither {listed(lines)} is one")
    return ways


def _detach(lines: Sequence[Formula], name: str, *, backwards: bool) -> list[Formula]:
    results = []
    ways = _with_rule(lines, name)
    for fact, variables, rule in ways:
        given, gives = rule.antecedent, rule.consequent
        if backwards:
            given, gives = complement(rule.consequent), complement(rule.antecedent)
        for binding in match_formula(given, fact, variables):
            unbound = [v for v in variables if v not in binding]
            results.append(quantify(unbound, substitute(gives, binding)))
    if not results:
        wanted = "the negated consequent" if backwards else "the antecedent"
        facts = " or ".join(f"{show(fact)} is not {wanted} of {show(rule)}" for fact, _, rule in ways)
        raise Refusal(Reason.ANTECEDENT_MISMATCH, facts)
    return distinct(results)


def _modus_ponens(use: Use) -> list[Formula]:
    return _detach(use.lines, "MODUS_PONENS", backwards=False)


def _modus_tollens(use: Use) -> list[Formula]:
    return _detach(use.lines, "MODUS_TOLLENS", backwards=True)


def _hypothetical_syllogism(use: Use) -> list[Formula]:
    first, second = (universal_implication(rename_apart(line, tag)) for line, tag in zip(use.lines, "lr", strict=True))
    if first is None or second is None:
        raise wrong_shape("HYPOTHETICAL_SYLLOGISM", "two implications", use.lines)
    results = []
    for (vars_a, a), (vars_b, b) in ((first, second), (second, first)):
        # One side is instantiated to meet the other: enough where both speak of the same things in the same generality.
        for binding in match_formula(b.antecedent, a.consequent, vars_b, rigid=vars_a):
            kept = [*vars_a, *(v for v in vars_b if v not in binding)]
            results.append(quantify(kept, Implies(a.antecedent, substitute(b.consequent, binding))))
        for binding in match_formula(a.consequent, b.antecedent, vars_a, rigid=vars_b):
            kept = [*vars_b, *(v for v in vars_a if v not in binding)]
            results.append(quantify(kept, Implies(substitute(a.antecedent, binding), b.consequent)))
    if not results:
        raise Refusal(
            Reason.ANTECEDENT_MISMATCH, f"neither consequent in {listed(use.lines)} is the other's antecedent"
        )
    return distinct(results)


def _biconditional_intro(use: Use) -> list[Formula]:
    first, second = (universal_implication(rename_apart(line, "r")) for line in use.lines)
    if first is None or second is None:
        raise wrong_shape("BICONDITIONAL_INTRO", "two implications", use.lines)
    (variables, there), (other_variables, back) = first, second
    # Names are given by depth, so that the same ∀s in the same order have the same variables.
    converse = same(there.antecedent, back.consequent) and same(there.consequent, back.antecedent)
    if variables != other_variables or not converse:
        raise Refusal(Reason.ANTECEDENT_MISMATCH, f"{show(use.lines[1])} is not the converse of {show(use.lines[0])}")
    return [quantify(variables, Iff(there.antecedent, there.consequent))]


def _biconditional_elim(use: Use) -> list[Formula]:
    found = universal_biconditional(rename_apart(use.lines[0], "r"))
    if found is None:
        raise wrong_shape("BICONDITIONAL_ELIM", "a biconditional", use.lines)
    variables, both = found
    return [
        quantify(variables, Implies(both.left, both.right)),
        quantify(variables, Implies(both.right, both.left)),
    ]


RULES = (
    Rule(
        name="MODUS_PONENS",
        arguments=("A", "A → B"),
        least=2,
        most=2,
        gives="B",
        needs="The lines in either order. A universal implication is instantiated in the same step; variables "
        "that the fact leaves open stay ∀",
        sentence="What is so, and leads to something, gives it.",
        example=Example(
            ("Cat(tom)", "∀x (Cat(x) → Mammal(x))"),
            (("MODUS_PONENS", (0, 1), "Mammal(tom)"),),
        ),
        apply=_modus_ponens,
    ),
    Rule(
        name="MODUS_TOLLENS",
        arguments=("¬B", "A → B"),
        least=2,
        most=2,
        gives="¬A",
        needs="As for MODUS_PONENS",
        sentence="What would lead to something that is not so, is not so either.",
        example=Example(
            ("¬Mammal(tom)", "∀x (Cat(x) → Mammal(x))"),
            (("MODUS_TOLLENS", (0, 1), "¬Cat(tom)"),),
        ),
        apply=_modus_tollens,
    ),
    Rule(
        name="HYPOTHETICAL_SYLLOGISM",
        arguments=("A → B", "B → C"),
        least=2,
        most=2,
        gives="A → C",
        needs="The lines in either order, also under ∀",
        sentence="What leads to something leads to all that this leads to.",
        example=Example(
            ("∀x (Cat(x) → Mammal(x))", "∀x (Mammal(x) → Animal(x))"),
            (("HYPOTHETICAL_SYLLOGISM", (0, 1), "∀x (Cat(x) → Animal(x))"),),
        ),
        apply=_hypothetical_syllogism,
    ),
    Rule(
        name="BICONDITIONAL_INTRO",
        arguments=("A → B", "B → A"),
        least=2,
        most=2,
        gives="A ↔ B",
        needs="Both under the same ∀s, or under none",
        sentence="Two things that lead to each other go together.",
        example=Example(
            ("Rain → Wet", "Wet → Rain"),
            (("BICONDITIONAL_INTRO", (0, 1), "Rain ↔ Wet"),),
        ),
        apply=_biconditional_intro,
    ),
    Rule(
        name="BICONDITIONAL_ELIM",
        arguments=("A ↔ B",),
        least=1,
        most=1,
        gives="A → B, or B → A",
        needs="The claim says which; also under ∀",
        sentence="Of two things that go together each leads to the other.",
        example=Example(
            ("∀x (Square(x) ↔ Regular(x))",),
            (("BICONDITIONAL_ELIM", (0,), "∀x (Regular(x) → Square(x))"),),
        ),
        apply=_biconditional_elim,
    ),
)
