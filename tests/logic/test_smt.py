"""z3's answers against an independent translation, and what keeps them reproducible and cheap."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import z3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sokrates.logic import fol
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
    quantify,
)
from sokrates.logic.smt import MOST_DEPTH, MOST_NODES, Smt, within_limits
from tests.logic import oracle, random_logic

PROJECT = Path(__file__).parent.parent.parent

a, b, c = Const("a"), Const("b"), Const("c")
x, y, z = Var("x"), Var("y"), Var("z")

many = settings(max_examples=200, suppress_health_check=list(HealthCheck), database=None)


def P(term):
    return Atom("P", (term,))


def Q(term):
    return Atom("Q", (term,))


def R(*terms):
    return Atom("R", terms)


def equal(left, right):
    return Atom("=", (left, right))


def theory(rng: random.Random) -> list[Formula]:
    return [random_logic.formula(rng, rng.choice((0, 1, 2, 3))) for _ in range(rng.randint(0, 5))]


def oracle_knows(premises, goal) -> bool | None:
    try:
        return oracle.entails(premises, goal)
    except AssertionError:
        return None


def test_it_answers_as_the_oracle_does():
    answers: Counter[bool | None] = Counter()

    @many
    @given(st.randoms(use_true_random=True))
    def law(rng):
        premises, goal = theory(rng), random_logic.formula(rng, rng.choice((0, 1, 2, 3)))
        smt = Smt(premises)
        entailed, known = smt.entails(goal), oracle_knows(premises, goal)
        answers[entailed] += 1
        if known is not None:
            assert entailed is known, (premises, goal)
        if entailed:
            core = smt.core(goal)
            assert core is not None and oracle.entails([premises[line] for line in core], goal)
            assert smt.counterexample(goal) is None
        elif entailed is False:
            model = smt.counterexample(goal)
            assert model is not None
            assert all(model.holds(premise) for premise in premises) and not model.holds(goal)
            assert smt.core(goal) is None

    law()
    assert answers[True] > 5 and answers[False] > 100 and answers[None] < 10


@many
@given(st.randoms(use_true_random=True))
def test_consistency_is_what_the_oracle_says(rng):
    premises = [*theory(rng), *theory(rng)]
    try:
        assert Smt(premises).consistent is not oracle.contradict(premises)
    except AssertionError as undecided:
        assert "z3 does not decide" in str(undecided)


@pytest.mark.parametrize(
    ("premises", "goal", "entailed"),
    [
        ([], equal(a, a), True),
        ([], equal(a, b), False),
        ([], Not(equal(a, b)), False),
        ([equal(a, b), P(a)], P(b), True),
        ([equal(a, b), equal(b, c)], equal(c, a), True),
        ([P(a), Not(P(b))], Not(equal(a, b)), True),
        ([Forall(x, equal(x, a)), P(a)], Forall(y, P(y)), True),
        ([Forall(x, Or((equal(x, a), equal(x, b)))), P(a), P(b)], Forall(x, P(x)), True),
        ([], Exists(x, equal(x, x)), True),
        ([], Exists(x, Exists(y, Not(equal(x, y)))), False),
    ],
)
def test_equality_is_identity(premises, goal, entailed):
    assert Smt(premises).entails(goal) is entailed


def test_xor_of_three_is_parity():
    odd = Xor((P(a), P(b), P(c)))
    assert Smt([odd, P(a), P(b)]).entails(P(c)) is True
    assert Smt([odd, P(a), Not(P(b))]).entails(Not(P(c))) is True
    assert Smt([P(a), P(b), P(c)]).entails(odd) is True
    assert Smt([P(a), P(b)]).entails(odd) is False
    assert Smt([]).entails(Iff(odd, Xor((Xor((P(a), P(b))), P(c))))) is True


@pytest.mark.parametrize("kind", [And, Or, Xor])
def test_connectives_of_one_part_and_of_none(kind):
    assert Smt([]).entails(Iff(kind((P(a),)), P(a))) is True
    assert Smt([]).entails(kind(())) is (kind is And)


def test_quantifiers_in_both_orders():
    someone_all = Exists(x, Forall(y, R(x, y)))
    all_someone = Forall(y, Exists(x, R(x, y)))
    assert Smt([someone_all]).entails(all_someone) is True
    assert Smt([all_someone]).entails(someone_all) is False
    drinker = Exists(x, Implies(P(x), Forall(y, P(y))))
    assert Smt([]).entails(drinker) is True
    assert Smt([]).entails(Implies(Forall(x, P(x)), Exists(x, P(x)))) is True, "no domain is empty"
    assert Smt([Forall(x, Exists(y, R(x, y)))]).entails(Forall(x, R(x, x))) is False


def test_a_name_bound_again_stands_for_the_inner_one():
    assert Smt([P(a)]).entails(Forall(x, Exists(x, P(x)))) is True
    assert Smt([Forall(x, Or((P(x), Exists(x, Q(x)))))]).entails(Or((Forall(x, P(x)), Exists(y, Q(y))))) is True


def test_any_text_may_be_a_name():
    odd = Atom('x y|\\"(∀', (Const("false"),))
    assert Smt([odd]).entails(odd) is True
    assert Smt([odd]).entails(Atom('x y|\\"(∀', (Const("true"),))) is False
    assert Smt([Atom("P", (a,))]).entails(Atom("P", (a, a))) is False, "two predicates"
    assert Smt([Atom("not", ())]).entails(Atom("not", ())) is True


def test_premises_that_contradict_each_other():
    smt = Smt([Forall(x, Implies(And((P(x), Q(x))), R(x))), P(a), Q(a), Not(R(a))])
    assert smt.consistent is False
    assert smt.entails(P(b)) is True


NO_LARGEST = [
    Forall(x, Exists(y, R(x, y))),
    Forall(x, Not(R(x, x))),
    Forall(x, Forall(y, Forall(z, Implies(And((R(x, y), R(y, z))), R(x, z))))),
]
"""True of infinite domains only."""


def test_what_is_true_of_infinite_domains_only_is_not_decided():
    smt = Smt(NO_LARGEST, effort=200_000)
    assert smt.consistent is None
    assert smt.entails(P(a)) is None
    assert smt.counterexample(P(a)) is None


def pigeons(count: int) -> list[Formula]:
    """So many pigeons in one hole fewer, each alone: contradictory, and hard to see."""
    holes = [Const(f"h{number}") for number in range(count - 1)]
    birds = [Const(f"p{number}") for number in range(count)]
    placed = [Or(tuple(R(bird, hole) for hole in holes)) for bird in birds]
    alone = [
        Not(And((R(bird, hole), R(other, hole))))
        for hole in holes
        for number, bird in enumerate(birds)
        for other in birds[:number]
    ]
    return [*placed, *alone]


def test_a_hard_question_is_given_up_by_the_count_of_work():
    premises = pigeons(9)
    smt = Smt(premises, effort=20_000)
    assert smt.consistent is None and smt.entails(P(a)) is None and smt.core(P(a)) is None
    assert Smt(pigeons(4)).consistent is False


def test_what_is_too_large_is_not_decided():
    deep: Formula = P(a)
    for _ in range(50_000):
        deep = Not(deep)
    wide = And(tuple(P(Const(f"c{number}")) for number in range(MOST_NODES + 1)))
    shared: Formula = P(a)
    for _ in range(MOST_DEPTH - 10):
        shared = Or((shared, shared))
    for large in (deep, wide, shared):
        assert not within_limits(large)
        assert Smt([]).entails(large) is None
        assert Smt([]).core(large) is None and Smt([]).counterexample(large) is None
        assert Smt([large]).consistent is None and Smt([large]).entails(P(a)) is None


def test_what_is_just_within_the_limits_is_decided():
    deep: Formula = P(a)
    for _ in range(MOST_DEPTH - 2):
        deep = Not(deep)
    variables = [Var(f"v{number}") for number in range(40)]
    nested = quantify(variables, Or(tuple(P(var) for var in variables)))
    assert Smt([P(a)]).entails(deep) is True
    assert Smt([Forall(x, P(x))]).entails(nested) is True


def test_constants_differ_in_a_counterexample_unless_equality_matters():
    plain = Smt([P(a), P(b)]).counterexample(P(c))
    assert plain is not None and len({plain.named[who] for who in (a, b, c)}) == 3
    merged = Smt([equal(a, b)]).counterexample(P(c))
    assert merged is not None and merged.named[a] == merged.named[b]


def test_each_question_is_asked_once(monkeypatch):
    smt = Smt([Forall(x, Implies(And((P(x), Q(x))), R(x)))])
    first = smt.entails(Forall(x, Implies(P(x), R(x))))
    monkeypatch.setattr(smt, "_satisfiable", None)
    assert smt.entails(Forall(y, Implies(P(y), R(y)))) is first is False


def test_an_answer_does_not_depend_on_what_was_asked_before():
    """At the edge of the budget too: every question starts from nothing."""
    rng = random.Random(7)
    premises, goals = theory(rng), [random_logic.formula(rng, 3) for _ in range(12)]
    for effort in (1_000, 3_000, 10_000):
        forwards, backwards = Smt(premises, effort), Smt(premises, effort)
        there = [forwards.entails(goal) for goal in goals]
        back = [backwards.entails(goal) for goal in reversed(goals)][::-1]
        assert there == back


def seeded(seed: int) -> list[bool | None]:
    rng = random.Random(seed)
    smt = Smt(theory(rng))
    return [smt.entails(random_logic.formula(rng, 2)) for _ in range(4)]


def test_threads_do_not_disturb_each_other():
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(seeded, range(24))) == list(map(seeded, range(24)))


def test_no_context_outlives_its_question(monkeypatch):
    """A context takes 18 MB: thousands of theories are kept, their contexts are not."""
    living = [0]

    class Counted(z3.Context):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            living[0] += 1

        def __del__(self):
            living[0] -= 1
            super().__del__()

    monkeypatch.setattr(z3, "Context", Counted)
    kept = []
    for seed in range(20):
        rng = random.Random(seed)
        smt, goal = Smt(theory(rng)), random_logic.formula(rng, 2)
        kept.append((smt, smt.entails(goal), smt.core(goal), smt.counterexample(goal), smt.consistent))
        assert living == [0]
    assert len(kept) == 20


@pytest.mark.slow
def test_memory_stays_flat():
    def resident() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

    kept = []
    for seed in range(1500):
        rng = random.Random(seed)
        smt = Smt(theory(rng))
        smt.entails(random_logic.formula(rng, 2))
        kept.append(smt)
        if seed == 300:
            before = resident()
    assert resident() - before < 20


IMPORT = "import sys, sokrates.logic.theory, sokrates.logic.explain, sokrates.logic.smt; assert 'z3' not in sys.modules"


def test_importing_it_does_not_load_z3():
    subprocess.run([sys.executable, "-c", IMPORT], check=True, timeout=60, env={"PYTHONPATH": "src"}, cwd=PROJECT)


FORKED = """
import multiprocessing
from tests.logic.test_smt import seeded
if __name__ == "__main__":
    here = list(map(seeded, range(8)))
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map_async(seeded, range(8)).get(timeout=60) == here, method
"""


def test_processes_answer_alike_also_when_forked_after_use(tmp_path):
    script = tmp_path / "forked.py"
    script.write_text(FORKED)
    environment = {"PYTHONPATH": f"src{os.pathsep}."}
    subprocess.run([sys.executable, str(script)], check=True, timeout=100, env=environment, cwd=PROJECT)


def test_a_name_bound_again_inside_is_another_variable():
    """Somebody knows someone, and everyone there knows someone: nobody need know himself."""
    premise = fol.parse("∃x (Person(x) ∧ ∀x ∃y Knows(x, y))")
    smt = Smt([premise])
    assert smt.entails(fol.parse("∀x ∃y Knows(x, y)")) is True
    assert smt.entails(fol.parse("∃x Knows(x, x)")) is False
    against = [fol.parse("∃x ∀y ¬Knows(x, y)"), fol.parse("∃x Knows(x, x)")]
    assert Smt([premise, *against]).consistent is False


def test_too_many_biconditionals_are_not_asked_about():
    """z3 takes a time that doubles with each and counts none of it."""
    names = [f"P{number}" for number in range(40)]
    premise = fol.parse(f"∀x ({' ↔ '.join(f'{name}(x)' for name in names)})")
    assert Smt([premise]).entails(fol.parse(" ⊕ ".join(f"{name}(a)" for name in names))) is None
    few = fol.parse("∀x (P(x) ↔ Q(x) ↔ R(x))")
    assert Smt([few]).entails(fol.parse("P(a) ↔ (Q(a) ↔ R(a))")) is True
