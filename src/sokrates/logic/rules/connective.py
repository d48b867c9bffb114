"""The rules for ∧, ∨, ⊕ and ¬ that discharge nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from sokrates.logic.formulas import (
    And,
    Formula,
    Not,
    Or,
    TooComplex,
    Xor,
    complement,
    conjuncts,
    disjuncts,
    flat_parts,
    joined,
    match_formula,
    quantify,
    rename_apart,
    same,
    show,
    strip_foralls,
    substitute,
)
from sokrates.logic.rules.rule import Example, Rule, Use, among, distinct, either_order, listed, wrong_shape
from sokrates.logic.verdict import Reason, Refusal

MOST_LINES = 64
"""What a rule for any number of lines takes at the most, and how many results are looked at."""


def _and_intro(use: Use) -> list[Formula]:
    # Each part once: a proof that joins a line with itself again and again must not grow without bound.
    return [joined(And, distinct([part for line in use.lines for part in conjuncts(line)]))]


def _and_elim(use: Use) -> list[Formula]:
    parts = conjuncts(use.lines[0])
    if len(parts) == 1:
        raise wrong_shape("AND_ELIM", "a conjunction", use.lines)
    if isinstance(use.claim, And) and all(among(part, parts) for part in conjuncts(use.claim)):
        return [use.claim]  # several of the parts at once
    return distinct(list(parts))


def _or_intro(use: Use) -> list[Formula]:
    if use.claim is None:
        raise Refusal(Reason.CLAIM_MISSING, "OR_INTRO leaves open what stands beside the line")
    if not isinstance(use.claim, Or):
        raise Refusal(Reason.CLAIM_DIFFERS, f"OR_INTRO gives a disjunction, the thought claims {show(use.claim)}")
    sides = disjuncts(use.claim)
    if not all(among(part, sides) for part in disjuncts(use.lines[0])):
        raise Refusal(Reason.CLAIM_DIFFERS, f"{show(use.lines[0])} is no part of {show(use.claim)}")
    return [use.claim]


def _disjunctive_syllogism(use: Use) -> list[Formula]:
    ways = [(fact, line) for fact, line in either_order(use.lines) if _is_alternative(strip_foralls(line)[1])]
    if not ways:
        raise Refusal(
            Reason.WRONG_SHAPE, f"DISJUNCTIVE_SYLLOGISM needs a disjunction; neither {listed(use.lines)} is one"
        )
    left = (result for fact, line in ways for result in _remaining(fact, line))
    results = list(islice(left, MOST_LINES + 1))
    if len(results) > MOST_LINES:
        raise TooComplex(f"DISJUNCTIVE_SYLLOGISM gives more than {MOST_LINES} results here")
    if not results:
        facts = " or ".join(f"{show(fact)} decides no part of {show(line)}" for fact, line in ways)
        raise Refusal(Reason.ANTECEDENT_MISMATCH, facts)
    return distinct(results)


def _is_alternative(body: Formula) -> bool:
    return isinstance(body, Or | Xor) or (isinstance(body, Not) and isinstance(body.body, Xor))


def _remaining(fact: Formula, line: Formula) -> Iterator[Formula]:
    """What an alternative leaves where the fact decides one of its parts."""
    variables, body = strip_foralls(rename_apart(line, "r"))
    for part, others in _each_part(body):
        outcomes = [(complement(part), joined(Or, others))]
        if not isinstance(body, Or):
            # Without this part an odd number of the others holds, with it an even one; ¬ turns both round.
            left = joined(Xor, others)
            without, beside = (left, complement(left)) if isinstance(body, Xor) else (complement(left), left)
            outcomes = [(complement(part), without), (part, beside)]
        for decided, rest in outcomes:
            for binding in match_formula(decided, fact, variables):
                unbound = [v for v in variables if v not in binding]
                yield quantify(unbound, substitute(rest, binding))


def _each_part(body: Formula) -> Iterator[tuple[Formula, list[Formula]]]:
    """Each part of an alternative with the others, where there are any."""
    alternative = body.body if isinstance(body, Not) else body
    parts = distinct(disjuncts(alternative)) if isinstance(alternative, Or) else list(flat_parts(alternative, Xor))
    for index, part in enumerate(parts):
        if len(parts) > 1:
            yield part, [*parts[:index], *parts[index + 1 :]]


def _double_negation(use: Use) -> list[Formula]:
    match use.lines[0]:
        case Not(Not(body)):
            results = [body]
        case _:
            results = []
    doubled = Not(Not(use.lines[0]))
    if use.claim is not None and same(use.claim, doubled):
        results.append(doubled)
    if not results:
        raise wrong_shape("DOUBLE_NEGATION", "a doubly negated line", use.lines)
    return results


RULES = (
    Rule(
        name="DISJUNCTIVE_SYLLOGISM",
        arguments=("A ∨ B", "¬A"),
        least=2,
        most=2,
        gives="B",
        needs="The lines in either order; ∀ is instantiated as for MODUS_PONENS. From A ⊕ B, ¬A gives B and A "
        "gives ¬B; from ¬(A ⊕ B) the other way round; a chain of ⊕ holds when an odd number of its parts do",
        sentence="An alternative with one side decided leaves the others.",
        example=Example(
            ("Tea(cup) ∨ Coffee(cup) ∨ Milk(cup)", "¬Coffee(cup)"),
            (("DISJUNCTIVE_SYLLOGISM", (0, 1), "Tea(cup) ∨ Milk(cup)"),),
        ),
        apply=_disjunctive_syllogism,
    ),
    Rule(
        name="AND_INTRO",
        arguments=("A", "B", "…"),
        least=2,
        most=MOST_LINES,
        gives="A ∧ B ∧ …",
        sentence="Things that are so are so together.",
        example=Example(("Red(rose)", "Sweet(rose)"), (("AND_INTRO", (0, 1), "Red(rose) ∧ Sweet(rose)"),)),
        apply=_and_intro,
    ),
    Rule(
        name="AND_ELIM",
        arguments=("A ∧ B",),
        least=1,
        most=1,
        gives="A, or B",
        needs="The claim says which part, or which several",
        sentence="Of things that are so together each is so.",
        example=Example(("Red(rose) ∧ Sweet(rose)",), (("AND_ELIM", (0,), "Sweet(rose)"),)),
        apply=_and_elim,
    ),
    Rule(
        name="OR_INTRO",
        arguments=("A",),
        least=1,
        most=1,
        gives="A ∨ B",
        needs="A claim, which says what B is",
        sentence="What is so is so, or something else is.",
        example=Example(("Red(rose)",), (("OR_INTRO", (0,), "White(rose) ∨ Red(rose)"),)),
        apply=_or_intro,
        fits_any_line=True,
    ),
    Rule(
        name="DOUBLE_NEGATION",
        arguments=("¬¬A",),
        least=1,
        most=1,
        gives="A",
        needs="Or the other way round, where that is claimed",
        sentence="What is not not so, is so.",
        example=Example(("¬¬Red(rose)",), (("DOUBLE_NEGATION", (0,), "Red(rose)"),)),
        apply=_double_negation,
        fits_any_line=True,
    ),
)
