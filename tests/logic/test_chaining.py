"""Forward chaining: what it derives, what it leaves to classical logic, and that it derives nothing false."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sokrates.logic import fol
from sokrates.logic.answer import Answer
from sokrates.logic.chaining import chain, chained_answer
from sokrates.logic.formulas import Implies, Not, Or, constants, quantify
from sokrates.logic.theory import Theory
from tests.logic import oracle, random_logic


def answer(*premises: str, conclusion: str) -> Answer | None:
    return chained_answer(Theory([fol.parse(premise) for premise in premises], fol.parse(conclusion)))


CATS = (
    "Cat(tom)",
    "Chases(tom, jerry)",
    "∀x ∀y (Cat(x) ∧ Chases(x, y) → Fears(y, x))",
    "∀x (Fears(x, tom) → ¬Bold(x))",
)


@pytest.mark.parametrize(
    ("conclusion", "wanted"),
    [
        ("Cat(tom)", Answer.TRUE),
        ("¬Cat(tom)", Answer.FALSE),
        ("Fears(jerry, tom)", Answer.TRUE),
        ("Fears(tom, jerry)", Answer.UNKNOWN),
        ("¬Bold(jerry)", Answer.TRUE),
        ("Bold(jerry)", Answer.FALSE),
        ("Bold(tom)", Answer.UNKNOWN),
    ],
)
def test_answers(conclusion, wanted):
    assert answer(*CATS, conclusion=conclusion) is wanted


def test_there_is_no_contraposition_and_no_refutation():
    assert answer("∀x (P(x) → Q(x))", "¬Q(a)", conclusion="P(a)") is Answer.UNKNOWN
    assert answer("P(a) → Q(a)", "¬P(a) → Q(a)", conclusion="Q(a)") is Answer.UNKNOWN


def test_a_negated_antecedent_needs_a_negated_fact():
    assert answer("¬P(a) → Q(a)", conclusion="Q(a)") is Answer.UNKNOWN
    assert answer("¬P(a) → Q(a)", "¬P(a)", conclusion="Q(a)") is Answer.TRUE


def test_variables_that_no_fact_binds_stand_for_every_constant():
    premises = ("P(a)", "P(a) → ∀x (Q(x))", "R(b)")
    assert answer(*premises, conclusion="Q(b)") is None
    assert answer("P(a)", "∀x (P(a) → Q(x))", "R(b)", conclusion="Q(b)") is Answer.TRUE
    assert answer("∀x (Q(x))", "∀x (Q(x) → R(x))", conclusion="R(b)") is Answer.TRUE


def test_conjunctions_are_their_parts():
    assert answer("P(a) ∧ ¬Q(a)", "∀x (P(x) ∧ ¬Q(x) → R(x) ∧ S(x))", conclusion="S(a)") is Answer.TRUE


@pytest.mark.parametrize(
    "premise", ["P(a) ∨ Q(a)", "∃x P(x)", "P(a) → (Q(a) ∨ R(a))", "¬(P(a) ∧ Q(a))", "∀x ∃y P(x, y)"]
)
def test_what_is_no_fact_or_rule_has_no_answer(premise):
    assert answer(premise, conclusion="P(b)") is None
    assert answer("P(b)", conclusion=premise) is None


def test_a_contradiction_about_the_conclusion_has_no_answer():
    assert answer("P(a)", "¬P(a)", conclusion="P(a)") is None
    assert answer("P(a)", "¬P(a)", conclusion="Q(a)") is Answer.UNKNOWN
    assert chained_answer(Theory([fol.parse("P(a)")], None)) is None


def test_too_many_ways_have_no_answer():
    facts = [f"P(a{n})" for n in range(40)]
    wide = " ∧ ".join(f"P(x{n})" for n in range(20))
    rule = "∀" + ",".join(f"x{n}" for n in range(20)) + f" ({wide} → Q(x0))"
    assert answer(*facts, rule, conclusion="Q(b)") is None
    everything = "∀" + ",".join(f"x{n}" for n in range(30)) + f" P({', '.join(f'x{n}' for n in range(30))})"
    assert answer(everything, *facts, conclusion="Q(b)") is None


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False))
def test_what_is_derived_is_entailed(rng: random.Random):
    premises = []
    for _ in range(3):
        variables = tuple(rng.sample(random_logic.VARIABLES, rng.choice((0, 1, 1))))
        sides = [random_logic.literal(rng, variables) for _ in range(2)]
        premises += [quantify(variables, Implies(*sides)), random_logic.literal(rng, ())]
    found = chain(premises, sorted(frozenset().union(*map(constants, premises)), key=str))
    assert found is not None and set(premises[1::2]) <= found
    for fact in sorted(found, key=str)[:6]:
        assert oracle.entails(premises, fact)
    assert chain([*premises, Or((premises[0], Not(premises[0])))], ()) is None
