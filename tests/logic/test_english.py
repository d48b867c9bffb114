"""Controlled English: what each template says, that saying and reading are inverse, and that nothing is guessed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sokrates.logic.english import (
    COMPOUNDS,
    Reading,
    Unreadable,
    contradicted,
    read,
    read_thought,
    say,
    singular,
)
from sokrates.logic.formulas import And, Atom, Const, Forall, Implies, Not, Or, Var, joined, same, show
from sokrates.problems.reading import sentences
from tests.shared_data import files, needs

x = Var("x")

NAMES = ("Max", "Sally", "Wren", "7", "O'Hara", "bear", "bald_eagle")
ADJECTIVES = ("red", "kind", "amenable")
VERBS = ("like", "see", "visit", "need", "eat", "chase")
WORDS = (
    "wumpus",
    "yumpus",
    "red",
    "kind",
    "amenable",
    "impus",
    "even",
    "sheep",
    *(c.replace(" ", "_") for c in COMPOUNDS),
)


def shown(sentence: str) -> str:
    reading = read(sentence)
    assert isinstance(reading, Reading), reading
    return show(reading.formula)


@pytest.mark.parametrize(
    ("sentence", "formula"),
    [
        # The templates of PrOntoQA.
        ("Every wumpus is a yumpus.", "∀x (wumpus(x) → yumpus(x))"),
        ("Each wumpus is red.", "∀x (wumpus(x) → red(x))"),
        ("Wumpuses are yumpuses.", "∀x (wumpus(x) → yumpus(x))"),
        ("Wumpuses are not red.", "∀x (wumpus(x) → ¬red(x))"),
        ("Every wumpus is not red.", "∀x (wumpus(x) → ¬red(x))"),
        ("Max is a wumpus.", "wumpus(Max)"),
        ("Max is not red.", "¬red(Max)"),
        # Its relatives.
        ("All wumpuses are yumpuses.", "∀x (wumpus(x) → yumpus(x))"),
        ("No wumpus is a yumpus.", "∀x (wumpus(x) → ¬yumpus(x))"),
        ("No wumpuses are yumpuses.", "∀x (wumpus(x) → ¬yumpus(x))"),
        ("Max is not a wumpus.", "¬wumpus(Max)"),
        ("Max is an impus.", "impus(Max)"),
        ("Sally belongs to Jompuses.", "jompus(Sally)"),
        ("Sally does not belong to Jompuses.", "¬jompus(Sally)"),
        ("Cats belong to mammals.", "∀x (cat(x) → mammal(x))"),
        ("Cats do not belong to insects.", "∀x (cat(x) → ¬insect(x))"),
        ("Sally is numpus.", "numpus(Sally)"),
        ("Max is red", "red(Max)"),
        # True and false ontologies.
        ("3 is a prime number.", "prime_number(3)"),
        ("Every Mersenne prime is prime.", "∀x (mersenne_prime(x) → prime(x))"),
        ("Real numbers are not imaginary.", "∀x (real_number(x) → ¬imaginary(x))"),
        ("Each butterfly is a lepidopteran.", "∀x (butterfly(x) → lepidopteran(x))"),
        ("Butterflies are lepidopterans.", "∀x (butterfly(x) → lepidopteran(x))"),
        # Conjunctions and what stands around them.
        ("Max is a wumpus and a yumpus.", "wumpus(Max) ∧ yumpus(Max)"),
        ("Max is red, kind and a wumpus.", "red(Max) ∧ kind(Max) ∧ wumpus(Max)"),
        ("Max is red and is not kind.", "red(Max) ∧ ¬kind(Max)"),
        ("Max is red and Max is kind.", "red(Max) ∧ kind(Max)"),
        ("Max is red and Sally is kind.", "red(Max) ∧ kind(Sally)"),
        ("Max is red and Sally is kind and is mad.", "red(Max) ∧ kind(Sally) ∧ mad(Sally)"),
        ("Max is red and Sally is kind and Max is mad.", "red(Max) ∧ kind(Sally) ∧ mad(Max)"),
        ("Every wumpus is red and is not kind.", "∀x (wumpus(x) → (red(x) ∧ ¬kind(x)))"),
        ("Everything that is red is kind.", "∀x (red(x) → kind(x))"),
        ("Everything that is not red is a wumpus.", "∀x (¬red(x) → wumpus(x))"),
        ("Everything that is red and kind is a wumpus.", "∀x ((red(x) ∧ kind(x)) → wumpus(x))"),
        ("It is not the case that every wumpus is red.", "¬∀x (wumpus(x) → red(x))"),
        ("It is not the case that Max is not red.", "¬¬red(Max)"),
        ("It is not the case that it is not the case that Max is not red.", "¬¬¬red(Max)"),
        ("It is not the case that Max is red and Sally is kind.", "¬(red(Max) ∧ kind(Sally))"),
        ("Max is red, kind.", "red(Max) ∧ kind(Max)"),
        ("Max is red, and kind.", "red(Max) ∧ kind(Max)"),
        ("Max is red and not kind.", "red(Max) ∧ ¬kind(Max)"),
        ("Max is red and not kind and not mad.", "red(Max) ∧ ¬kind(Max) ∧ ¬mad(Max)"),
        ("Max is red and not kind and is mad.", "red(Max) ∧ ¬kind(Max) ∧ mad(Max)"),
        # PrOntoQA-OOD: lists of things and of clauses.
        ("Max is hot or an impus.", "hot(Max) ∨ impus(Max)"),
        ("Max is a yumpus or a dumpus or a tumpus.", "yumpus(Max) ∨ dumpus(Max) ∨ tumpus(Max)"),
        ("Max is a yumpus, a dumpus, or a tumpus.", "yumpus(Max) ∨ dumpus(Max) ∨ tumpus(Max)"),
        ("Max is a yumpus, a dumpus or a tumpus.", "yumpus(Max) ∨ dumpus(Max) ∨ tumpus(Max)"),
        ("Max is a yumpus, an impus, and a tumpus.", "yumpus(Max) ∧ impus(Max) ∧ tumpus(Max)"),
        ("Every wumpus is a yumpus, a dumpus, and a rompus.", "∀x (wumpus(x) → (yumpus(x) ∧ dumpus(x) ∧ rompus(x)))"),
        ("Vumpuses are yumpuses, dumpuses, and red.", "∀x (vumpus(x) → (yumpus(x) ∧ dumpus(x) ∧ red(x)))"),
        ("Vumpuses are yumpuses and dumpuses and rompuses.", "∀x (vumpus(x) → (yumpus(x) ∧ dumpus(x) ∧ rompus(x)))"),
        ("Everything that is red or a zumpus is a wumpus.", "∀x ((red(x) ∨ zumpus(x)) → wumpus(x))"),
        ("Everything that is a wumpus or a yumpus is not red.", "∀x ((wumpus(x) ∨ yumpus(x)) → ¬red(x))"),
        (
            "Everything that is a wumpus, a yumpus, and a rompus is a dumpus, an impus, and a tumpus.",
            "∀x ((wumpus(x) ∧ yumpus(x) ∧ rompus(x)) → (dumpus(x) ∧ impus(x) ∧ tumpus(x)))",
        ),
        (
            "Everything that is a wumpus, a yumpus, or a rompus is a dumpus and an impus.",
            "∀x ((wumpus(x) ∨ yumpus(x) ∨ rompus(x)) → (dumpus(x) ∧ impus(x)))",
        ),
        ("Everything that is not red and is not kind is mad.", "∀x ((¬red(x) ∧ ¬kind(x)) → mad(x))"),
        ("Max is red or Sally is kind.", "red(Max) ∨ kind(Sally)"),
        ("Max is red or kind or Sally is kind.", "red(Max) ∨ kind(Max) ∨ kind(Sally)"),
        ("Max is red or is not kind.", "red(Max) ∨ ¬kind(Max)"),
        ("Max is red or not kind.", "red(Max) ∨ ¬kind(Max)"),
        ("Max is not red and Max is not a dumpus.", "¬red(Max) ∧ ¬dumpus(Max)"),
        (
            "Wren is not a dumpus, Wren is a tumpus, and Wren is not a numpus.",
            "¬dumpus(Wren) ∧ tumpus(Wren) ∧ ¬numpus(Wren)",
        ),
        ("Max is red, Sally is kind, or Wren is mad.", "red(Max) ∨ kind(Sally) ∨ mad(Wren)"),
        ("It is not the case that Max is red or kind.", "¬(red(Max) ∨ kind(Max))"),
        # PrOntoQA-OOD: an adjective before a noun.
        ("Max is a hot impus.", "hot(Max) ∧ impus(Max)"),
        ("Max is not a hot impus.", "¬(hot(Max) ∧ impus(Max))"),
        ("Max is a hot impus and a wumpus.", "hot(Max) ∧ impus(Max) ∧ wumpus(Max)"),
        ("Max is a wumpus and not a hot impus.", "wumpus(Max) ∧ ¬(hot(Max) ∧ impus(Max))"),
        ("Max is a hot impus or Sally is a wumpus.", "(hot(Max) ∧ impus(Max)) ∨ wumpus(Sally)"),
        ("Max is a cold, red prime number.", "cold(Max) ∧ red(Max) ∧ prime_number(Max)"),
        ("Max is a red, kind and a wumpus.", "red(Max) ∧ kind(Max) ∧ wumpus(Max)"),
        ("Muffled impuses are vumpuses.", "∀x ((muffled(x) ∧ impus(x)) → vumpus(x))"),
        ("Lempuses are slow numpuses.", "∀x (lempus(x) → (slow(x) ∧ numpus(x)))"),
        ("Each lempus is a slow numpus.", "∀x (lempus(x) → (slow(x) ∧ numpus(x)))"),
        ("Every muffled impus is a vumpus.", "∀x ((muffled(x) ∧ impus(x)) → vumpus(x))"),
        ("No muffled impus is a slow vumpus.", "∀x ((muffled(x) ∧ impus(x)) → ¬(slow(x) ∧ vumpus(x)))"),
        # ProofWriter: things and people.
        ("All quiet things are rough.", "∀x (quiet(x) → rough(x))"),
        ("Quiet things are not rough.", "∀x (quiet(x) → ¬rough(x))"),
        ("Red, cold things are round.", "∀x ((red(x) ∧ cold(x)) → round(x))"),
        ("All furry, big things are young.", "∀x ((furry(x) ∧ big(x)) → young(x))"),
        ("Round people are big.", "∀x (round(x) → big(x))"),
        ("All young, quiet people are not big.", "∀x ((young(x) ∧ quiet(x)) → ¬big(x))"),
        # ProofWriter: verbs and what they speak of.
        ("The bear likes the cat.", "like(bear, cat)"),
        ("The bald eagle does not like the Cat.", "¬like(bald_eagle, cat)"),
        ("The bear is a big cat.", "big(bear) ∧ cat(bear)"),
        ("Max likes Sally and sees 7 and is kind.", "like(Max, Sally) ∧ see(Max, 7) ∧ kind(Max)"),
        ("Max is red and the bear likes Max.", "red(Max) ∧ like(bear, Max)"),
        ("The bear likes Max or eats the cat.", "like(bear, Max) ∨ eat(bear, cat)"),
        ("Every wumpus likes the cat.", "∀x (wumpus(x) → like(x, cat))"),
        ("Young wumpuses do not chase the cat.", "∀x ((young(x) ∧ wumpus(x)) → ¬chase(x, cat))"),
        ("No wumpus likes the cat.", "∀x (wumpus(x) → ¬like(x, cat))"),
        ("Everything that likes the cat is red and likes Max.", "∀x (like(x, cat) → (red(x) ∧ like(x, Max)))"),
        # ProofWriter: conditionals.
        ("If something is quiet and cold then it is smart.", "∀x ((quiet(x) ∧ cold(x)) → smart(x))"),
        ("If someone is kind, then they are furry.", "∀x (kind(x) → furry(x))"),
        ("If something is cold and not furry then it is not kind.", "∀x ((cold(x) ∧ ¬furry(x)) → ¬kind(x))"),
        ("If something is not cold then it is kind.", "∀x (¬cold(x) → kind(x))"),
        ("If something is red or kind then it is big.", "∀x ((red(x) ∨ kind(x)) → big(x))"),
        ("If something is red, kind, or mad then it is big.", "∀x ((red(x) ∨ kind(x) ∨ mad(x)) → big(x))"),
        ("If something is red or kind then it is big and mad.", "∀x ((red(x) ∨ kind(x)) → (big(x) ∧ mad(x)))"),
        (
            "If someone likes the bear and the bear chases the tiger then they see the rabbit.",
            "∀x ((like(x, bear) ∧ chase(bear, tiger)) → see(x, rabbit))",
        ),
        (
            "If someone likes the bear and they do not chase the cat then the bear does not like the rabbit.",
            "∀x ((like(x, bear) ∧ ¬chase(x, cat)) → ¬like(bear, rabbit))",
        ),
        (
            "If something needs the cat and the cat is red then it is blue.",
            "∀x ((need(x, cat) ∧ red(cat)) → blue(x))",
        ),
        (
            "If something is big and it visits the bear, then the bear is green.",
            "∀x ((big(x) ∧ visit(x, bear)) → green(bear))",
        ),
        ("If Max is red, and Sally is kind then Wren is mad.", "(red(Max) ∧ kind(Sally)) → mad(Wren)"),
        ("If Max is red then Max is kind, mad, or big.", "red(Max) → (kind(Max) ∨ mad(Max) ∨ big(Max))"),
        ("If something is red then the bear likes it.", "∀x (red(x) → like(bear, x))"),
        ("If someone likes Max and Max likes them then they are red.", "∀x ((like(x, Max) ∧ like(Max, x)) → red(x))"),
        ("If someone is kind then they are furry wumpuses.", "∀x (kind(x) → (furry(x) ∧ wumpus(x)))"),
        ("If Dave is smart and Dave is kind then Dave is quiet.", "(smart(Dave) ∧ kind(Dave)) → quiet(Dave)"),
        ("If Max is red then Sally is kind.", "red(Max) → kind(Sally)"),
        ("If the cow is blue then the cow likes the squirrel.", "blue(cow) → like(cow, squirrel)"),
        ("If Max is red then Max is kind and Sally is mad.", "red(Max) → (kind(Max) ∧ mad(Sally))"),
        ("It is not the case that if something is red then it is kind.", "¬∀x (red(x) → kind(x))"),
    ],
)
def test_what_sentences_say(sentence, formula):
    assert shown(sentence) == formula
    assert shown(sentence.removesuffix(".")) == formula
    assert shown(f"  {sentence}  ") == formula


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        ".",
        "Max",
        "Max is",
        "Max is.",
        "is red",
        "max is red",
        "Max is not red and kind",
        "Max is not red or kind",
        "Max is not red, kind",
        "Max is not red and not kind",
        "Max is not a wumpus, a yumpus, or a rompus",
        "Max is red and not kind and mad",
        "Max is red, not kind, or mad",
        "Max is not not red",
        "Max is a",
        "Max is a very red wumpus",
        "Max is always red",
        "Max isn't red",
        "Max was red",
        "Max is red. Sally is kind",
        "Max is red, Sally is kind",
        "Max is red because Sally is kind",
        "Max and Sally are red",
        "He is red",
        "They are red",
        "It is red",
        "Everything is red",
        "Something is red",
        "Some wumpuses are red",
        "Most wumpuses are red",
        "Only wumpuses are red",
        "Not every wumpus is red",
        "Not all wumpuses are red",
        "Every is red",
        "No wumpus is not red",
        "No wumpus is red and kind",
        "Every wumpus is red and Sally is kind",
        "Max belongs wumpuses",
        "Max does belong to wumpuses",
        "Every tall wumpus is red",
        "Max is red and",
        "and Max is red",
        "It is not the case that",
        "It is not the case that red",
        "Max is red?",
        "Max\tis\tred",
        "Max is red\x00",
        "Max \x07is red",
        "Max is \u202ered\u202c",
        "M\u00e4x is red",
        "\u041cax is red",
        "Max is red!",
        "Max is 7",
        "(Max is red)",
        "red(Max)",
        # "And", "or" and commas without a grouping.
        "Max is red and kind or mad",
        "Max is red or kind and Sally is mad",
        "Max is red, kind, or Sally is mad",
        "Max is red or kind, mad",
        "Max is red, Sally is kind or mad",
        "Max is red, Sally is kind, and mad",
        "Max is red, is kind",
        "Max is red, and Sally is kind, Wren is mad",
        "Max is red,, kind",
        "Max is red and or kind",
        "Max is red, or",
        "Max is red or",
        "or Max is red",
        "Max is and red",
        "Everything that is red and kind or mad is big",
        "Everything that is not red or kind is big",
        "Everything that is red, is kind, and is big",
        "Everything that is red and Sally is kind is big",
        "Everything that is red",
        "Every wumpus or yumpus is red",
        "Wumpuses and yumpuses are red",
        "No wumpus is red or kind",
        "Either Max is red or Max is kind",
        "Max is either red or kind",
        "Max is neither red nor kind",
        "It is not the case that Max is red, and Sally is kind",
        "It is not the case that every wumpus is red, and is kind",
        "If Max is red then Max is kind, and Sally is mad",
        "If Max is red then Max is kind, Sally is mad, and Wren is big",
        # Adjectives.
        "Tall wumpuses are red",
        "Max is a tall wumpus",
        "Max is a bright red wumpus",
        "Max is hot impus",
        "Max is a hot red",
        "Max is a hot and red impus",
        "Max is a hot impus or a wumpus",
        "Max is a hot impus or wumpus",
        "Max is a red or a kind wumpus",
        "Wumpuses are hot impuses or rompuses",
        "Wumpuses are red kind",
        "Red and cold things are round",
        "Red or cold things are round",
        "Red, cold are round",
        "All things are red",
        "Things are red",
        "People are red",
        "Every person is red",
        "Max is a thing",
        "Max is a red thing",
        "The things are red",
        "Red things that are kind are big",
        # Names and nouns.
        "Max is Sally",
        "Max is the bear",
        "Max is red and Sally",
        "Max are red",
        "Furry are red",
        "The bears are red",
        "The bears is red",
        "The bear are red",
        "The red bear is big",
        "The red is big",
        "The other is big",
        "The latter is big",
        "The is red",
        "Someone is red",
        "Everyone is red",
        "Nobody is red",
        "Thing is red",
        "Likes is red",
        "Her is red",
        "Max's is red",
        "Max's bear is red",
        "The cat's is red",
        "The bear and the cat are red",
        "Max is always",
        # Verbs.
        "Max likes",
        "Max likes cats",
        "Max likes a cat",
        "Max likes every cat",
        "Max likes red",
        "Max likes the red cat",
        "Max likes the cats",
        "Max like Sally",
        "Max does like Sally",
        "Max does not likes Sally",
        "Max do not like Sally",
        "Max likes not Sally",
        "Max hates Sally",
        "Max likes Sally and Wren",
        "Max likes the bear or the cat",
        "Max likes Sally, Wren, and Max",
        "Max likes Sally and kind",
        "Max likes himself",
        "Max likes it",
        "Max is like Sally",
        "Max is a need",
        "Max is a wumpus and Sally likes the bear or the cat",
        "Cats like dogs",
        "Everything that Max likes is red",
        "The bear that likes Max is red",
        # Conditionals and pronouns.
        "If Max is red Sally is kind",
        "If Max is red, Sally is kind",
        "If Max is red then",
        "If then Max is red",
        "If Max is red and then Sally is kind",
        "If it is red then it is kind",
        "If Max is red then it is kind",
        "If the bear is red then it is kind",
        "If Max is red then something is kind",
        "If Max likes something then it is red",
        "If Max is red and something is kind then it is mad",
        "If something is red then something is kind",
        "If something is red then they are kind",
        "If someone is red then it is kind",
        "If someone is red then they is kind",
        "If something is red then he is kind",
        "If something is red then it likes it",
        "If something likes the cat then it likes them",
        "If something is red, it is mad, then it is kind",
        "If something is red and kind or mad then it is big",
        "If something is not red and kind then it is big",
        "If everything is red then Max is kind",
        "If every wumpus is red then Max is kind",
        "If wumpuses are red then Max is kind",
        "If something is red then every wumpus is kind",
        "If something is red then it is not the case that it is kind",
        "If it is not the case that Max is red then Max is kind",
        "If Max is red then if Max is kind then Max is mad",
        "If Max is red then Max is kind then Max is mad",
        "Max is kind if Max is red",
        "Max is mad and if Max is red then Max is kind",
        "If Max is red then Max is kind, and if Max is kind then Max is mad",
        "Max is red and it is kind",
        "Every wumpus is red and it is kind",
        "Max is red and it is not the case that Sally is kind",
        # The sentences of proofs are no statements.
        "Assume Max is red",
        "Since Max is red, Max is kind",
        "This contradicts with Max is red",
    ],
)
def test_what_is_not_in_the_grammar_is_refused_with_a_reason_that_quotes_it(sentence):
    refused = read(sentence)
    assert isinstance(refused, Unreadable)
    assert repr(sentence.strip().removesuffix(".").rstrip()) in refused.why
    assert "not a sentence of the grammar: " in refused.why


@pytest.mark.parametrize(
    "sentence",
    [
        "Max is " + "red and " * 200_000 + "red",
        "it is not the case that " * 50_000 + "Max is red",
        "Max is red and Sally is kind and " * 30_000 + "Max is red",
        "a" * 1_000_000,
        "Max " + " " * 1_000_000 + "is red",
        "\u202e" * 1_000_000,
        "," * 1_000_000,
        "Since " + "Max is red, " * 90_000,
        "If something is red then " * 50_000,
        "Max is a " + "red, " * 200_000 + "wumpus",
    ],
)
@pytest.mark.timeout(20)
def test_a_megabyte_is_refused_at_once(sentence):
    refused = read(sentence)
    assert isinstance(refused, Unreadable)
    assert len(refused.why) < 400


def test_deep_nesting_up_to_the_longest_sentence():
    deep = "it is not the case that " * 40 + "Max is red"
    assert shown(deep) == "¬" * 40 + "red(Max)"
    assert len(shown(" and ".join(["Max is red", "Sally is kind"] * 25)).split(" ∧ ")) == 50


names = st.sampled_from(NAMES).map(Const)
predicates = st.sampled_from(WORDS)


def unary(predicate, term):
    return Atom(predicate, (term,))


@st.composite
def literals(draw, term, objects=names):
    """What a verb phrase says of a term, negated or not."""
    atom = draw(
        st.one_of(
            predicates.map(lambda predicate: unary(predicate, term)),
            st.builds(lambda verb, other: Atom(verb, (term, other)), st.sampled_from(VERBS), objects),
            st.builds(
                lambda adjective, noun: And((unary(adjective, term), unary(noun, term))),
                st.sampled_from(ADJECTIVES),
                predicates.filter(lambda predicate: predicate not in ADJECTIVES),
            ),
        )
    )
    return Not(atom) if draw(st.booleans()) else atom


kinds = st.sampled_from([And, Or])
ground = st.builds(joined, kinds, st.lists(names.flatmap(literals), min_size=1, max_size=4))
about_x = literals(x)
conditions = st.builds(
    lambda kind, own, others: joined(kind, [*own, *others]),
    kinds,
    st.lists(about_x, min_size=1, max_size=3),
    st.lists(names.flatmap(literals), max_size=2),
)
conclusions = st.builds(
    joined,
    kinds,
    st.lists(
        st.one_of(about_x, names.flatmap(lambda name: literals(name, st.one_of(names, st.just(x))))),
        min_size=1,
        max_size=3,
    ),
)
statements = st.one_of(
    ground,
    st.builds(Implies, ground, ground),
    st.builds(lambda given, then: Forall(x, Implies(given, then)), conditions, conclusions),
    st.builds(lambda given, then: Forall(x, Implies(given, then)), about_x, about_x),
)


@st.composite
def sayable(draw):
    formula = draw(statements)
    for _ in range(draw(st.integers(0, 3))):
        formula = Not(formula)
    return formula


@settings(max_examples=400)
@given(sayable(), st.sets(predicates))
def test_what_is_said_is_read_back(formula, nouns):
    sentence = say(formula, nouns)
    for spelled in (sentence, sentence + ".", sentence[0].upper() + sentence[1:]):
        reading = read(spelled)
        assert isinstance(reading, Reading), reading
        assert same(reading.formula, formula), sentence


@pytest.mark.parametrize(
    ("sentence", "nouns"),
    [
        ("Max is hot or an impus", {"impus"}),
        ("Max is a wumpus, a yumpus, or an impus", {"wumpus", "yumpus", "impus"}),
        ("Max is red or Sally is not kind", set()),
        ("Max is red and Max is not kind", set()),
        ("every wumpus is red and is not kind", {"wumpus"}),
        ("every wumpus is red or likes the bald eagle", {"wumpus"}),
        ("everything that is red or a zumpus is a wumpus", {"wumpus", "zumpus"}),
        ("everything that is red and likes the cat is kind", set()),
        ("the bear does not like Max", set()),
        ("if something likes the cat and the cat is red then it is blue", set()),
        ("if something is red then the bear likes it", set()),
        ("if Max is red then the bear likes Max", set()),
        ("it is not the case that if something is red then Max is kind", set()),
        ("Max is a hot impus or Sally is a wumpus", {"impus", "wumpus"}),
    ],
)
def test_how_it_is_said(sentence, nouns):
    reading = read(sentence)
    assert isinstance(reading, Reading)
    assert say(reading.formula, nouns) == sentence


@pytest.mark.parametrize(
    "formula",
    [
        Atom("likes", (Const("Max"), Const("Sally"))),
        Atom("like", (Const("Max"), Const("the cat"))),
        Atom("=", (Const("Max"), Const("Sally"))),
        Atom("rains", ()),
        Atom("red", (x,)),
        Atom("red", (Const("red"),)),
        Atom("thing", (Const("Max"),)),
        Atom("Red", (Const("Max"),)),
        Forall(x, Atom("red", (x,))),
        Forall(x, Implies(Atom("red", (Const("Max"),)), Atom("kind", (x,)))),
        Forall(x, Implies(Atom("like", (Const("Max"), x)), Atom("kind", (x,)))),
        Forall(x, Implies(Atom("red", (x,)), Atom("like", (x, x)))),
        Forall(x, Implies(Atom("red", (x,)), Atom("kind", (Var("y"),)))),
        Or((And((Atom("red", (Const("Max"),)), Atom("kind", (Const("Sally"),)))), Atom("mad", (Const("Max"),)))),
        Or((And((Atom("mad", (Const("Max"),)), Atom("sad", (Const("Max"),)))), Atom("red", (Const("Max"),)))),
        And((Not(Not(Atom("red", (Const("Max"),)))), Atom("mad", (Const("Max"),)))),
    ],
)
def test_what_no_sentence_says_is_not_said(formula):
    with pytest.raises(ValueError, match="no "):
        say(formula, frozenset())


@settings(max_examples=500)
@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text):
    assert isinstance(read(text), Reading | Unreadable)


JUMBLE = """
Max Sally 7 every each all no Everything that is are not a an and or , belongs belong to does do it the case
wumpus wumpuses red kind prime number numbers If then something someone they them likes like things people bear cat
"""
SOUP = st.lists(st.sampled_from(JUMBLE.split()), max_size=12)
TEMPLATES = (
    "IF S V J V THEN O V",
    "IF S V J O V THEN O V J O V",
    "Everything that V J V V J V",
    "every N V J V",
    "PL V",
    "the bear V J V J O V",
    "It is not the case that Max V J O V",
)
SLOTS = {
    "IF": ["If"],
    "THEN": ["then", ", then"],
    "S": ["something", "someone", "Max", "the cat", "it"],
    "O": ["it", "they", "Sally", "the bear"],
    "J": ["and", "or", ",", ", and", "and not", ", or"],
    "N": ["wumpus", "red wumpus", "red, kind wumpus", "kind", "red thing"],
    "PL": ["wumpuses", "Red wumpuses", "Red, kind things", "All red people", "No wumpuses"],
    "V": [
        *("is red", "are red", "is a wumpus", "is not kind", "is not a red wumpus", "is red and not kind"),
        *("likes Max", "like the cat", "likes it", "do not like them", "does not like the cat", "are red wumpuses"),
        *("is red or kind", "is red, kind", "is a red, kind wumpus", "a wumpus", "kind", "not red", "belong to cats"),
    ],
}


@st.composite
def nearly_sentences(draw):
    template = draw(st.sampled_from(TEMPLATES)).split(" ")
    return " ".join(draw(st.sampled_from(SLOTS[slot])) if slot in SLOTS else slot for slot in template)


@settings(max_examples=2000)
@given(st.one_of(SOUP.map(" ".join), nearly_sentences()))
def test_what_is_read_out_of_jumbled_words_can_be_said_again(sentence):
    assert_said_again(read(sentence))


def assert_said_again(reading: Reading | Unreadable) -> None:
    if isinstance(reading, Reading):
        again = read(say(reading.formula, reading.nouns))
        assert isinstance(again, Reading) and same(again.formula, reading.formula)


@pytest.mark.parametrize(
    ("plural", "noun"),
    [
        ("wumpuses", "wumpus"),
        ("cats", "cat"),
        ("butterflies", "butterfly"),
        ("carnivores", "carnivore"),
        ("foxes", "fox"),
        ("sheep", "sheep"),
        ("bacteria", "bacteria"),
        ("famous", "famous"),
        ("dresses", "dress"),
        ("branches", "branch"),
        ("luminous", "luminous"),
        ("prime numbers", "prime number"),
        ("news", "news"),
        ("means", "means"),
        ("goods", "goods"),
        ("series", "series"),
        ("species", "species"),
    ],
)
def test_singulars(plural, noun):
    assert singular(plural) == noun
    assert singular(noun) == noun


@pytest.mark.parametrize(
    ("sentence", "formula"),
    [
        ("Assume Max is a vumpus.", "vumpus(Max)"),
        ("Assume that Max is a vumpus.\n\n", "vumpus(Max)"),
        ("Since Max is a vumpus or a sterpus, Max is a dumpus.", "dumpus(Max)"),
        ("Since Max is a vumpus, a sterpus, or an impus, Max is a dumpus.", "dumpus(Max)"),
        ("Since Max is red, Max is kind, Sally is mad, and Wren is cold.", "kind(Max) ∧ mad(Sally) ∧ cold(Wren)"),
        ("Max is red and Sally is kind.", "red(Max) ∧ kind(Sally)"),
    ],
)
def test_sentences_of_proofs(sentence, formula):
    reading = read_thought(sentence)
    assert isinstance(reading, Reading), reading
    assert show(reading.formula) == formula
    assert contradicted(sentence) is None


@pytest.mark.parametrize(
    "sentence",
    [
        "Assume",
        "Assume red",
        "Assume Assume Max is red",
        "Since Max is red",
        "Since Max is red Max is kind",
        "Since he is red, Max is kind",
        "Since Max is red, he is kind",
        "Since Max is red, Max is kind, Max is mad",
        "Since Max is red, Max is kind and mad or big",
        "This contradicts with Max is red",
        "This contradicts",
        "Max is red. Max is kind",
        "Since " + "Max is red, " * 100_000,
    ],
)
def test_what_is_no_sentence_of_a_proof(sentence):
    assert isinstance(read_thought(sentence), Unreadable)


def test_a_contradiction_says_what_it_contradicts():
    sentence = "This contradicts with Max is not a dumpus.\n\n"
    formula = contradicted(sentence)
    assert formula is not None and show(formula) == "¬dumpus(Max)"
    refused = read_thought(sentence)
    assert isinstance(refused, Unreadable) and "states a contradiction and derives nothing by itself" in refused.why
    assert contradicted("This contradicts with him") is None
    assert contradicted("This contradicts with This contradicts with Max is red") is None


def problems(pattern: str) -> list[dict]:
    return [json.loads(line) for path in files(pattern) for line in path.read_text().splitlines()]


def unreadable(data: set[str]) -> list[str]:
    """The sentences that are not read, or not said again."""
    failed = []
    for sentence in sorted(data):
        reading = read(sentence)
        try:
            assert isinstance(reading, Reading)
            assert_said_again(reading)
        except (AssertionError, ValueError):
            failed.append(sentence)
    return failed


@needs("prontoqa/*_ood.jsonl")
def test_every_sentence_of_prontoqa_ood_is_read():
    data = problems("prontoqa/*_ood.jsonl")
    statements = {sentence for problem in data for sentence in sentences(problem["question"])}
    statements |= {problem["query"].removeprefix("Prove: ") for problem in data}
    assert len(statements) > 4000
    assert unreadable(statements) == []


@needs("prontoqa/*_ood.jsonl")
def test_every_thought_of_prontoqa_ood_is_read():
    thoughts = {thought for problem in problems("prontoqa/*_ood.jsonl") for thought in problem["chain_of_thought"]}
    assert len(thoughts) > 2000
    for thought in thoughts:
        formula = contradicted(thought)
        if formula is None:
            reading = read_thought(thought)
            assert isinstance(reading, Reading), reading
            assert_said_again(reading)
        else:
            assert_said_again(Reading(formula))


@needs("proofwriter/*.jsonl")
def test_every_sentence_of_proofwriter_is_read():
    data = problems("proofwriter/*.jsonl")
    statements = {sentence for problem in data for sentence in sentences(problem["context"])}
    statements |= {problem["question"].partition("?")[2] for problem in data}
    assert len(statements) > 2000
    assert unreadable(statements) == []
