"""ASSUME, and the rules that discharge what was assumed; EXIST_INSTANTIATION stands with the quantifiers."""

from __future__ import annotations

from collections.abc import Sequence

from sokrates.logic.formulas import (
    Formula,
    Implies,
    Or,
    Xor,
    complement,
    flat_parts,
    same,
    show,
)
from sokrates.logic.rules.connective import MOST_LINES
from sokrates.logic.rules.rule import Discharge, Example, Rule, Use, among, distinct, wrong_shape
from sokrates.logic.verdict import Reason, Refusal

ASSUME = "ASSUME"


def _assume(use: Use) -> list[Formula]:
    if use.claim is None:
        raise Refusal(Reason.CLAIM_MISSING, "ASSUME needs a thought that states what is assumed")
    return [use.claim]


def _conditional_proof(use: Use) -> list[Formula]:
    assumption, result = use.lines
    return [Implies(assumption, result)]


def _contradiction(use: Use) -> list[Formula]:
    assumption, one, other = use.lines
    if not (same(one, complement(other)) or same(other, complement(one))):
        raise Refusal(Reason.WRONG_SHAPE, f"{show(one)} and {show(other)} do not contradict each other")
    return [complement(assumption)]


def _case_split(use: Use) -> list[Formula]:
    alternative, assumptions, results = use.lines[0], use.lines[1::2], use.lines[2::2]
    if len(assumptions) != len(results):
        raise Refusal(
            Reason.ARGUMENT_COUNT, "CASE_SPLIT takes an alternative, and an assumption and a result for each side"
        )
    if not isinstance(alternative, Or | Xor):
        raise wrong_shape("CASE_SPLIT", "an alternative", [alternative])
    sides = distinct(flat_parts(alternative, type(alternative)))
    for assumption in assumptions:
        if not all(among(part, sides) for part in _cases(assumption, sides)):
            raise Refusal(Reason.ANTECEDENT_MISMATCH, f"{show(assumption)} is no side of {show(alternative)}")
    covered = [part for assumption in assumptions for part in _cases(assumption, sides)]
    for side in sides:
        if not among(side, covered):
            raise Refusal(Reason.ANTECEDENT_MISMATCH, f"the case {show(side)} of {show(alternative)} is left out")
    for result in results[1:]:
        if not same(result, results[0]):
            raise Refusal(
                Reason.ANTECEDENT_MISMATCH, f"the cases give {show(results[0])} and {show(result)}, not one result"
            )
    return [results[0]]


def _cases(assumption: Formula, sides: Sequence[Formula]) -> tuple[Formula, ...]:
    """The sides that an assumption covers: itself, or where it is no side but a disjunction of some, those."""
    return (assumption,) if among(assumption, sides) else flat_parts(assumption, Or)


def _each_case(arguments: int) -> tuple[Discharge, ...]:
    return tuple(Discharge(place, (place + 1,)) for place in range(1, arguments - 1, 2))


def _first_from_the_rest(arguments: int) -> tuple[Discharge, ...]:
    return (Discharge(0, tuple(range(1, arguments))),)


RULES = (
    Rule(
        name=ASSUME,
        arguments=(),
        least=0,
        most=0,
        gives="A",
        needs="A claim, which is what is assumed; the line rests on itself, and nothing can be concluded from it "
        "before it is discharged",
        sentence="Suppose that something is so, and see what follows.",
        example=Example((), ((ASSUME, (), "Rain"),)),
        apply=_assume,
        fits_any_line=True,
    ),
    Rule(
        name="CONDITIONAL_PROOF",
        arguments=("ASSUME A", "B"),
        least=2,
        most=2,
        gives="A → B",
        needs="The result no longer rests on the assumption",
        sentence="What follows from a supposition holds if it does.",
        example=Example(
            ("Rain → Wet", "Wet → Slippery"),
            (
                (ASSUME, (), "Rain"),
                ("MODUS_PONENS", (2, 0), "Wet"),
                ("MODUS_PONENS", (3, 1), "Slippery"),
                ("CONDITIONAL_PROOF", (2, 4), "Rain → Slippery"),
            ),
        ),
        apply=_conditional_proof,
        discharges=_first_from_the_rest,
    ),
    Rule(
        name="CONTRADICTION",
        arguments=("ASSUME A", "B", "¬B"),
        least=3,
        most=3,
        gives="¬A",
        needs="From ASSUME ¬A it gives A; the result no longer rests on the assumption",
        sentence="A supposition that leads to a contradiction is wrong.",
        example=Example(
            ("Rain → Wet", "Rain → ¬Wet"),
            (
                (ASSUME, (), "Rain"),
                ("MODUS_PONENS", (2, 0), "Wet"),
                ("MODUS_PONENS", (2, 1), "¬Wet"),
                ("CONTRADICTION", (2, 3, 4), "¬Rain"),
            ),
        ),
        apply=_contradiction,
        discharges=_first_from_the_rest,
    ),
    Rule(
        name="CASE_SPLIT",
        arguments=("A ∨ B", "ASSUME A", "C", "ASSUME B", "C"),
        least=3,
        most=2 * MOST_LINES + 1,
        gives="C",
        needs="Or A ⊕ B. Every side is covered, and all cases give the same result, which no longer rests on the "
        "assumptions",
        sentence="What follows in every case follows.",
        example=Example(
            ("Tea ∨ Coffee", "Tea → Warm", "Coffee → Warm"),
            (
                (ASSUME, (), "Tea"),
                ("MODUS_PONENS", (3, 1), "Warm"),
                (ASSUME, (), "Coffee"),
                ("MODUS_PONENS", (5, 2), "Warm"),
                ("CASE_SPLIT", (0, 3, 4, 5, 6), "Warm"),
            ),
        ),
        apply=_case_split,
        discharges=_each_case,
    ),
)
