"""Controlled English: what each template says, that saying and reading are inverse, and that nothing is guessed."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sokrates.logic.english import COMPOUNDS, Reading, Unreadable, read, say, singular
from sokrates.logic.formulas import And, Atom, Const, Forall, Implies, Not, Var, same, show

x = Var("x")

NAMES = ("Max", "Sally", "Wren", "7", "O'Hara")
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
        "Max is red or kind",
        "Max is not red and kind",
        "Max is red and not kind",
        "Max is not not red",
        "Max is a",
        "Max is a very red wumpus",
        "Max is always red",
        "Max isn't red",
        "Max was red",
        "Max is red. Sally is kind",
        "Max is red, Sally is kind",
        "Max is red because Sally is kind",
        "If Max is red then Sally is kind",
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
    ],
)
def test_a_megabyte_is_refused_at_once(sentence):
    started = time.monotonic()
    refused = read(sentence)
    assert isinstance(refused, Unreadable)
    assert len(refused.why) < 400
    assert time.monotonic() - started < 1


def test_deep_nesting_up_to_the_longest_sentence():
    deep = "it is not the case that " * 40 + "Max is red"
    assert shown(deep) == "¬" * 40 + "red(Max)"
    assert len(shown(" and ".join(["Max is red", "Sally is kind"] * 25)).split(" ∧ ")) == 50


names = st.sampled_from(NAMES).map(Const)
predicates = st.sampled_from(WORDS)


@st.composite
def literals(draw, term):
    atom = Atom(draw(predicates), (term,))
    return Not(atom) if draw(st.booleans()) else atom


@st.composite
def conjunctions(draw, term=None):
    parts = draw(st.lists(literals(term) if term else names.flatmap(literals), min_size=1, max_size=4))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


universals = st.builds(lambda given, then: Forall(x, Implies(given, then)), literals(x), conjunctions(x))


@st.composite
def sayable(draw):
    formula = draw(st.one_of(conjunctions(), universals))
    if draw(st.booleans()) and not isinstance(formula, Atom):
        formula = Not(formula) if not isinstance(formula, Not) else Not(Not(formula.body))
        for _ in range(draw(st.integers(0, 3))):
            formula = Not(formula)
    return formula


@settings(max_examples=500)
@given(sayable(), st.sets(predicates))
def test_what_is_said_is_read_back(formula, nouns):
    sentence = say(formula, nouns)
    for spelled in (sentence, sentence + ".", sentence[0].upper() + sentence[1:]):
        reading = read(spelled)
        assert isinstance(reading, Reading), reading
        assert reading.formula == formula, sentence


@pytest.mark.parametrize(
    "formula",
    [
        Implies(Atom("red", (Const("Max"),)), Atom("kind", (Const("Max"),))),
        Atom("likes", (Const("Max"), Const("Sally"))),
        Forall(x, Atom("red", (x,))),
        Forall(x, Implies(Atom("red", (x,)), Atom("kind", (Const("Max"),)))),
        Not(Implies(Atom("red", (Const("Max"),)), Atom("kind", (Const("Max"),)))),
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
Max Sally 7 every each all no Everything that is are not a an and , belongs belong to does do it the case
wumpus wumpuses red kind prime number numbers
"""
SOUP = st.lists(st.sampled_from(JUMBLE.split()), max_size=12)


@settings(max_examples=1000)
@given(SOUP)
def test_what_is_read_out_of_jumbled_words_can_be_said_again(words):
    reading = read(" ".join(words))
    if isinstance(reading, Reading):
        if "∀x ((" in show(reading.formula):
            return  # "everything that is red and kind is …" is read, and never said
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
    ],
)
def test_singulars(plural, noun):
    assert singular(plural) == noun
    assert singular(noun) == noun
