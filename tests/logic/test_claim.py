"""Claims: what a thought says it has derived, and what it quotes."""

from __future__ import annotations

import time
import tracemalloc

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
        "It would be wrong to conclude that Max is red.",
        "We cannot therefore conclude that Max is red.",
        "We cannot thus conclude that Max is red.",
        "We cannot validly derive Max is red",
        "We cannot, of course, conclude that Max is red.",
        "We fail to, from line 1, derive that Max is red.",
        "You can't possibly conclude that Max is red",
        "We can’t conclude that Max is red.",
        "We couldn’t conclude that Max is red.",
        "We can not conclude that Max is red.",
        "We cannot  conclude that Max is red.",
        "We cannot\nconclude that Max is red.",
        "Nobody can conclude that Max is red.",
        "It is impossible to derive that Max is red.",
        "we fail to conclude that Max is red.",
        "It does not follow that Max is red.",
        "From nothing it follows that Max is red.",
        "That is not so: Max is red.",
        "Not so, Max is red.",
        "Not so, , therefore Max is red.",
        "Not so, we conclude that Max is red.",
        "I doubt it is even so: Max is red.",
        "Not therefore Max is red.",
        "*Not* therefore Max is red.",
        "not" + " " * 58 + "therefore Max is red",
        "not" + " " * 1000 + "therefore Max is red",
        "It isn't therefore Max is red.",
        "It isn’t, hence, Max is red.",
        "It is false that hence Max is red.",
        "It is false that, we conclude that Max is red.",
        "It is not the case that, therefore, Max is red.",
        "If Max is a dog, therefore Max is red.",
        "If Max were a dog then so Max is red.",
        "If Max is a dog, we conclude that Max is red.",
        "If Max is a dog, then conclude that Max is red.",
        "If Max is a dog (line 3) and every dog is red (line 4), so Max is red.",
        "If all dogs are red then they are dogs and if Max is a dog, so Max is red.",
        "If so, Max is red.",
        "Max would be a dog, so Max is red.",
        "Unless Max is a dog, hence Max is red.",
        "Whether Max is a dog or not, thus Max is red.",
        "Perhaps Max is a dog, so Max is red.",
        "He said “so Max is red.”",
        "(so Max is red.",
    ],
)
def test_a_marker_that_is_denied_or_supposed_claims_nothing(thought):
    assert claim_of(thought) is None
    assert concluded_of(thought) in (None, Answer.FALSE)


@pytest.mark.parametrize(
    ("thought", "claim"),
    [
        ("¬ hence Wet", None),
        ("not so Wet", None),
        ("¬(Rain ∧ ¬thus Wet", None),
        ("P → therefore Wet", None),
        ("P and (thus Wet", None),
        ("If ∀x. P(x), therefore Wet", None),
        ("¬So (Wet)", "¬So(Wet)"),
        ("∀x So (x)", "∀x So(x)"),
        ("∀x, y So (x, y)", "∀x ∀y So(x, y)"),
        ("P → So (max)", "P → So(max)"),
        ("Rain, so (Wet)", "Wet"),
        ("If(a) and Would(b) (line 3), so Wet", "Wet"),
        ("Given that R(a) (line 3), we know that ∃x Q(x) (line 5), so R(a) → ∃x Q(x).", "R(a) → ∃x Q(x)"),
    ],
)
def test_a_marker_behind_a_sign_claims_nothing(thought, claim):
    found = claim_of(thought, FORMULAS.read)
    assert (found if found is None else show(found)) == claim


@pytest.mark.parametrize(
    ("thought", "claim"),
    [
        ("Max is a cat (line 0) and every cat is red (line 1), so Max is red.", "red(Max)"),
        ("If something is kind then it is furry (line 3) and Bob is kind (line 1), so Bob is furry.", "furry(Bob)"),
        ("Max is not red (line 0) and everything that is not red is kind (line 1), so Max is kind.", "kind(Max)"),
        ("It is not the case that Max is red (line 3) and Max is old (line 2), so Max is kind.", "kind(Max)"),
        ("Perhaps not. Max is a cat (line 0), so Max is red.", "red(Max)"),
        ("Therefore, we can conclude that Max is red.", "red(Max)"),
        ("Max is a cat, so therefore Max is red.", "red(Max)"),
        ("Max is a cat, therefore conclude Max is red.", "red(Max)"),
        ("Max is red so Max is kind", "kind(Max)"),
        ("From lines 0 and 1 we conclude that Max is red.", "red(Max)"),
        ("From lines 0 and 1, derive Max is red.", "red(Max)"),
        ("Max is a cat and we may now safely infer that Max is red.", "red(Max)"),
        ("It follows that Max is a banana.", "banana(Max)"),
        ("Max is a cat (line 1); it follows that Max is a banana.", "banana(Max)"),
    ],
)
def test_a_marker_that_says_something_is_derived_makes_a_claim(thought, claim):
    assert show(claim_of(thought)) == claim


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
        ("the answer is: unknown", Answer.UNKNOWN),
        ("The answer is therefore TRUE.", Answer.TRUE),
        ("Hence, the conclusion is: false", Answer.FALSE),
        ("The conclusion follows. The answer is TRUE.", Answer.TRUE),
        ("I think the conclusion is false", Answer.FALSE),
        ("The statement that Max is a banana is true.", None),
        ("We cannot conclude that Max is red: unknown.", None),
        ("It is not false, it is true, yes, True.", None),
        ("so it is TRUE", Answer.TRUE),
        ("so the claim is false.", Answer.FALSE),
        ("It must be **TRUE**.", Answer.TRUE),
        ("The answer is uncertain.", Answer.UNKNOWN),
        ("We cannot therefore conclude that the answer is TRUE.", None),
        ("It is not necessarily true.", None),
        ("I do not think that this is true.", None),
        ("The conclusion is far from true.", None),
        ("It is hardly true", None),
        ("The answer is the opposite of TRUE.", None),
        ("No line says the conclusion or its opposite, so the answer is UNKNOWN.", Answer.UNKNOWN),
        ("The conclusion is neither true nor false.", None),
        ("The answer is not TRUE.", None),
        ("It isn't true.", None),
        ("It can’t be true.", None),
        ("That is so untrue.", None),
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
    "thought",
    [
        "So the conclusion Max is red is false is true",
        "therefore the statement that Max is red is false",
        "so the answer to all is that he is not TRUE, it is FALSE",
        "so the answer, not to be trusted, is TRUE",
        "so it is truer",
    ],
)
def test_a_marked_answer_has_nothing_in_between(thought):
    assert isinstance(concluded_of(thought), Unreadable)


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
        "line 1 (" * 100_000 + ")" * 100_000,
        "not so, " * 120_000,
        "not " + "so x " * 200_000,
        "if it is so, then " * 60_000,
        "we now " * 150_000,
        "now " * 250_000 + "conclude",
        "not" + " " * 1_000_000 + "true",
        "conclude that " * 70_000,
        "x conclude that " * 60_000,
    ],
)
def test_a_megabyte_of_thought_takes_no_time(thought):
    started = time.monotonic()
    claim_of(thought), concluded_of(thought), quotes(thought)
    assert time.monotonic() - started < 3


def test_quotes_inside_quotes_take_little_memory():
    tracemalloc.start()
    quotes("line 1 (" * 20_000 + ")" * 20_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 << 20


def test_a_quote_is_neither_very_long_nor_inside_another():
    assert [line for line, _ in quotes("From line 1 (Max is red or line 2 (Max is kind)), so Max is red.")] == [1]
    assert quotes(f"From line 1 ({'Max is red and ' * 100}) and line 2 (Max is red), so Max is red.") == quotes(
        "From line 2 (Max is red), so Max is red."
    )


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


@pytest.mark.parametrize(
    "thought",
    [
        "Never, ever, conclude that Max is red.",
        "It is false that Max is a cat and therefore Max is red.",
        "I deny that Max is a cat and hence Max is red.",
        "Suppose for a moment that Max is a cat, so Max is red.",
        "If Max is a cat (cf. line 0), so Max is red.",
        "If Max were a cat, e.g. by line 0, so Max is red.",
        "Assuming that Max is a cat, so Max is red.",
        "It is nonsense that Max is a cat, so Max is red.",
        "It is not\u200bso Max is red.",
        "nоt so Max is red.",  # a Cyrillic o
        "Max is a cat, provided he purrs, so Max is red.",
        "We know that Max is a cat and we know that Max is red, which is not so we know that Max is red.",
    ],
)
def test_a_sentence_that_denies_or_supposes_claims_nothing(thought):
    assert claim_of(thought) is None or isinstance(claim_of(thought), Unreadable)


@pytest.mark.parametrize(
    "thought",
    [
        "Could line 1 help? Yes! Max is a cat, so Max is red.",
        "Max is a cat (line 0) and every cat is red (line 1). Consequently, Max is red.",
        "Every cat is red (line 1). This means that Max is red.",
        "Max is a cat. We deduce that Max is red.",
        "So, by modus ponens, Max is red.",
        "Every cat is red (line 1). So we know that Max is red.",
        "Thus we have Max is red.",
        "One can conclude that Max is red.",
        "Max is a cat, so Max is red (by MODUS_PONENS).",
        "Since Max is a wumpus or a yumpus, Max is red.",
        "Suppose that Max is red.",
        "Let us assume Max is red.",
        "Assume for the sake of contradiction that Max is red.",
        "For contradiction, assume Max is red.",
        "Assumption: Max is red.",
    ],
)
def test_common_phrasings_are_read(thought):
    assert show(claim_of(thought)) == "red(Max)"


@pytest.mark.parametrize(
    "thought",
    [
        "Since he is tall, Max is red.",
        "Since Max is red.",
        "This contradicts with Max is red.",
        "Since Max is red, it is.",
    ],
)
def test_what_is_only_nearly_a_reason_and_a_claim_claims_nothing(thought):
    assert claim_of(thought) is None
