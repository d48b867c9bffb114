"""The rules of inference: what each gives for the lines it cites. One place defines each rule.

Contract: `Rule.results` gives every formula that the rule yields from exactly these lines, in this use; a step is valid
when its claim is one of them, or when there is one only and nothing is claimed. Each result follows from the cited
formulas alone. A rule that does not apply raises Refusal with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sokrates.logic.formulas import (
    And,
    Const,
    Forall,
    Formula,
    Implies,
    Not,
    Var,
    complement,
    conjuncts,
    joined,
    match_formula,
    quantify,
    rename_apart,
    same,
    show,
    strip_foralls,
    substitute,
)
from sokrates.logic.verdict import Reason, Refusal

Apply = Callable[[Sequence[Formula], Formula | None, Collection[Const]], list[Formula]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's name, how many lines it takes (most None: any number), what it does in words, and how to apply it."""

    name: str
    least: int
    most: int | None
    sentence: str
    apply: Apply

    def results(self, cited: Sequence[Formula], claim: Formula | None, constants: Collection[Const]) -> list[Formula]:
        """What the rule yields from the cited formulas. `claim` and the problem's constants pick among instances.

        Errors: Refusal where the rule does not apply.
        """
        return self.apply(cited, claim, constants)


def _implication(formula: Formula) -> tuple[tuple[Var, ...], Implies] | None:
    """The leading ∀s and the implication under them."""
    variables, body = strip_foralls(formula)
    return (variables, body) if isinstance(body, Implies) else None


def _with_rule(cited: Sequence[Formula], name: str) -> list[tuple[Formula, tuple[Var, ...], Implies]]:
    """Both readings of two lines as (fact, implication), in either order. The implication's names are set apart."""
    ways = []
    for fact, rule in (cited, cited[::-1]):
        if isinstance(rule, Forall | Implies) and (found := _implication(rename_apart(rule, "r"))):
            ways.append((fact, *found))
    if not ways:
        raise Refusal(Reason.WRONG_SHAPE, f"{name} needs an implication; neither {_list(cited)} is one")
    return ways


def _detach(cited: Sequence[Formula], name: str, *, backwards: bool) -> list[Formula]:
    results = []
    ways = _with_rule(cited, name)
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
    return results


def _modus_ponens(cited: Sequence[Formula], claim: Formula | None, constants: Collection[Const]) -> list[Formula]:
    return _detach(cited, "MODUS_PONENS", backwards=False)


def _modus_tollens(cited: Sequence[Formula], claim: Formula | None, constants: Collection[Const]) -> list[Formula]:
    return _detach(cited, "MODUS_TOLLENS", backwards=True)


def _hypothetical_syllogism(
    cited: Sequence[Formula], claim: Formula | None, constants: Collection[Const]
) -> list[Formula]:
    first, second = (_implication(rename_apart(line, tag)) for line, tag in zip(cited, "lr", strict=True))
    if first is None or second is None:
        raise Refusal(Reason.WRONG_SHAPE, f"HYPOTHETICAL_SYLLOGISM needs two implications, not {_list(cited)}")
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
        raise Refusal(Reason.ANTECEDENT_MISMATCH, f"neither consequent in {_list(cited)} is the other's antecedent")
    return _distinct(results)


def _univ_instantiation(cited: Sequence[Formula], claim: Formula | None, constants: Collection[Const]) -> list[Formula]:
    variables, _ = strip_foralls(rename_apart(cited[0], "r"))
    if not variables:
        raise Refusal(Reason.WRONG_SHAPE, f"UNIV_INSTANTIATION needs a universal line, not {show(cited[0])}")
    body = rename_apart(cited[0], "r")
    if claim is None:
        return _distinct([substitute(body.body, {variables[0]: constant}) for constant in sorted(constants, key=str)])  # type: ignore[union-attr]
    for depth in range(1, len(variables) + 1):
        body = body.body  # type: ignore[union-attr]
        if any(True for _ in match_formula(body, claim, variables[:depth])):
            return [claim]
    raise Refusal(Reason.CLAIM_DIFFERS, f"{show(claim)} is not an instance of {show(cited[0])}")


def _and_intro(cited: Sequence[Formula], claim: Formula | None, constants: Collection[Const]) -> list[Formula]:
    # Each part once: a proof that joins a line with itself again and again must not grow without bound.
    return [joined(And, _distinct([part for line in cited for part in conjuncts(line)]))]


def _and_elim(cited: Sequence[Formula], claim: Formula | None, constants: Collection[Const]) -> list[Formula]:
    parts = conjuncts(cited[0])
    if len(parts) == 1:
        raise Refusal(Reason.WRONG_SHAPE, f"AND_ELIM needs a conjunction, not {show(cited[0])}")
    if isinstance(claim, And) and all(any(same(c, part) for part in parts) for c in conjuncts(claim)):
        return [claim]  # several of the parts at once
    return _distinct(list(parts))


def _double_negation(cited: Sequence[Formula], claim: Formula | None, constants: Collection[Const]) -> list[Formula]:
    match cited[0]:
        case Not(Not(body)):
            return [body]
    if claim is not None and same(claim, Not(Not(cited[0]))):
        return [claim]
    raise Refusal(Reason.WRONG_SHAPE, f"DOUBLE_NEGATION needs a doubly negated line, not {show(cited[0])}")


def _distinct(formulas: Sequence[Formula]) -> list[Formula]:
    kept: list[Formula] = []
    for formula in formulas:
        if not any(same(formula, other) for other in kept):
            kept.append(formula)
    return kept


def _list(formulas: Sequence[Formula]) -> str:
    return " nor ".join(show(f) for f in formulas)


RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule("MODUS_PONENS", 2, 2, "from A and A → B, B; a universal rule is instantiated", _modus_ponens),
        Rule("MODUS_TOLLENS", 2, 2, "from ¬B and A → B, ¬A; a universal rule is instantiated", _modus_tollens),
        Rule("HYPOTHETICAL_SYLLOGISM", 2, 2, "from A → B and B → C, A → C, also under ∀", _hypothetical_syllogism),
        Rule("UNIV_INSTANTIATION", 1, 1, "from ∀x A(x), A(c)", _univ_instantiation),
        Rule("AND_INTRO", 2, None, "from A and B, A ∧ B", _and_intro),
        Rule("AND_ELIM", 1, 1, "from A ∧ B, A, or B", _and_elim),
        Rule("DOUBLE_NEGATION", 1, 1, "from ¬¬A, A, or the other way round", _double_negation),
    )
}

CONCLUDE = "CONCLUDE"
"""The one option that derives nothing: `proof.Proof` judges it."""
