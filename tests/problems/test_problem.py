"""What keeps problems apart, and how paragraphs become sentences."""

from __future__ import annotations

import pytest

from sokrates.logic.answer import Answer
from sokrates.logic.formulas import show
from sokrates.logic.language import ENGLISH, FORMULAS
from sokrates.problems import Problem
from sokrates.problems.reading import UnreadableSentence, read_problem, read_sentences, sentences


def problem(*premises: str, conclusion: str = "Max is red.") -> Problem:
    return Problem(problem_id="p", premises=premises, conclusion=conclusion)


def test_the_content_hash_forgets_the_order_of_premises_and_nothing_else():
    one = problem("Max is red.", "Max is kind.")
    assert one.content_hash == problem("Max is kind.", "Max is red.").content_hash
    others = (
        problem("Max is red."),
        problem("Max is red.", "Max is kind.", "Max is kind."),
        problem("Max is red.", "Max is kind.", conclusion="Max is kind."),
    )
    assert one.content_hash not in {other.content_hash for other in others}
    assert len(one.content_hash) == 16


def test_sentences():
    assert sentences("Max is red. Max is kind.  ") == ["Max is red.", "Max is kind."]
    assert sentences("") == sentences(" . ") == []


def test_reading_knows_which_words_are_nouns():
    read = read_sentences(("Every wumpus is red.", "Max is a yumpus."), "Max belongs to jompuses.")
    assert read.nouns == {"wumpus", "yumpus", "jompus"}
    assert read_sentences(("Every wumpus is red.", "Max is a yumpus."), "Max belongs to jompuses.") is read


def test_which_sentence_cannot_be_read():
    with pytest.raises(UnreadableSentence, match="premise 1: 'Hm' is not a sentence"):
        read_sentences(("Max is red.", "Hm."), "Max is red.")
    with pytest.raises(UnreadableSentence, match="the conclusion: "):
        read_sentences(("Max is red.",), "")


PREMISES = ("All birds fly.", "Tweety is a bird.")
FORMULAS_OF = ("∀x (Bird(x) → Flies(x))", "Bird(tweety)")


def test_a_problem_with_formulas_is_read_from_them():
    read = read_problem(PREMISES, "Tweety flies.", FORMULAS_OF, "Flies(tweety)")
    assert read.language is FORMULAS and read.nouns == frozenset()
    assert [show(premise) for premise in read.theory.premises] == list(FORMULAS_OF)
    assert show(read.theory.conclusion) == "Flies(tweety)"
    assert read.theory.answer is Answer.TRUE
    assert read_problem(PREMISES, "Tweety flies.", FORMULAS_OF, "Flies(tweety)") is read


def test_a_conclusion_without_its_formula_has_no_answer():
    theory = read_problem(PREMISES, "Tweety flies.", FORMULAS_OF).theory
    assert theory.conclusion is None and theory.answer is None
    assert theory.consistent
    assert {constant.name for constant in theory.constants} == {"tweety"}


def test_some_formulas_are_none():
    english = ("Max is red.", "Max is kind.")
    read = read_problem(english, "Max is red.", ("Red(max)", ""), "Red(max)")
    assert read.language is ENGLISH
    assert show(read.theory.conclusion) == "red(Max)"


def test_a_formula_that_is_none_is_named():
    with pytest.raises(UnreadableSentence, match=r"premise 1: 'Bird\(' is not a formula, column 6: expected a name"):
        read_problem(PREMISES, "", ("Bird(a)", "Bird("))
    with pytest.raises(UnreadableSentence, match="the conclusion: 'A B' is not a formula, column 3"):
        read_problem(PREMISES, "", FORMULAS_OF, "A B")


@pytest.mark.parametrize("formulas", [FORMULAS_OF[:1], ("", FORMULAS_OF[1], ""), (*FORMULAS_OF, "Bird(max)")])
def test_formulas_that_are_not_one_a_premise_are_an_error(formulas):
    said = f"2 premises but {len(formulas)} formulas: expected as many of each"
    with pytest.raises(UnreadableSentence, match=said):
        read_problem(PREMISES, "", formulas)
