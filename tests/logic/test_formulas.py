"""Equality, substitution and matching: the laws, and names that try to capture each other."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sokrates.logic.formulas import (
    And,
    Atom,
    Const,
    Forall,
    Implies,
    Not,
    Var,
    canonical,
    match_formula,
    rename_apart,
    same,
    show,
    strip_foralls,
    substitute,
)
from tests.logic import oracle, random_logic

a, b = Const("a"), Const("b")
x, y, z = Var("x"), Var("y"), Var("z")

many = settings(max_examples=200, suppress_health_check=list(HealthCheck), database=None)
randoms = st.randoms(use_true_random=True)


def P(*terms):
    return Atom("P", terms)


def Q(*terms):
    return Atom("Q", terms)


@many
@given(randoms)
def test_same_holds_of_a_formula_in_other_words(rng):
    formula = random_logic.formula(rng, 4)
    other = random_logic.disguised(rng, formula)
    assert same(formula, other) and same(other, formula)
    assert hash(canonical(formula)) == hash(canonical(other))
    assert canonical(canonical(formula)) == canonical(formula)


@many
@given(randoms)
def test_same_means_equivalent(rng):
    left = random_logic.formula(rng, 3)
    right = random_logic.tampered(rng, left) if rng.random() < 0.5 else random_logic.disguised(rng, left)
    if same(left, right):
        assert oracle.equivalent(left, right)
    assert oracle.equivalent(left, canonical(left))


@many
@given(randoms)
def test_renaming_says_the_same_and_binds_no_name_twice(rng):
    formula = random_logic.formula(rng, 4)
    renamed = rename_apart(rename_apart(formula, "l"), "r")
    assert same(renamed, formula)
    assert oracle.equivalent(renamed, formula)
    variables, body = strip_foralls(renamed)
    assert not isinstance(body, Forall)
    assert len(set(variables)) == len(variables)


def test_equality_is_order_nesting_and_repetition_of_conjunction_and_no_more():
    assert same(And((P(a), Q(a))), And((Q(a), P(a))))
    assert same(And((P(a), And((Q(a), P(b))))), And((And((P(b), P(a))), Q(a))))
    assert same(And((P(a), P(a))), P(a))
    assert not same(Not(Not(P(a))), P(a))
    assert not same(Implies(P(a), Q(a)), Implies(Q(a), P(a)))
    assert not same(Implies(P(a), Q(a)), Implies(Not(Q(a)), Not(P(a))))
    assert not same(P(a, b), P(b, a))
    assert not same(P(a), P(a, a))


def test_bound_names_do_not_matter_but_what_binds_them_does():
    S = lambda s, t: Atom("S", (s, t))  # noqa: E731
    assert same(Forall(x, Forall(y, S(x, y))), Forall(y, Forall(x, S(y, x))))
    assert not same(Forall(x, Forall(y, S(x, y))), Forall(x, Forall(y, S(y, x))))
    assert not same(Forall(x, Forall(y, S(x, y))), Forall(x, Forall(x, S(x, x))))
    assert same(Forall(x, Forall(x, P(x))), Forall(y, Forall(x, P(x))))
    assert not same(Forall(x, Forall(y, P(x))), Forall(x, Forall(y, P(y))))


def test_names_made_by_the_kernel_itself_capture_nothing():
    """Names that renaming gives, given to it again under each other."""
    for outer in ("x#", "x#l", "x#r", "y#", "y#r", "#0", "x"):
        for inner in ("x#", "x#l", "x#r", "x#l#r", "y#", "y#r", "#0", "x", "y"):
            if outer != inner:
                formula = Forall(Var(outer), Forall(Var(inner), Atom("S", (Var(outer), Var(inner)))))
                for tag in ("", "l", "r"):
                    assert oracle.equivalent(rename_apart(formula, tag), Forall(x, Forall(y, Atom("S", (x, y)))))
                assert same(formula, Forall(x, Forall(y, Atom("S", (x, y)))))
                assert not same(formula, Forall(x, Forall(y, Atom("S", (x, x)))))


def test_substitution_leaves_bound_variables_alone():
    assert substitute(And((P(x), Forall(x, Q(x)))), {x: a}) == And((P(a), Forall(x, Q(x))))
    assert substitute(Forall(y, P(x, y)), {x: a, y: b}) == Forall(y, P(a, y))


def test_strip_foralls_ends_where_a_name_is_bound_again():
    assert strip_foralls(Forall(x, Forall(y, P(x)))) == ((x, y), P(x))
    assert strip_foralls(Forall(x, Forall(x, P(x)))) == ((x,), Forall(x, P(x)))


def bindings(pattern, target, variables, rigid=()):
    return list(match_formula(pattern, target, variables, rigid))


def test_matching_is_one_way_and_consistent():
    assert bindings(P(x, y), P(a, b), {x, y}) == [{x: a, y: b}]
    assert bindings(P(x, x), P(a, b), {x}) == []
    assert bindings(P(a), P(x), {x}) == []
    assert bindings(P(x), P(a), ()) == []
    assert bindings(P(x), Q(a), {x}) == []
    assert bindings(P(x), P(a, a), {x}) == []


def test_matching_never_binds_to_a_variable_that_is_bound_inside():
    assert bindings(Forall(y, P(x, y)), Forall(z, P(z, z)), {x}) == []
    assert bindings(Forall(y, P(x, y)), Forall(x, P(x, x)), {x}) == []
    assert bindings(Forall(y, P(x, y)), Forall(z, P(a, z)), {x}) == [{x: a}]
    assert bindings(Forall(x, P(x)), Forall(y, P(y)), {x}) == [{}]
    assert bindings(And((P(x), Forall(x, Q(x)))), And((P(a), Forall(y, Q(y)))), {x}) == [{x: a}]


def test_matching_of_conjunctions_uses_every_part():
    assert bindings(And((P(x), Q(x))), And((Q(a), P(a))), {x}) == [{x: a}]
    assert bindings(And((P(x), Q(x))), And((Q(a), P(b))), {x}) == []
    assert bindings(And((P(x), Q(x))), And((Q(a), P(a), P(b))), {x}) == []
    assert bindings(And((P(x), P(y))), And((P(a), P(b))), {x, y})


@pytest.mark.timeout(20)
def test_matching_does_not_slow_down_on_repeated_parts():
    assert bindings(And((P(x),) * 200), And((P(a),) * 200), {x}) == [{x: a}]


@many
@given(randoms)
def test_a_match_makes_the_pattern_the_target(rng):
    variables, rule = random_logic.open_rule(rng)
    pattern = rule.antecedent
    target = random_logic.disguised(rng, random_logic.instance(rng, variables, pattern))
    for binding in match_formula(pattern, target, variables):
        assert oracle.equivalent(substitute(pattern, binding), target)


def test_show_names_variables_by_depth():
    assert show(Forall(Var("q"), Implies(P(Var("q")), Not(Q(Var("q")))))) == "∀x (P(x) → ¬Q(x))"
    assert (
        show(Forall(y, And((P(y), Forall(x, Implies(Atom("S", (x, y)), Q(x))))))) == "∀x (P(x) ∧ ∀y (S(y, x) → Q(y)))"
    )
    assert show(Not(And((P(a), Q(b))))) == "¬(P(a) ∧ Q(b))"
