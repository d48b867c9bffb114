"""What each rule gives and refuses, and a test for each side condition: each fails when its condition is taken out."""

from __future__ import annotations

import pytest

from sokrates.logic import fol, formulas
from sokrates.logic.formulas import MOST_COMPARISONS, And, Atom, Const, Not, same, show
from sokrates.logic.proof import MOST_DEPTH, Proof
from sokrates.logic.rules import ASSUME, RULES
from sokrates.logic.theory import Theory
from sokrates.logic.verdict import Reason, Verdict


def proof_of(*premises: str, conclusion: str = "Goal") -> Proof:
    return Proof(Theory([fol.parse(premise) for premise in premises], fol.parse(conclusion)))


def step(proof: Proof, option: str, args: list[int], claim: str = "") -> Verdict:
    return proof.step(option, args, fol.parse(claim) if claim else None)


def last_of(premises: list[str], *steps: tuple) -> Verdict:
    """The verdict on the last of these steps, all others being valid."""
    proof = proof_of(*premises)
    *before, last = steps
    for earlier in before:
        verdict = step(proof, *earlier)
        assert verdict.valid, (earlier, verdict.message)
    return step(proof, *last)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_worked_example_of_each_rule(rule):
    proof = proof_of(*rule.example.premises)
    for option, args, claim in rule.example.steps:
        verdict = step(proof, option, list(args), claim)
        assert verdict.valid, verdict.message
    assert option == rule.name


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_scheme_of_each_rule_names_what_it_discharges(rule):
    places = {place for place, scheme in enumerate(rule.arguments) if scheme.startswith("ASSUME")}
    assert places == {discharge.assumption for discharge in rule.discharges(len(rule.arguments))}
    assert rule.least <= len(rule.arguments) <= rule.most or rule.name == "CASE_SPLIT"


GIVES = [
    # What the fact leaves open stays ∀.
    (["P(a)", "∀x ∀y (P(x) → R(x, y))"], "MODUS_PONENS", [0, 1], "∀y R(a, y)"),
    (["P(a) ∨ Q(a)", "∀x (Q(x) ∨ P(x) → S(x))"], "MODUS_PONENS", [0, 1], "S(a)"),
    (["∃x P(x)", "∃y P(y) → Q"], "MODUS_PONENS", [1, 0], "Q"),
    (["P ⊕ Q", "Q ⊕ P → S"], "MODUS_PONENS", [0, 1], "S"),
    (["R(a, a)", "∀x ∀y (R(x, y) ∧ R(y, x) → S(x))"], "MODUS_PONENS", [0, 1], "S(a)"),
    (["P(a) ∧ P(a)"], "EXIST_GENERALIZATION", [0], "∃x P(x)"),
    (["P ↔ Q", "(Q ↔ P) → S"], "MODUS_PONENS", [0, 1], "S"),
    (["P(a)", "∀x (Q(x) → ¬P(x))"], "MODUS_TOLLENS", [0, 1], "¬Q(a)"),
    (["¬(P ∧ Q)", "S → P ∧ Q"], "MODUS_TOLLENS", [0, 1], "¬S"),
    # Alternatives.
    (["P ∨ Q", "¬P"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "Q"),
    (["P ∨ Q", "¬Q"], "DISJUNCTIVE_SYLLOGISM", [1, 0], "P"),
    (["¬P ∨ Q", "P"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "Q"),
    (["P ∨ Q ∨ S", "¬Q"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "P ∨ S"),
    (["P ⊕ Q", "P"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "¬Q"),
    (["P ⊕ Q", "¬P"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "Q"),
    (["P ⊕ ¬Q", "P"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "Q"),
    (["P ⊕ Q ⊕ S", "Q"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "¬(P ⊕ S)"),
    (["P ⊕ Q ⊕ S", "¬Q"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "P ⊕ S"),
    (["¬(P ⊕ Q)", "P"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "Q"),
    (["¬P", "¬(P ⊕ Q)"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "¬Q"),
    (["¬(P ⊕ Q ⊕ S)", "P"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "Q ⊕ S"),
    (["∀x ¬(P(x) ⊕ Q(x))", "Q(a)"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "P(a)"),
    (["∀x (P(x) ∨ Q(x))", "¬P(a)"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "Q(a)"),
    (["∀x ∀y (P(x) ∨ R(x, y))", "¬P(a)"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "∀x R(a, x)"),
    # The others.
    (["∀x (P(x) ↔ Q(x))"], "BICONDITIONAL_ELIM", [0], "∀x (Q(x) → P(x))"),
    (["∀x (P(x) → Q(x))", "∀y (Q(y) → P(y))"], "BICONDITIONAL_INTRO", [0, 1], "∀x (Q(x) ↔ P(x))"),
    (["P ∨ Q"], "OR_INTRO", [0], "S ∨ Q ∨ P"),
    (["R(a, a)"], "EXIST_GENERALIZATION", [0], "∃x R(x, a)"),
    (["R(a, a)"], "EXIST_GENERALIZATION", [0], "∃x R(x, x)"),
    (["R(a, b)"], "EXIST_GENERALIZATION", [0], "∃x ∃y R(x, y)"),
    (["∀x R(x, a)"], "EXIST_GENERALIZATION", [0], "∃y ∀x R(x, y)"),
    (["∀x ∀y R(x, y)"], "UNIV_INSTANTIATION", [0], "R(new, new)"),
    (["∀x ∃y R(x, y)"], "UNIV_INSTANTIATION", [0], "∃x R(a, x)"),
    (["P"], "DOUBLE_NEGATION", [0], "¬¬P"),
]


@pytest.mark.parametrize(("premises", "option", "args", "result"), GIVES)
def test_what_the_rules_give(premises, option, args, result):
    verdict = last_of(premises, (option, args, result))
    assert verdict.valid, verdict.message
    assert verdict.formula is not None and same(verdict.formula, fol.parse(result))


REFUSED = [
    # Fallacies.
    (["Q(a)", "∀x (P(x) → Q(x))"], "MODUS_PONENS", [0, 1], "P(a)", Reason.ANTECEDENT_MISMATCH),
    (["¬P(a)", "∀x (P(x) → Q(x))"], "MODUS_TOLLENS", [0, 1], "¬Q(a)", Reason.ANTECEDENT_MISMATCH),
    (["P ∨ Q", "P"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "¬Q", Reason.ANTECEDENT_MISMATCH),
    (["P ∨ Q", "¬P"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "P", Reason.CLAIM_DIFFERS),
    (["P ⊕ Q", "P"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "Q", Reason.CLAIM_DIFFERS),
    (["P ⊕ Q ⊕ S", "P"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "Q ⊕ S", Reason.CLAIM_DIFFERS),
    (["P ⊕ Q ⊕ S", "P"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "¬Q ∧ ¬S", Reason.CLAIM_DIFFERS),
    (["P ⊕ P ⊕ Q", "P"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "¬Q", Reason.CLAIM_DIFFERS),
    (["¬(P ⊕ Q)", "P"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "¬Q", Reason.CLAIM_DIFFERS),
    (["¬(P ∨ Q)", "P"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "Q", Reason.WRONG_SHAPE),
    (["P → Q", "¬P"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "Q", Reason.WRONG_SHAPE),
    (["P ∨ P", "¬P"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "Q", Reason.ANTECEDENT_MISMATCH),
    # ∧, ∨, ↔.
    (["P ∨ Q"], "AND_ELIM", [0], "P", Reason.WRONG_SHAPE),
    (["P ⊕ Q"], "OR_INTRO", [0], "P ∨ Q", Reason.CLAIM_DIFFERS),
    (["P"], "OR_INTRO", [0], "Q ∨ S", Reason.CLAIM_DIFFERS),
    (["P"], "OR_INTRO", [0], "P ⊕ Q", Reason.CLAIM_DIFFERS),
    (["P"], "OR_INTRO", [0], "P ∧ Q", Reason.CLAIM_DIFFERS),
    (["P ∨ Q"], "OR_INTRO", [0], "P ∨ S", Reason.CLAIM_DIFFERS),
    (["P ∧ Q"], "OR_INTRO", [0], "P ∧ Q", Reason.CLAIM_DIFFERS),
    (["P"], "OR_INTRO", [0], "", Reason.CLAIM_MISSING),
    (["P → Q"], "BICONDITIONAL_ELIM", [0], "Q → P", Reason.WRONG_SHAPE),
    (["P ↔ Q"], "BICONDITIONAL_ELIM", [0], "", Reason.CLAIM_MISSING),
    (["P → Q", "P → Q"], "BICONDITIONAL_INTRO", [0, 1], "P ↔ Q", Reason.ANTECEDENT_MISMATCH),
    (["P → Q", "Q → S"], "BICONDITIONAL_INTRO", [0, 1], "P ↔ Q", Reason.ANTECEDENT_MISMATCH),
    (["P → Q", "S → P"], "BICONDITIONAL_INTRO", [0, 1], "P ↔ Q", Reason.ANTECEDENT_MISMATCH),
    (
        ["∀x (P(x) → Q(x))", "Q(a) → P(a)"],
        "BICONDITIONAL_INTRO",
        [0, 1],
        "∀x (P(x) ↔ Q(x))",
        Reason.ANTECEDENT_MISMATCH,
    ),
    (
        ["∀x ∀y (R(x, y) → Q(x))", "∀x ∀y (Q(x) → R(y, x))"],
        "BICONDITIONAL_INTRO",
        [0, 1],
        "∀x ∀y (R(x, y) ↔ Q(x))",
        Reason.ANTECEDENT_MISMATCH,
    ),
    # Quantifiers.
    (["∃x P(x)"], "UNIV_INSTANTIATION", [0], "P(a)", Reason.WRONG_SHAPE),
    (["∀x R(x, x)"], "UNIV_INSTANTIATION", [0], "R(a, b)", Reason.CLAIM_DIFFERS),
    (["∃y ∀x R(x, y)"], "UNIV_INSTANTIATION", [0], "∃y R(a, y)", Reason.WRONG_SHAPE),
    (["R(a, b)"], "EXIST_GENERALIZATION", [0], "∃x R(x, x)", Reason.CLAIM_DIFFERS),
    (["∀x ∃y R(x, y)"], "EXIST_GENERALIZATION", [0], "∃y ∀x R(x, y)", Reason.CLAIM_DIFFERS),
    (["R(a, b)"], "EXIST_GENERALIZATION", [0], "", Reason.CLAIM_MISSING),
    (["P(a)"], "EXIST_GENERALIZATION", [0], "∀x P(x)", Reason.CLAIM_DIFFERS),
    (["¬P(a)"], "EXIST_GENERALIZATION", [0], "¬∃x P(x)", Reason.CLAIM_DIFFERS),
    (["P(a)"], "UNIV_GENERALIZATION", [0], "∃x P(x)", Reason.CLAIM_DIFFERS),
    (["P(a)"], "UNIV_GENERALIZATION", [0], "", Reason.CLAIM_MISSING),
]


@pytest.mark.parametrize(("premises", "option", "args", "claim", "reason"), REFUSED)
def test_what_the_rules_refuse(premises, option, args, claim, reason):
    verdict = last_of(premises, (option, args, claim))
    assert not verdict.valid and verdict.reason is reason, verdict
    assert verdict.message


# Arbitrary things.


def test_a_constant_of_a_premise_is_not_generalised():
    assert last_of(["P(a)"], ("UNIV_GENERALIZATION", [0], "∀x P(x)")).reason is Reason.NOT_ARBITRARY


def test_a_constant_of_another_premise_is_not_generalised():
    """Though the line itself follows for everything, the rule keeps to what it can see."""
    steps = [("UNIV_INSTANTIATION", [0], "P(a)"), ("UNIV_GENERALIZATION", [2], "∀x P(x)")]
    assert last_of(["∀x P(x)", "Q(a)"], *steps).reason is Reason.NOT_ARBITRARY
    assert last_of(["∀x P(x)"], *(("UNIV_INSTANTIATION", [0], "P(a)"), ("UNIV_GENERALIZATION", [1], "∀x P(x)"))).valid


def test_a_constant_of_an_open_assumption_is_not_generalised():
    steps = [(ASSUME, [], "P(c)"), ("UNIV_GENERALIZATION", [0], "∀x P(x)")]
    assert last_of([], *steps).reason is Reason.NOT_ARBITRARY


def test_a_constant_of_a_discharged_assumption_is_generalised():
    steps = [
        (ASSUME, [], "P(c)"),
        ("MODUS_PONENS", [1, 0], "Q(c)"),
        ("CONDITIONAL_PROOF", [1, 2], "P(c) → Q(c)"),
        ("UNIV_GENERALIZATION", [3], "∀x (P(x) → Q(x))"),
    ]
    assert last_of(["∀x (P(x) → Q(x))"], *steps).valid


def test_a_constant_that_stays_in_the_result_is_not_generalised():
    steps = [("UNIV_INSTANTIATION", [0], "R(c, c)"), ("UNIV_GENERALIZATION", [1], "∀x R(x, c)")]
    assert last_of(["∀x R(x, x)"], *steps).reason is Reason.NOT_ARBITRARY


def test_without_a_claim_the_only_arbitrary_thing_is_generalised():
    steps = [("UNIV_INSTANTIATION", [0], "R(a, c)"), ("UNIV_GENERALIZATION", [2], "")]
    verdict = last_of(["∀x ∀y R(x, y)", "P(a)"], *steps)
    assert verdict.valid and show(verdict.formula) == "∀x R(a, x)"  # type: ignore[arg-type]


# Witnesses.

LIKED = ["∃x P(x)", "∀x (P(x) → Q(x))", "S(a)"]


def witness(name: str, result: str, *middle: tuple) -> list[tuple]:
    return [(ASSUME, [], f"P({name})"), *middle, ("EXIST_INSTANTIATION", [0, 3, 3 + len(middle)], result)]


def test_a_witness_that_stands_in_a_premise_is_refused():
    somebody = [("EXIST_GENERALIZATION", [3], "∃x P(x)")]
    assert last_of(LIKED, *witness("a", "∃x P(x)", *somebody)).reason is Reason.NOT_ARBITRARY
    assert last_of(LIKED, *witness("c", "∃x P(x)", *somebody)).valid


def test_a_witness_that_stands_in_the_result_is_refused():
    assert last_of(LIKED, *witness("c", "Q(c)", ("MODUS_PONENS", [3, 1], "Q(c)"))).reason is Reason.NOT_ARBITRARY


def test_a_witness_that_stands_in_another_assumption_is_refused():
    steps = [
        (ASSUME, [], "¬Q(c)"),
        (ASSUME, [], "P(c)"),
        ("AND_INTRO", [1, 2], "¬Q(c) ∧ P(c)"),
        ("EXIST_GENERALIZATION", [3], "∃x (¬Q(x) ∧ P(x))"),
        ("EXIST_INSTANTIATION", [0, 2, 4], "∃x (¬Q(x) ∧ P(x))"),
    ]
    assert last_of(["∃x P(x)"], *steps).reason is Reason.NOT_ARBITRARY


def test_a_witness_that_stands_in_the_existential_line_is_refused():
    """∀x ∃y R(x, y) gives ∃y R(c, y); that c itself is such a y does not follow."""
    steps = [
        ("UNIV_INSTANTIATION", [0], "∃y R(c, y)"),
        (ASSUME, [], "R(c, c)"),
        ("EXIST_GENERALIZATION", [2], "∃x R(x, x)"),
        ("EXIST_INSTANTIATION", [1, 2, 3], "∃x R(x, x)"),
    ]
    assert last_of(["∀x ∃y R(x, y)"], *steps).reason is Reason.NOT_ARBITRARY


def test_a_witness_is_an_instance_and_assumed():
    steps = [(ASSUME, [], "Q(c)"), ("EXIST_INSTANTIATION", [0, 3, 2], "S(a)")]
    assert last_of(LIKED, *steps).reason is Reason.ANTECEDENT_MISMATCH
    assert last_of(LIKED, ("EXIST_INSTANTIATION", [0, 2, 2], "S(a)")).reason is Reason.NOT_AN_ASSUMPTION


def test_a_witness_is_not_discharged_from_the_existential_line():
    steps = [
        (ASSUME, [], "P(c)"),
        ("EXIST_GENERALIZATION", [0], "∃x P(x)"),
        ("EXIST_INSTANTIATION", [1, 0, 1], "∃x P(x)"),
    ]
    assert last_of([], *steps).reason is Reason.NOT_ARBITRARY


def test_a_witness_stays_open_where_another_assumption_of_it_is_used():
    steps = [
        (ASSUME, [], "P(c)"),
        (ASSUME, [], "P(c)"),
        ("EXIST_GENERALIZATION", [2], "∃x P(x)"),
        ("EXIST_INSTANTIATION", [0, 1, 3], "∃x P(x)"),
    ]
    assert last_of(["∃x P(x)"], *steps).reason is Reason.NOT_ARBITRARY


# Assumptions.


@pytest.mark.parametrize(
    ("option", "args", "claim"),
    [
        ("CONDITIONAL_PROOF", [0, 1], "P → Q"),
        ("CONTRADICTION", [0, 1, 2], "¬P"),
        ("CASE_SPLIT", [3, 0, 1, 1, 1], "Q"),
    ],
)
def test_only_an_assumption_is_discharged(option, args, claim):
    verdict = last_of(["P", "Q", "¬Q", "P ∨ Q"], (option, args, claim))
    assert verdict.reason is Reason.NOT_AN_ASSUMPTION


def test_a_line_derived_from_an_assumption_is_none():
    steps = [(ASSUME, [], "P ∧ Q"), ("AND_ELIM", [0], "P"), ("CONDITIONAL_PROOF", [1, 1], "P → P")]
    assert last_of([], *steps).reason is Reason.NOT_AN_ASSUMPTION


def test_what_is_discharged_is_gone_and_what_is_not_stays():
    proof = proof_of()
    step(proof, ASSUME, [], "P")
    step(proof, ASSUME, [], "Q")
    step(proof, "AND_INTRO", [0, 1], "P ∧ Q")
    step(proof, "CONDITIONAL_PROOF", [1, 2], "Q → P ∧ Q")
    step(proof, "CONDITIONAL_PROOF", [0, 3], "P → (Q → P ∧ Q)")
    assert proof.rests == [{0}, {1}, {0, 1}, {0}, set()]
    assert [show(formula) for formula in proof.assumptions([2, 99, -1])] == ["P", "Q"]


def test_a_contradiction_discharges_from_both_of_its_lines_and_keeps_the_rest():
    proof = proof_of("S → ¬Q")
    step(proof, ASSUME, [], "P ∧ Q")
    step(proof, ASSUME, [], "S")
    step(proof, "AND_ELIM", [1], "Q")
    step(proof, "MODUS_PONENS", [2, 0], "¬Q")
    assert step(proof, "CONTRADICTION", [1, 3, 4]).valid
    assert show(proof.lines[-1]) == "¬(P ∧ Q)" and proof.rests[-1] == {2}  # type: ignore[arg-type]
    assert step(proof, "CONTRADICTION", [1, 4, 3]).valid
    assert proof.rests[-1] == {2}
    assert step(proof, "CONTRADICTION", [2, 4, 3]).valid
    assert proof.rests[-1] == {1}


def test_a_contradiction_needs_a_formula_and_its_negation():
    steps = [(ASSUME, [], "P"), ("CONTRADICTION", [2, 0, 1], "¬P")]
    assert last_of(["Q", "S"], *steps).reason is Reason.WRONG_SHAPE


def test_each_case_discharges_its_own_assumption_only():
    proof = proof_of("P ∨ Q")
    step(proof, ASSUME, [], "P")
    step(proof, ASSUME, [], "Q")
    step(proof, "OR_INTRO", [1], "P ∨ S")
    step(proof, "OR_INTRO", [1], "S ∨ P")
    assert step(proof, "CASE_SPLIT", [0, 1, 3, 2, 4], "P ∨ S").valid
    assert proof.rests[-1] == {1}  # the case of Q was reached from P


def test_a_case_that_is_left_out_or_added_is_refused():
    proof = proof_of("P ∨ Q ∨ S", "T")
    for side in ("P", "Q", "S", "T", "Q ∨ S"):
        step(proof, ASSUME, [], side)
    assert step(proof, "CASE_SPLIT", [0, 2, 1, 3, 1], "T").reason is Reason.ANTECEDENT_MISMATCH
    assert step(proof, "CASE_SPLIT", [0, 2, 1, 3, 1, 5, 1], "T").reason is Reason.ANTECEDENT_MISMATCH
    assert step(proof, "CASE_SPLIT", [0, 2, 1, 3, 1, 4, 1, 5, 1], "T").reason is Reason.ANTECEDENT_MISMATCH
    assert step(proof, "CASE_SPLIT", [0, 2, 1, 3, 1, 4, 1], "T").valid
    assert step(proof, "CASE_SPLIT", [0, 2, 1, 6, 1], "T").valid
    assert step(proof, "CASE_SPLIT", [0, 2, 1, 3], "T").reason is Reason.ARGUMENT_COUNT
    assert step(proof, "CASE_SPLIT", [1, 2, 1, 3, 1], "T").reason is Reason.WRONG_SHAPE


def test_all_cases_give_one_result():
    proof = proof_of("P ∨ Q", "S", "T")
    step(proof, ASSUME, [], "P")
    step(proof, ASSUME, [], "Q")
    assert step(proof, "CASE_SPLIT", [0, 3, 1, 4, 2], "S").reason is Reason.ANTECEDENT_MISMATCH
    assert step(proof, "CASE_SPLIT", [0, 3, 1, 4, 2], "T").reason is Reason.ANTECEDENT_MISMATCH


def test_assume_needs_a_claim_and_takes_no_lines():
    assert last_of(["P"], (ASSUME, [], "")).reason is Reason.CLAIM_MISSING
    assert last_of(["P"], (ASSUME, [0], "P")).reason is Reason.ARGUMENT_COUNT


def test_what_rests_on_an_assumption_is_no_conclusion():
    proof = proof_of("P → Q", conclusion="Q")
    step(proof, ASSUME, [], "P")
    step(proof, "MODUS_PONENS", [1, 0], "Q")
    verdict = step(proof, "CONCLUDE", [0])
    assert verdict.reason is Reason.OPEN_ASSUMPTION and "line 1" in (verdict.message or "")


def test_a_conclusion_that_is_proved_twice_counts_where_it_rests_on_nothing():
    proof = proof_of("P → Q", "P", conclusion="Q")
    step(proof, ASSUME, [], "P")
    step(proof, "MODUS_PONENS", [2, 0], "Q")
    step(proof, "MODUS_PONENS", [1, 0], "Q")
    assert step(proof, "CONCLUDE", [0]).valid


def test_an_assumed_conclusion_is_none():
    proof = proof_of(conclusion="Q")
    step(proof, ASSUME, [], "Q")
    assert step(proof, "CONCLUDE", [0]).reason is Reason.OPEN_ASSUMPTION


# Size.


def test_a_line_does_not_grow_without_bound():
    proof = proof_of()
    step(proof, ASSUME, [], "P")
    verdict = step(proof, "CONDITIONAL_PROOF", [0, 0])
    while verdict.valid:
        assert len(proof.lines) < 10 * MOST_DEPTH
        verdict = step(proof, "CONDITIONAL_PROOF", [0, len(proof.lines) - 1])
    assert verdict.reason is Reason.TOO_COMPLEX


def test_a_claim_of_any_size_is_judged():
    deep = Atom("P", ())
    for _ in range(50_000):
        deep = Not(deep)
    assert proof_of("P").step("DOUBLE_NEGATION", [0], deep).reason is Reason.TOO_COMPLEX
    wide = And((Atom("P", ()),) * 100_000)
    assert proof_of("P").step("AND_INTRO", [0, 0], wide).reason is Reason.TOO_COMPLEX


def test_a_match_with_too_many_ways_ends():
    names = [f"x{n}" for n in range(14)]
    pattern = " ∧ ".join([*(f"P({name})" for name in names), "R(x0, x13)"])
    facts = " ∧ ".join(["R(c, d)", *(f"P(c{n})" for n in range(14))])
    verdict = last_of([f"∀{', '.join(names)} ({pattern} → Q)", facts], ("MODUS_PONENS", [0, 1], "Q"))
    assert verdict.reason is Reason.TOO_COMPLEX
    assert MOST_COMPARISONS < 10**6


def test_a_rule_for_any_number_of_lines_takes_a_bounded_number():
    assert last_of(["P"], ("AND_INTRO", [0] * 10_000, "P")).reason is Reason.ARGUMENT_COUNT


def test_equality_is_an_atom_to_the_rules():
    """a = b and P(a) give no P(b): no option says so."""
    proof = proof_of("a = b", "P(a)")
    for rule in RULES.values():
        if rule.name not in (ASSUME, "OR_INTRO"):
            assert not proof.step(rule.name, [0, 1][: rule.least], Atom("P", (Const("b"),))).valid


MANY = [f"P(c{number})" for number in range(150)]
ALL = " ∧ ".join(MANY)
VARIABLES = [f"v{number}" for number in range(20)]
OPEN = " ∨ ".join(f"P({name})" for name in VARIABLES)
RELATED = " ∧ ".join(f"R(x, c{number})" for number in range(100))


@pytest.mark.parametrize(
    ("premises", "option", "args", "claim"),
    [
        ([ALL], "AND_INTRO", [0] * 64, ""),
        ([ALL], "AND_ELIM", [0], "P(none)"),
        ([f"∀{', '.join(VARIABLES)} ({OPEN})", "¬P(a)"], "DISJUNCTIVE_SYLLOGISM", [0, 1], "Q"),
        ([f"∀x, y ({' ∨ '.join(MANY[:40])} ∧ P(x) ∧ P(y) → Q)", ALL], "MODUS_PONENS", [0, 1], "Q"),
        ([f"∀x ({RELATED})", *MANY[:40]], "UNIV_INSTANTIATION", [0], ""),
        ([" ∨ ".join(MANY), "P(a)"], "CASE_SPLIT", [0, 1, 1], ""),
    ],
    ids=["and intro", "and elim", "syllogism", "ponens", "instantiation", "cases"],
)
def test_large_lines_take_bounded_work(premises, option, args, claim):
    """Counted in canonical forms, of which the slow ways made thousands."""
    proof = proof_of(*premises)
    made = 0
    original = formulas._sorted

    def counted(formula):
        nonlocal made
        made += 1
        return original(formula)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(formulas, "_sorted", counted)
        step(proof, option, args, claim)
    assert made < 60_000
