"""Claims: what a thought says it has derived, and what it quotes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sokrates.logic.answer import Answer
from sokrates.logic.claim import claim_of, concluded_of, quotes
from sokrates.logic.english import Reading, Unreadable, read
from sokrates.logic.formulas import show
from sokrates.logic.language import FORMULAS


@pytest.mark.parametrize(
    "thought",
    [
        "Max is red.",
        "Max is red",
        "so Max is red.",
        "Max is a wumpus (line 0) and every wumpus is red (line 1), so Max is red.",
        "From premise 0 (Max is a wumpus), we can conclude that Max is red.",
        "Therefore, Max is red!",
        "Hence: Max is red",
        "We derive that Max is red (line 5).",
        "So Sally is kind, thus Max is red.",
        "Max is a wumpus. Therefore Max is red.",
    ],
)
def test_the_claim_is_what_stands_after_the_last_marker_or_the_whole_thought(thought):
    assert show(claim_of(thought)) == "red(Max)"


@pytest.mark.parametrize(
    "thought", ["", "Hm.", "Max is a wumpus and every wumpus is red", "We cannot conclude that Max is red."]
)
def test_a_thought_without_a_marker_that_is_no_sentence_claims_nothing(thought):
    assert claim_of(thought) is None


@pytest.mark.parametrize(
    "thought",
    [
        "so",
        "so.",
        "Max is red, therefore",
        "so he is red.",
        "so Max is red. Sally is kind.",
        "so Max is probably red.",
        "Max is red so it is good.",
        "so we cannot conclude that Max is red.",
        "so the answer is TRUE.",
    ],
)
def test_marked_text_that_is_no_sentence_is_unreadable(thought):
    assert isinstance(claim_of(thought), Unreadable)


@pytest.mark.parametrize(
    ("thought", "claim"),
    [
        ("so the answer is TRUE.", Answer.TRUE),
        ("Line 3 contradicts the conclusion, so the answer is FALSE.", Answer.FALSE),
        ("Therefore the conclusion is unknown", Answer.UNKNOWN),
        ("The statement is true.", Answer.TRUE),
        ("therefore the statement that Max is red is false", Answer.FALSE),
        ("", None),
        ("Done.", None),
    ],
)
def test_a_conclusion_may_name_its_answer(thought, claim):
    assert concluded_of(thought) is claim


def test_a_conclusion_may_state_a_formula():
    assert show(concluded_of("so Max is not red.")) == "¬red(Max)"
    assert isinstance(concluded_of("so the answer is not TRUE."), Unreadable)


@pytest.mark.parametrize(
    ("thought", "quoted"),
    [
        (
            "Max is a wumpus (line 0) and every wumpus is red (line 1), so Max is red.",
            [(0, "Max is a wumpus"), (1, "every wumpus is red")],
        ),
        (
            "From premise 0 (Max is a wumpus) and premise 12 (Every wumpus is red), we can conclude that Max is red.",
            [(0, "Max is a wumpus"), (12, "every wumpus is red")],
        ),
        ("Since Max is a wumpus (line 3), so Max is red (line 7).", [(3, "Max is a wumpus")]),
        ("Given that Max is a wumpus (premise 3).", [(3, "Max is a wumpus")]),
        ("Max is very odd (line 3), so Max is red.", [(3, None)]),
        ("Lines 3 and 4 give it, so Max is red.", []),
    ],
)
def test_quotes_are_read_with_their_line(thought, quoted):
    def formula(sentence):
        reading = read(sentence) if sentence else None
        return reading.formula if isinstance(reading, Reading) else None

    assert quotes(thought) == tuple((line, formula(words)) for line, words in quoted)


@given(st.text(max_size=60))
def test_any_thought_can_be_asked(text):
    for thought in (text, f"so {text}", f"{text} (line 3), so {text}"):
        claim_of(thought), concluded_of(thought), quotes(thought)


@pytest.mark.parametrize(
    "thought",
    [
        "a" + " " * 1_000_000 + "b",
        "x" * 1_000_000,
        "so " * 300_000,
        "(line 1) " * 100_000,
        "line 1 (" * 100_000,
        "the answer " + "is tru " * 100_000,
        "so the answer is" + " is" * 300_000,
        "and " * 200_000 + "(line 3)",
    ],
)
def test_a_megabyte_of_thought_takes_no_time(thought):
    started = time.monotonic()
    claim_of(thought), concluded_of(thought), quotes(thought)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("thought", "claim"),
    [
        ("Bird(tweety) (line 1) and ∀x (Bird(x) → Flies(x)) (line 0), so Flies(tweety).", "Flies(tweety)"),
        ("Therefore, ∃x (Bird(x) ∧ ¬Flies(x)).", "∃x (Bird(x) ∧ ¬Flies(x))"),
        ("So(max).", "So(max)"),
        ("Bird(a), so So(max) ∧ Hence(max)", "So(max) ∧ Hence(max)"),
        ("so So-called(max)", "So-called(max)"),
        ("∀x (Derive(x) -> Thus(x))", "∀x (Derive(x) → Thus(x))"),
        ("Max is red", None),
    ],
)
def test_claims_may_be_formulas_and_no_predicate_is_a_marker(thought, claim):
    found = claim_of(thought, FORMULAS.read)
    assert (found if found is None else show(found)) == claim


def test_what_is_no_formula_is_unreadable_where_formulas_are_spoken():
    unreadable = claim_of("so Max is red.", FORMULAS.read)
    assert unreadable == Unreadable(
        "'Max is red' is not a formula, column 5: expected a connective or the end, found 'is'"
    )
    assert show(claim_of("so Max is red.")) == "red(Max)"
    assert concluded_of("so the answer is TRUE.", FORMULAS.read) is Answer.TRUE
    assert show(concluded_of("so Red(max).", FORMULAS.read)) == "Red(max)"


@pytest.mark.parametrize(
    ("thought", "quoted"),
    [
        (
            "Bird(a) (line 1) and ∀x (Bird(x) → Flies(x)) (premise 0), so Flies(a).",
            [(1, "Bird(a)"), (0, "∀x (Bird(x) → Flies(x))")],
        ),
        (
            "From line 0 (∀x (Bird(x) → Flies(x))) and line 1 (Bird(a)), so Flies(a).",
            [(0, "∀x (Bird(x) → Flies(x))"), (1, "Bird(a)")],
        ),
        ("From line 0 (∀x (Bird(x), so Flies(a).", []),
        ("From line 0 (Max is red), so Flies(a).", [(0, None)]),
    ],
)
def test_quoted_formulas_may_have_parentheses(thought, quoted):
    found = [(line, formula and show(formula)) for line, formula in quotes(thought, FORMULAS.read)]
    assert found == quoted
