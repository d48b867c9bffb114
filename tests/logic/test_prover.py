"""Derivations that the kernel accepts: by every rule, within their bounds, the same in every run."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from sokrates.logic.fol import parse
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
    same,
)
from sokrates.logic.proof import Proof
from sokrates.logic.prover import Derivation, SearchEnded, derive_all, derive_some, prove
from sokrates.logic.rules import CONCLUDE, RULES
from sokrates.logic.theory import Theory
from tests.logic import oracle
from tests.logic import test_closure as fragment

a = Const("a")
x = Var("x")


def P(term):
    return Atom("P", (term,))


def Q(term):
    return Atom("Q", (term,))


def R(term):
    return Atom("R", (term,))


def assert_proves(theory: Theory, goal: Formula, derivations: Sequence[Derivation]) -> None:
    """The kernel takes every step and the conclusion, every step is needed, and none says again what another says."""
    proof = Proof(Theory(theory.premises, goal))
    for step in derivations:
        verdict = proof.step(step.rule, step.args, step.formula)
        assert verdict.valid, (step, verdict.message)
    assert proof.step(CONCLUDE, [0], None).valid
    premises = len(theory.premises)
    cited = {number for step in derivations for number in step.args} | {premises + len(derivations) - 1}
    assert cited >= set(range(premises, premises + len(derivations)))
    lines = list(zip(proof.keys, proof.rests, strict=True))[:-1]
    for number in range(premises, len(lines)):
        if derivations[number - premises].rule != "ASSUME":
            key, rests = lines[number]
            assert not any(other == key and others <= rests for other, others in lines[:number])


def theory_of(premises: str, goal: str) -> Theory:
    return Theory([parse(text) for text in premises.split(";")], parse(goal))


PATTERNS = [
    ("P(a) ∧ Q(a)", "Q(a)", "AND_ELIM"),
    ("P(a); Q(a)", "Q(a) ∧ P(a)", "AND_INTRO"),
    ("P(a)", "Q(a) ∨ P(a)", "OR_INTRO"),
    ("∀x (P(x) ↔ Q(x)); P(a)", "Q(a)", "BICONDITIONAL_ELIM MODUS_PONENS"),
    ("P(a) → Q(a); Q(a) → P(a)", "P(a) ↔ Q(a)", "BICONDITIONAL_INTRO"),
    (
        "∀x (P(x) → Q(x)); ∀x (Q(x) → P(x))",
        "∀x (P(x) ↔ Q(x))",
        "ASSUME MODUS_PONENS CONDITIONAL_PROOF ASSUME "
        "MODUS_PONENS CONDITIONAL_PROOF BICONDITIONAL_INTRO UNIV_GENERALIZATION",
    ),
    ("¬¬P(a)", "P(a)", "DOUBLE_NEGATION"),
    ("P(a)", "¬¬P(a)", "DOUBLE_NEGATION"),
    ("∀x (P(x) ∨ Q(x)); ¬P(a)", "Q(a)", "DISJUNCTIVE_SYLLOGISM"),
    ("∀x (P(x) ⊕ Q(x)); P(a)", "¬Q(a)", "DISJUNCTIVE_SYLLOGISM"),
    ("∀x (P(x) ∧ Q(x))", "Q(a)", "UNIV_INSTANTIATION AND_ELIM"),
    ("∀x (P(x) ∧ Q(x))", "∀x Q(x)", "UNIV_INSTANTIATION AND_ELIM UNIV_GENERALIZATION"),
    ("∀x (P(x) → Q(x)); ∀x (Q(x) → R(x))", "∀x (P(x) → R(x))", "HYPOTHETICAL_SYLLOGISM"),
    ("P(a) → Q(a); Q(a) → R(a)", "P(a) → R(a)", "HYPOTHETICAL_SYLLOGISM"),
    (
        "P(a) → Q(a); P(a) → R(a)",
        "P(a) → (Q(a) ∧ R(a))",
        "ASSUME MODUS_PONENS MODUS_PONENS AND_INTRO CONDITIONAL_PROOF",
    ),
    ("∀x (P(x) → Q(x)); P(a)", "∃x Q(x)", "MODUS_PONENS EXIST_GENERALIZATION"),
    ("∃x P(x); ∀x (P(x) → Q(x))", "∃x Q(x)", "ASSUME MODUS_PONENS EXIST_GENERALIZATION EXIST_INSTANTIATION"),
    ("∀x P(x)", "∃x P(x)", "UNIV_INSTANTIATION EXIST_GENERALIZATION"),
    ("P(a) ∨ Q(a); P(a) → R(a); Q(a) → R(a)", "R(a)", "ASSUME MODUS_PONENS ASSUME MODUS_PONENS CASE_SPLIT"),
    ("P(a) ⊕ Q(a); P(a) → R(a); Q(a) → R(a)", "R(a)", "ASSUME MODUS_PONENS ASSUME MODUS_PONENS CASE_SPLIT"),
    ("P(a) → Q(a); P(a) → ¬Q(a)", "¬P(a)", "ASSUME MODUS_PONENS MODUS_PONENS CONTRADICTION"),
    ("¬P(a) → Q(a); ¬P(a) → ¬Q(a)", "P(a)", "ASSUME MODUS_PONENS MODUS_PONENS CONTRADICTION"),
    ("¬P(a)", "¬(P(a) ∧ Q(a))", "ASSUME AND_ELIM CONTRADICTION"),
    ("¬P(a); ¬Q(a)", "¬(P(a) ∨ Q(a))", "ASSUME DISJUNCTIVE_SYLLOGISM CONTRADICTION"),
    ("P(a); ¬Q(a)", "¬(P(a) → Q(a))", "ASSUME MODUS_PONENS CONTRADICTION"),
    ("P(a); ¬Q(a)", "¬(P(a) ↔ Q(a))", "ASSUME BICONDITIONAL_ELIM MODUS_PONENS CONTRADICTION"),
    ("P(a); Q(a)", "¬(P(a) ⊕ Q(a))", "ASSUME DISJUNCTIVE_SYLLOGISM CONTRADICTION"),
    (
        "¬P(a); ¬Q(a); ¬R(a)",
        "¬(P(a) ⊕ Q(a) ⊕ R(a))",
        "ASSUME DISJUNCTIVE_SYLLOGISM DISJUNCTIVE_SYLLOGISM CONTRADICTION",
    ),
    ("∀x ¬P(x)", "¬∃x P(x)", "ASSUME ASSUME UNIV_INSTANTIATION CONTRADICTION EXIST_INSTANTIATION CONTRADICTION"),
    ("¬P(a)", "¬∀x P(x)", "ASSUME UNIV_INSTANTIATION CONTRADICTION"),
    ("¬(P(a) ∧ Q(a)); P(a)", "¬Q(a)", "ASSUME AND_INTRO CONTRADICTION"),
    ("¬(P(a) ∨ Q(a))", "¬Q(a)", "ASSUME OR_INTRO CONTRADICTION"),
    (
        "¬(P(a) → Q(a))",
        "P(a) ∧ ¬Q(a)",
        "ASSUME ASSUME ASSUME CONTRADICTION CONDITIONAL_PROOF "
        "CONTRADICTION ASSUME CONDITIONAL_PROOF CONTRADICTION AND_INTRO",
    ),
    ("¬∃x P(x)", "¬P(a)", "ASSUME EXIST_GENERALIZATION CONTRADICTION"),
    ("¬∀x P(x)", "∃x ¬P(x)", "ASSUME ASSUME EXIST_GENERALIZATION CONTRADICTION UNIV_GENERALIZATION CONTRADICTION"),
    ("¬P(a)", "P(a) → Q(a)", "ASSUME ASSUME CONTRADICTION CONDITIONAL_PROOF"),
    ("Q(a)", "P(a) → Q(a)", "ASSUME CONDITIONAL_PROOF"),
    ("P(a)", "P(a)", ""),
    ("Likes(a, b); ∀x ∀y (Likes(x, y) → Likes(y, x))", "Likes(b, a)", "MODUS_PONENS"),
    (
        "Likes(a, b); Likes(b, c); ∀x ∀y ∀z ((Likes(x, y) ∧ Likes(y, z)) → Likes(x, z))",
        "Likes(a, c)",
        "AND_INTRO MODUS_PONENS",
    ),
    ("∀x (P(x) → ∃y Likes(x, y)); P(a)", "∃x ∃y Likes(x, y)", "MODUS_PONENS EXIST_GENERALIZATION"),
    (
        "∃x ∀y Likes(x, y)",
        "∀y ∃x Likes(x, y)",
        "ASSUME UNIV_INSTANTIATION EXIST_GENERALIZATION EXIST_INSTANTIATION UNIV_GENERALIZATION",
    ),
    ("P(a) ∨ Q(a)", "Q(a) ∨ P(a) ∨ R(a)", "ASSUME OR_INTRO ASSUME OR_INTRO CASE_SPLIT"),
    ("P(a) → Q(a)", "¬P(a) ∨ Q(a)", "ASSUME ASSUME OR_INTRO CONTRADICTION MODUS_PONENS OR_INTRO CONTRADICTION"),
    ("Q(b)", "P(a) ∨ ¬P(a)", "ASSUME ASSUME OR_INTRO CONTRADICTION OR_INTRO CONTRADICTION"),
    (
        "(P(a) → Q(a)) → P(a)",
        "P(a)",
        "ASSUME ASSUME ASSUME CONTRADICTION CONDITIONAL_PROOF MODUS_TOLLENS CONTRADICTION",
    ),
    (
        "P(a) ∨ Q(a); P(a) ∨ ¬Q(a); ¬P(a) ∨ Q(a)",
        "P(a) ∧ Q(a)",
        "ASSUME ASSUME DISJUNCTIVE_SYLLOGISM CASE_SPLIT DISJUNCTIVE_SYLLOGISM AND_INTRO",
    ),
]


@pytest.mark.parametrize(("premises", "goal", "rules"), PATTERNS)
def test_each_way_to_introduce_and_to_eliminate(premises, goal, rules):
    theory = theory_of(premises, goal)
    found = prove(theory, theory.conclusion)
    assert found is not None
    assert_proves(theory, theory.conclusion, found)
    assert " ".join(step.rule for step in found) == rules


def test_every_rule_is_used_by_some_proof():
    assert {rule for _, _, rules in PATTERNS for rule in rules.split()} == set(RULES)


@pytest.mark.parametrize(
    ("premises", "goal"),
    [
        ("P(a)", "Q(a)"),
        ("∀x (P(x) → Q(x)); Q(a)", "P(a)"),
        ("P(a) ∨ Q(a)", "P(a) ∧ Q(a)"),
        ("∃x P(x); ∃x Q(x)", "∃x (P(x) ∧ Q(x))"),
    ],
)
def test_what_is_not_proved(premises, goal):
    theory = theory_of(premises, goal)
    assert prove(theory, theory.conclusion) is None


def random_propositional(rng: random.Random) -> tuple[list[Formula], Formula]:
    letters = [Atom(name, ()) for name in "PQRST"]

    def some(depth: int) -> Formula:
        kind = rng.choice((Atom, Not, And, Or, Xor, Implies, Implies, Iff)) if depth else Atom
        if kind is Atom:
            letter = rng.choice(letters)
            return Not(letter) if rng.random() < 0.3 else letter
        if kind is Not:
            return Not(some(depth - 1))
        if kind in (And, Or, Xor):
            return kind((some(depth - 1), some(depth - 1)))
        return kind(some(depth - 1), some(depth - 1))

    return [some(2) for _ in range(4)], some(2)


def random_monadic(rng: random.Random) -> tuple[list[Formula], Formula]:
    def literal(term: Var | Const) -> Formula:
        atom = Atom(rng.choice("PQRS"), (term,))
        return Not(atom) if rng.random() < 0.35 else atom

    def body(term: Var | Const) -> Formula:
        kind = rng.choice((None, None, And, Or, Implies, Iff))
        if kind is None:
            return literal(term)
        parts = literal(term), literal(term)
        return kind(parts) if kind in (And, Or) else kind(*parts)

    def sentence() -> Formula:
        chance = rng.random()
        if chance < 0.5:
            return Forall(x, Implies(body(x), body(x)) if chance < 0.4 else body(x))
        return Exists(x, body(x)) if chance < 0.65 else body(rng.choice((a, Const("b"))))

    return [sentence() for _ in range(5)], sentence()


@pytest.mark.parametrize("kind", [random_propositional, random_monadic])
def test_what_follows_is_proved(kind):
    rng = random.Random(5)
    entailed = 0
    while entailed < 60:
        premises, goal = kind(rng)
        if oracle.contradict(premises) or not oracle.entails(premises, goal):
            continue
        entailed += 1
        found = prove(Theory(premises, goal), goal)
        assert found is not None, (premises, goal)
        assert_proves(Theory(premises, goal), goal, found)


def test_what_does_not_follow_is_not_proved():
    rng = random.Random(6)
    tried = 0
    while tried < 10:
        premises, goal = random_propositional(rng)
        if not oracle.entails(premises, goal):
            tried += 1
            with suppress(SearchEnded):
                assert prove(Theory(premises, goal), goal) is None


HARD = (
    "∀x (P(x) → (Q(x) ∨ R(x))); ∀x (Q(x) → S(x)); ∀x (R(x) → S(x)); ∃x P(x); ∀x ∃y Likes(x, y); "
    "∀x (Wise(x) ∨ Kind(x)); Wise(b) → ¬Kind(c)"
)


def test_the_search_ends_at_its_limit_of_work():
    theory = theory_of(HARD, "∃x (Wise(x) ∧ Kind(x))")
    with pytest.raises(SearchEnded, match="limit of work"):
        prove(theory, theory.conclusion, most_work=2_000, seconds=1e9)


def test_the_search_ends_at_its_limit_of_time():
    theory = theory_of(HARD, "∃x (Wise(x) ∧ Kind(x))")
    with pytest.raises(SearchEnded, match="limit of time"):
        prove(theory, theory.conclusion, seconds=0)


def test_arbitrary_things_get_names_that_are_not_in_use():
    theory = theory_of("P(c); ∀x (P(x) ∧ Q(x))", "∀x Q(x)")
    found = prove(theory, theory.conclusion, names=("c", "e"))
    assert found is not None
    assert same(found[-2].formula, parse("Q(e)"))


SAY_ALL = """
from tests.logic.test_prover import HARD, PATTERNS, theory_of
from sokrates.logic.prover import prove

for premises, goal in [*((p, g) for p, g, _ in PATTERNS), (HARD, "∃x S(x)")]:
    theory = theory_of(premises, goal)
    print(prove(theory, theory.conclusion))
"""


def test_every_run_finds_the_same_proofs():
    root = Path(__file__).resolve().parents[2]
    said = [
        subprocess.run(
            [sys.executable, "-c", SAY_ALL],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert said[0].count(b"Derivation") > 100


def test_some_literals_that_follow_without_assumptions():
    theory = theory_of(
        "P(a); ∀x (P(x) → Q(x)); ∀x ((P(x) ∧ Q(x)) → R(x)); ∀x (R(x) → S(x)); P(b); T(a) ∨ S(b); ¬(T(a) ∨ U(a))", "V(a)"
    )
    found = derive_some(theory, frozenset({a}), most=4)
    proof = Proof(theory)
    assert all(proof.step(step.rule, step.args, step.formula).valid for step in found)
    assert [step.rule for step in found] == ["MODUS_PONENS", "AND_INTRO", "MODUS_PONENS", "MODUS_PONENS"]
    assert [step.formula for step in found if not isinstance(step.formula, And)] == [Q(a), R(a), Atom("S", (a,))]
    assert derive_some(theory, frozenset({a}), most=0) == []


def test_only_an_implication_between_literals_is_a_link_of_a_chain():
    for premise in (
        Forall(x, Implies(Or((P(x), R(x))), Q(x))),
        Forall(x, Iff(P(x), Q(x))),
        Forall(x, Or((Not(P(x)), Q(x)))),
        Forall(x, Implies(Not(Not(P(x))), Q(x))),
        Forall(x, Implies(P(x), And((Q(x), R(x))))),
    ):
        theory = Theory([premise, P(a)], Q(a))
        assert derive_all(theory, a) == []
        found = prove(theory, Q(a))
        assert found is not None
        assert_proves(theory, Q(a), found)
    assert len(derive_all(Theory([Forall(x, Implies(P(x), Q(x))), P(a)], Q(a)), a)) == 1


def test_what_it_derives_the_kernel_accepts():
    steps = 0
    for seed in range(300):
        theory = Theory(fragment.theory(random.Random(seed)), complement(P(a)))
        proof = Proof(theory)
        for derivation in derive_all(theory, a):
            verdict = proof.step(derivation.rule, derivation.args, derivation.formula)
            assert verdict.valid, (seed, derivation, verdict)
            steps += 1
    assert steps > 50
