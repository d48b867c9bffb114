"""What keeps problems apart, and how paragraphs become sentences."""

from __future__ import annotations

import pytest

from sokrates.problems import Problem
from sokrates.problems.reading import UnreadableSentence, read_sentences, sentences


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
