"""Derivations that the kernel accepts, from rules that one step applies."""

from __future__ import annotations

import random

from sokrates.logic.formulas import And, Atom, Const, Forall, Iff, Implies, Not, Or, Var, complement
from sokrates.logic.proof import Proof
from sokrates.logic.prover import derive_all, prove
from sokrates.logic.theory import Theory
from tests.logic import test_closure as fragment

a = Const("a")
x = Var("x")


def P(term):
    return Atom("P", (term,))


def Q(term):
    return Atom("Q", (term,))


def R(term):
    return Atom("R", (term,))


def test_only_an_implication_between_literals_is_used_as_a_rule():
    for premise in (
        Forall(x, Implies(Or((P(x), R(x))), Q(x))),
        Forall(x, Iff(P(x), Q(x))),
        Forall(x, Or((Not(P(x)), Q(x)))),
        Forall(x, Implies(Not(Not(P(x))), Q(x))),
        Forall(x, Implies(P(x), And((Q(x), R(x))))),
    ):
        theory = Theory([premise, P(a)], Q(a))
        assert theory.entails(Q(a)) is True
        assert prove(theory, Q(a)) is None
    assert prove(Theory([Forall(x, Implies(P(x), Q(x))), P(a)], Q(a)), Q(a)) is not None


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
