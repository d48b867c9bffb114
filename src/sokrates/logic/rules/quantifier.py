"""The rules for ∀ and ∃."""

from __future__ import annotations

from sokrates.logic.formulas import (
    Const,
    Exists,
    Forall,
    Formula,
    Var,
    atoms,
    constants,
    generalise,
    match_formula,
    rename_apart,
    show,
    strip_foralls,
    substitute,
)
from sokrates.logic.rules.rule import Discharge, Example, Rule, Use, distinct, wrong_shape
from sokrates.logic.verdict import Reason, Refusal

_NEW = Var("x#new")
"""A name that nothing else gives: neither text nor renaming."""


def _univ_instantiation(use: Use) -> list[Formula]:
    body = rename_apart(use.lines[0], "r")
    variables, _ = strip_foralls(body)
    if not isinstance(body, Forall):
        raise wrong_shape("UNIV_INSTANTIATION", "a universal line", use.lines)
    if use.claim is None:
        ordered = sorted(use.constants, key=lambda constant: constant.name)[:2]  # two are one too many already
        return distinct([substitute(body.body, {body.var: constant}) for constant in ordered])
    for depth in range(1, len(variables) + 1):
        assert isinstance(body, Forall)
        body = body.body
        if any(True for _ in match_formula(body, use.claim, variables[:depth])):
            return [use.claim]
    raise Refusal(Reason.CLAIM_DIFFERS, f"{show(use.claim)} is not an instance of {show(use.lines[0])}")


def _univ_generalization(use: Use) -> list[Formula]:
    line = use.lines[0]
    if use.claim is None:
        arbitrary = sorted(constants(line) - use.fixed, key=lambda constant: constant.name)
        return [_generalised(line, constant) for constant in arbitrary]
    whole = rename_apart(use.claim, "r")
    if not isinstance(whole, Forall):
        raise Refusal(Reason.CLAIM_DIFFERS, f"UNIV_GENERALIZATION gives a ∀, the thought claims {show(use.claim)}")
    of = [binding.get(whole.var) for binding in match_formula(whole.body, line, [whole.var])]
    if not of:
        raise Refusal(Reason.CLAIM_DIFFERS, f"{show(line)} is not an instance of {show(use.claim)}")
    if None in of or any(_arbitrary(constant, use.fixed, use.claim) for constant in of):
        return [use.claim]
    raise _not_arbitrary(of[0], "a premise, an open assumption or the result itself")


def _generalised(line: Formula, constant: Const) -> Formula:
    return Forall(_NEW, generalise(rename_apart(line, "r"), constant, _NEW))


def _arbitrary(term: object, fixed: frozenset[Const], *formulas: Formula) -> bool:
    """Whether a constant stands in nothing that says anything of it."""
    return isinstance(term, Const) and term not in fixed and all(term not in constants(f) for f in formulas)


def _not_arbitrary(term: object, where: str) -> Refusal:
    name = term.name if isinstance(term, Const) else str(term)
    return Refusal(Reason.NOT_ARBITRARY, f"{name} is no arbitrary thing: it stands in {where}")


def _exist_generalization(use: Use) -> list[Formula]:
    line = use.lines[0]
    if use.claim is None:
        standing = [term for atom in atoms(line) for term in atom.args if isinstance(term, Const)]
        if len(standing) != 1:
            raise Refusal(Reason.CLAIM_MISSING, "EXIST_GENERALIZATION leaves open what is generalised")
        return [Exists(_NEW, generalise(rename_apart(line, "r"), standing[0], _NEW))]
    body, variables = rename_apart(use.claim, "r"), list[Var]()
    while isinstance(body, Exists):
        variables.append(body.var)
        body = body.body
        if any(True for _ in match_formula(body, line, variables)):
            return [use.claim]
    raise Refusal(Reason.CLAIM_DIFFERS, f"{show(line)} is not an instance of {show(use.claim)}")


def _exist_instantiation(use: Use) -> list[Formula]:
    line, assumption, result = use.lines
    whole = rename_apart(line, "r")
    if not isinstance(whole, Exists):
        raise wrong_shape("EXIST_INSTANTIATION", "an existential line", [line])
    of = [binding.get(whole.var) for binding in match_formula(whole.body, assumption, [whole.var])]
    if not of:
        raise Refusal(Reason.ANTECEDENT_MISMATCH, f"{show(assumption)} is not an instance of {show(line)}")
    if None in of or any(_arbitrary(constant, use.fixed, line, result) for constant in of):
        return [result]
    raise _not_arbitrary(of[0], "a premise, another assumption, the existential line or the result")


def _its_assumption(arguments: int) -> tuple[Discharge, ...]:
    return (Discharge(1, (2,)),)


RULES = (
    Rule(
        name="UNIV_INSTANTIATION",
        arguments=("∀x A(x)",),
        least=1,
        most=1,
        gives="A(c)",
        needs="The claim says for which c, which may be new",
        sentence="What is so of everything is so of each thing.",
        example=Example(("∀x (Cat(x) → Mammal(x))",), (("UNIV_INSTANTIATION", (0,), "Cat(tom) → Mammal(tom)"),)),
        apply=_univ_instantiation,
    ),
    Rule(
        name="UNIV_GENERALIZATION",
        arguments=("A(c)",),
        least=1,
        most=1,
        gives="∀x A(x)",
        needs="c stands in no premise, in no assumption that the line rests on, and not in the result",
        sentence="What is shown of something of which nothing was given is so of everything.",
        example=Example(
            ("∀x Kind(x)", "∀x (Kind(x) → Calm(x))"),
            (
                ("UNIV_INSTANTIATION", (0,), "Kind(c)"),
                ("MODUS_PONENS", (2, 1), "Calm(c)"),
                ("UNIV_GENERALIZATION", (3,), "∀x Calm(x)"),
            ),
        ),
        apply=_univ_generalization,
        fits_any_line=True,
    ),
    Rule(
        name="EXIST_INSTANTIATION",
        arguments=("∃x A(x)", "ASSUME A(c)", "B"),
        least=3,
        most=3,
        gives="B",
        needs="c stands in no premise, in no other assumption, not in ∃x A(x) and not in B; B no longer rests on "
        "the assumption",
        sentence="What follows from a thing of a kind, whichever it is, follows where there is one.",
        example=Example(
            ("∃x Cat(x)", "∀x (Cat(x) → Mammal(x))"),
            (
                ("ASSUME", (), "Cat(c)"),
                ("MODUS_PONENS", (2, 1), "Mammal(c)"),
                ("EXIST_GENERALIZATION", (3,), "∃x Mammal(x)"),
                ("EXIST_INSTANTIATION", (0, 2, 4), "∃x Mammal(x)"),
            ),
        ),
        apply=_exist_instantiation,
        discharges=_its_assumption,
    ),
    Rule(
        name="EXIST_GENERALIZATION",
        arguments=("A(c)",),
        least=1,
        most=1,
        gives="∃x A(x)",
        needs="The claim says which places are generalised",
        sentence="What is so of one thing is so of something.",
        example=Example(("Likes(tom, tom)",), (("EXIST_GENERALIZATION", (0,), "∃x Likes(x, tom)"),)),
        apply=_exist_generalization,
        fits_any_line=True,
    ),
)
