"""A theory answers by the closure where that decides, by z3 where it does not, and rightly."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sokrates.logic.answer import Answer
from sokrates.logic.formulas import And, Atom, Const, Exists, Forall, Formula, Implies, Not, Or, Var, complement
from sokrates.logic.smt import Smt
from sokrates.logic.theory import Theory
from tests.logic import oracle, random_logic

PROJECT = Path(__file__).parent.parent.parent

a, b = Const("a"), Const("b")
x = Var("x")


def P(term):
    return Atom("P", (term,))


def Q(term):
    return Atom("Q", (term,))


def R(term):
    return Atom("R", (term,))


BOTH_NEEDED = Forall(x, Implies(And((P(x), Q(x))), R(x)))
CHAIN = [Forall(x, Implies(P(x), Q(x))), P(a)]


def oracle_knows(premises, goal) -> bool | None:
    try:
        return oracle.entails(premises, goal)
    except AssertionError:
        return None


def test_it_answers_as_the_oracle_does():
    answers: Counter[bool | None] = Counter()

    @settings(max_examples=150, suppress_health_check=list(HealthCheck), database=None)
    @given(st.randoms(use_true_random=True))
    def law(rng):
        premises = [random_logic.formula(rng, 2) for _ in range(rng.randint(0, 4))]
        goal, assumed = random_logic.formula(rng, 2), [random_logic.formula(rng, 1) for _ in range(rng.randint(0, 2))]
        theory = Theory(premises, goal)
        for extra in ((), assumed):
            entailed, known = theory.entails(goal, extra), oracle_knows([*premises, *extra], goal)
            answers[entailed] += 1
            assert None in (entailed, known) or entailed is known, (premises, extra, goal)
        if theory.consistent is not None:
            assert theory.consistent is not oracle_knows(premises, And((P(a), Not(P(a)))))

    law()
    assert answers[True] > 5 and answers[False] > 100 and answers[None] < 15


@pytest.mark.parametrize(
    ("facts", "answer"),
    [
        ([P(a), Q(a)], Answer.TRUE),
        ([P(a), Q(b)], Answer.UNKNOWN),
        ([P(a), Not(R(a))], Answer.FALSE),
        ([P(a), Q(a), Not(R(a))], None),
    ],
)
def test_answers_outside_the_fragment(facts, answer):
    goal = Q(a) if answer is Answer.FALSE else R(a)
    theory = Theory([BOTH_NEEDED, *facts], goal)
    assert not theory.decided_fast
    assert theory.answer is answer
    assert theory.consistent is (answer is not None)


def test_what_the_closure_decides_is_not_asked_of_z3(monkeypatch):
    monkeypatch.setattr(Smt, "_question", None)
    theory = Theory(CHAIN, Q(a))
    assert theory.decided_fast
    assert theory.answer is Answer.TRUE
    assert theory.entails(P(b)) is False
    assert theory.entails(Q(b), [P(b)]) is True
    assert theory.consistent is True
    assert Theory([BOTH_NEEDED, *CHAIN], Q(a)).entails(Q(a)) is True, "the part that is in the fragment proves it"


def test_assumptions_are_one_set_in_any_order_and_spelling():
    theory = Theory([BOTH_NEEDED], R(a))
    assert theory.entails(R(a), [P(a), Q(a)]) is True
    assert theory.entails(R(a), [P(a)]) is False
    assert theory.assuming([P(a), Q(a)]) is theory.assuming([Q(a), P(a), Q(a)])
    assert theory.assuming([Or((P(a), Q(a)))]) is theory.assuming([Or((Q(a), P(a)))])
    assert theory.entails(R(a)) is False, "what was assumed once is not kept"
    assert theory.entails(R(b), [P(a), Not(P(a))]) is True, "anything follows from a contradiction"


def test_inconsistent_premises():
    theory = Theory([BOTH_NEEDED, Exists(x, And((P(x), Q(x)))), Forall(x, Not(R(x)))], P(a))
    assert theory.consistent is False
    assert theory.entails(P(b)) is True and theory.entails(Not(P(b))) is True
    assert theory.answer is None


def test_what_is_too_large_is_not_decided():
    deep: Formula = P(a)
    for _ in range(20_000):
        deep = Not(deep)
    theory = Theory(CHAIN, Q(a))
    assert theory.entails(deep) is None
    assert theory.entails(Q(a), [deep]) is None


def test_an_exhausted_budget_is_not_decided(monkeypatch):
    monkeypatch.setattr(Smt, "effort", 1)
    theory = Theory([BOTH_NEEDED, P(a), Q(a)], R(a))
    assert theory.entails(R(a)) is None and theory.consistent is None and theory.answer is None
    assert theory.entails(P(a)) is True


def test_the_opposite_of_what_follows_does_not():
    for seed in range(60):
        rng = random.Random(seed)
        theory = Theory([random_logic.formula(rng, 2) for _ in range(3)], P(a))
        goal = random_logic.formula(rng, 1)
        if theory.consistent and theory.entails(goal):
            assert theory.entails(complement(goal)) is False


ENGLISH = """
import sys
from sokrates.problems.reading import read_sentences
premises = ("Every wumpus is a tumpus.", "Tumpuses are not red.", "Max is a wumpus.")
theory = read_sentences(premises, "Max is red.").theory
assert theory.answer == "FALSE" and theory.consistent and theory.decided_fast
from sokrates.logic.explain import explain
from sokrates.logic.formulas import complement
explain(theory, theory.conclusion), explain(theory, complement(theory.conclusion))
assert "z3" not in sys.modules
"""


def test_a_problem_of_the_fragment_never_loads_z3():
    subprocess.run([sys.executable, "-c", ENGLISH], check=True, timeout=60, env={"PYTHONPATH": "src"}, cwd=PROJECT)
