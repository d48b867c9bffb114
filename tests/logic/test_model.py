"""Finite models: what holds in them, and the literals that make it so."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sokrates.logic.formulas import And, Atom, Const, Exists, Forall, Iff, Not, TooComplex, Var, Xor, quantify
from sokrates.logic.model import Model, unused_names
from tests.logic import oracle, random_logic

a, b, c, e1 = Const("a"), Const("b"), Const("c"), Const("X")
x, y = Var("x"), Var("y")


def P(term):
    return Atom("P", (term,))


def equal(left, right):
    return Atom("=", (left, right))


MODEL = Model({a: 0, b: 0, c: 1, e1: 2}, (a, c, e1), {("P", 1): frozenset({(0,), (2,)}), ("S", 2): frozenset({(0, 1)})})


def test_what_holds():
    assert MODEL.holds(P(a)) and MODEL.holds(P(b)) and not MODEL.holds(P(c))
    assert MODEL.holds(equal(a, b)) and not MODEL.holds(equal(a, c))
    assert not MODEL.holds(Forall(x, P(x))) and MODEL.holds(Exists(x, P(x)))
    assert MODEL.holds(Exists(x, Exists(y, Atom("S", (x, y)))))
    assert not MODEL.holds(Forall(x, Exists(y, Atom("S", (x, y)))))
    assert not MODEL.holds(Atom("P", (a, a))), "another predicate: it has two places"


def test_a_chain_of_xor_is_parity():
    assert MODEL.holds(Xor((P(a), P(b), P(e1)))) and not MODEL.holds(Xor((P(a), P(b), P(c))))
    assert MODEL.holds(Iff(P(a), P(b))) and not MODEL.holds(Iff(P(a), P(c)))


def test_the_inner_variable_of_a_name_counts():
    assert MODEL.holds(Forall(x, Exists(x, P(x))))


def test_reasons_are_the_literals_that_decide():
    assert MODEL.reasons(Forall(x, P(x))) == [Not(P(c))]
    assert MODEL.reasons(Exists(x, P(x))) == [P(a)]
    assert MODEL.reasons(Not(P(a))) == [P(a)]


@settings(max_examples=150, suppress_health_check=list(HealthCheck), database=None)
@given(st.randoms(use_true_random=True))
def test_reasons_hold_and_decide_the_formula_over_the_domain(rng):
    formula = random_logic.formula(rng, 3)
    reasons = MODEL.reasons(formula)
    assert all(MODEL.holds(reason) for reason in reasons)
    domain = quantify([x], Xor((equal(x, a), equal(x, c), equal(x, e1))))
    same = [equal(a, b), Not(equal(a, c)), Not(equal(a, e1)), Not(equal(c, e1)), domain]
    if MODEL.holds(formula):
        assert oracle.entails([*same, *reasons], formula)
    else:
        assert oracle.entails([*same, *reasons], Not(formula))


def test_too_many_evaluations_are_refused():
    variables = [Var(f"x{number}") for number in range(12)]
    true_of_all = quantify(variables, And(tuple(equal(var, var) for var in variables)))
    with pytest.raises(TooComplex):
        MODEL.holds(true_of_all)


def test_unused_names():
    names = unused_names({Const("Y")})
    assert [next(names).name for _ in range(3)] == ["X", "Z", "X'"]
