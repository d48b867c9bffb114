"""The closure against z3: right wherever it answers, and it answers throughout its fragment."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sokrates.logic.answer import Answer
from sokrates.logic.closure import Closure
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
)
from sokrates.logic.theory import Theory
from tests.logic import oracle, random_logic

a, b = Const("a"), Const("b")
x, y = Var("x"), Var("y")
PREDICATES = tuple("PQRST")

randoms = st.randoms(use_true_random=True)
many = settings(max_examples=200, suppress_health_check=list(HealthCheck), database=None)


def P(term):
    return Atom("P", (term,))


def Q(term):
    return Atom("Q", (term,))


def literal(rng: random.Random, term) -> Formula:
    atom = Atom(rng.choice(PREDICATES), (term,))
    return Not(atom) if rng.random() < 0.45 else atom


def literals(rng: random.Random, term) -> Formula:
    return literal(rng, term) if rng.random() < 0.8 else And((literal(rng, term), literal(rng, term)))


def rule(rng: random.Random) -> Formula:
    var = rng.choice((x, y))
    return Forall(var, Implies(literal(rng, var), literals(rng, var)))


def rule_in_other_words(rng: random.Random) -> Formula:
    """Clauses of at most two literals, written with any connective."""
    first, second, third = (literal(rng, x) for _ in range(3))
    return Forall(
        x,
        rng.choice(
            (
                Or((first, second)),
                Xor((first, second)),
                Iff(first, second),
                Implies(Or((first, second)), third),
                Implies(Or((first, second)), And((second, third))),
                Not(And((first, second))),
                Not(Not(Implies(first, Not(Not(second))))),
                And((first, Implies(second, third))),
                Forall(y, Implies(first, second)),
            )
        ),
    )


def theory(rng: random.Random) -> list[Formula]:
    """Premises of the fragment; about a third of the theories contradict themselves."""
    premises = [rule(rng) for _ in range(rng.randint(0, 7))]
    premises += [rule_in_other_words(rng) for _ in range(rng.choice((0, 0, 1, 3)))]
    premises += [literals(rng, rng.choice((a, b))) for _ in range(rng.randint(0, 2))]
    if rng.random() < 0.2:
        premises.append(Not(Or((literal(rng, a), literal(rng, b)))))
    if rng.random() < 0.2:
        premises.append(Forall(x, literal(rng, x)))
    rng.shuffle(premises)
    return premises


def claim(rng: random.Random) -> Formula:
    """What a sentence can claim."""
    kind = rng.choice(("fact", "fact", "facts", "rule", "everything", "long", "denied", "joined", "some"))
    match kind:
        case "fact":
            return literal(rng, rng.choice((a, b)))
        case "facts":
            return And((literal(rng, a), literal(rng, rng.choice((a, b)))))
        case "rule":
            return rule(rng)
        case "everything":
            return Forall(y, literal(rng, y))
        case "long":
            return Forall(x, Implies(And((literal(rng, x), literal(rng, x))), literal(rng, x)))
        case "joined":
            left, right = claim(rng), claim(rng)
            return rng.choice((And((left, right)), Or((left, right)), Xor((left, right)), Iff(left, right)))
        case "some":
            return Exists(x, literal(rng, x))
    return Not(claim(rng))


def test_in_the_fragment_it_answers_as_z3_does():
    answers: Counter[bool | None] = Counter()

    @many
    @given(randoms)
    def law(rng):
        premises = theory(rng)
        closure = Closure(premises)
        assert closure.complete
        assert closure.consistent is not oracle.contradict(premises)
        for _ in range(4):
            goal = claim(rng)
            entailed = closure.entails(goal)
            answers[entailed] += 1
            if entailed is not None:
                assert entailed is oracle.entails(premises, goal), (premises, goal)
            if entailed is True:
                assert oracle.entails([premises[line] for line in closure.lines_for(goal)], goal)
            if entailed is False:
                way = closure.counterexample(goal)
                assert way is not None and not oracle.contradict([*premises, *way, Not(goal)])
            if entailed is None:
                assert "And" in repr(goal), goal

    law()
    assert answers[True] > 150 and answers[False] > 150
    assert answers[None] < 80


def test_outside_the_fragment_it_answers_rightly_or_not_at_all():
    answers: Counter[bool | None] = Counter()

    @many
    @given(randoms)
    def law(rng):
        premises = [*theory(rng), *(random_logic.formula(rng, 2) for _ in range(rng.randint(0, 2)))]
        closure = Closure(premises)
        if closure.consistent is not None:
            assert closure.consistent is not oracle.contradict(premises)
        for goal in (claim(rng), random_logic.formula(rng, 3), rng.choice(premises) if premises else P(a)):
            entailed = closure.entails(goal)
            answers[entailed] += 1
            if entailed is not None:
                assert entailed is oracle.entails(premises, goal), (premises, goal)

    law()
    assert min(answers[True], answers[False], answers[None]) > 25


def implies(left, right):
    return Forall(x, Implies(left(x), right(x)))


def no(predicate):
    return lambda term: Not(predicate(term))


def test_refutation_and_contraposition_are_seen():
    assert Closure([implies(P, Q), implies(P, no(Q))]).entails(Not(P(a))) is True
    assert Closure([implies(P, Q), Not(Q(a))]).entails(Not(P(a))) is True
    assert Closure([implies(P, no(P))]).entails(Not(P(a))) is True
    assert Closure([implies(P, Q), implies(no(P), Q)]).entails(Q(a)) is True
    assert Closure([implies(P, Q)]).entails(implies(no(Q), no(P))) is True


def test_fallacies_are_not_entailed():
    assert Closure([implies(P, Q), Q(a)]).entails(P(a)) is False
    assert Closure([implies(P, Q), Not(P(a))]).entails(Not(Q(a))) is False
    assert Closure([implies(P, Q)]).entails(implies(Q, P)) is False
    assert Closure([P(a)]).entails(P(b)) is False
    assert Closure([P(a)]).entails(Forall(x, P(x))) is False


def test_two_quantifiers_speak_of_two_elements():
    assert Closure([]).entails(Forall(x, Forall(y, Implies(P(x), P(y))))) is False
    assert Closure([]).entails(Forall(x, Implies(P(x), Forall(y, P(y))))) is False
    assert Closure([]).entails(Forall(x, Forall(y, Implies(P(y), P(y))))) is True


def test_a_denied_universal_is_entailed_where_it_has_a_counterexample():
    assert Closure([P(a), Not(Q(a))]).entails(Not(implies(P, Q))) is True
    assert Closure([P(a)]).entails(Not(implies(P, Q))) is False
    assert Closure([]).entails(Not(Forall(x, And((P(x), Not(P(x))))))) is True


def test_two_generalised_things_may_differ():
    everything_or_nothing = Or((Forall(x, P(x)), Forall(x, Not(P(x)))))
    assert Closure([]).entails(everything_or_nothing) is False
    assert Closure([Forall(x, P(x))]).entails(everything_or_nothing) is True
    assert Closure([]).entails(Forall(x, Exists(y, Or((P(x), Not(P(y))))))) is True


def test_what_a_premise_generalises_about_is_not_what_a_claim_does():
    assert Closure([implies(Q, P)]).entails(Forall(x, Exists(y, P(x)))) is False
    assert Closure([Forall(x, Or((P(x), Q(x))))]).entails(Forall(x, Implies(Not(P(x)), Q(x)))) is True


def test_clauses_of_two_elements_or_three_literals_are_outside_the_fragment():
    assert not Closure([Or((P(a), P(b)))]).complete
    assert not Closure([Or((P(a), Q(a)))]).complete
    assert not Closure([Forall(x, Or((P(x), P(a))))]).complete
    assert not Closure([Forall(x, Or((P(x), Forall(y, Q(y)))))]).complete
    assert not Closure([Forall(x, Or((P(x), Q(x), Atom("R", (x,)))))]).complete
    assert not Closure([Exists(x, P(x))]).complete
    assert not Closure([Or(())]).complete


def test_a_claim_that_is_false_in_too_many_ways_is_not_decided():
    parts = tuple(Atom(f"P{number}", (a,)) for number in range(9))
    assert Closure([]).entails(Xor(parts)) is None
    assert Closure([Forall(x, Xor(tuple(Atom(f"P{number}", (x,)) for number in range(9))))]).complete is False


def test_a_long_chain_is_followed():
    chain = [implies(lambda t, n=n: Atom(f"P{n}", (t,)), lambda t, n=n: Atom(f"P{n + 1}", (t,))) for n in range(3000)]
    closure = Closure([*chain, Atom("P0", (a,))])
    assert closure.entails(Atom("P3000", (a,))) is True
    assert closure.lines_for(Atom("P3000", (a,))) == frozenset(range(3001))


@pytest.mark.parametrize(
    "premises",
    [
        [P(a), Not(P(a))],
        [P(a), implies(P, Q), Not(Q(a))],
        [implies(P, no(P)), implies(no(P), P)],
        [Forall(x, P(x)), implies(P, Q), Forall(y, Not(Q(y)))],
        [And((P(a), Q(b))), implies(P, Q), Not(Q(a))],
    ],
)
def test_premises_that_contradict_each_other(premises):
    closure = Closure(premises)
    assert closure.consistent is False
    assert closure.entails(Q(Const("someone"))) is True
    assert Theory(premises, Q(a)).answer is None


def test_consistency_outside_the_fragment_is_not_guessed():
    conjunctive = Forall(x, Implies(And((P(x), Q(x))), Atom("R", (x,))))
    premises = [conjunctive, P(a), Q(a), Not(Atom("R", (a,)))]
    assert oracle.contradict(premises)
    assert Closure(premises).consistent is None
    assert Closure([*premises, Not(P(a))]).consistent is False


@many
@given(randoms)
def test_the_answer_is_what_z3_says(rng):
    premises = theory(rng)
    goal = literal(rng, a)
    if oracle.contradict(premises):
        return
    proved, refuted = oracle.entails(premises, goal), oracle.entails(premises, complement(goal))
    wanted = Answer.TRUE if proved else Answer.FALSE if refuted else Answer.UNKNOWN
    assert Theory(premises, goal).answer is wanted
