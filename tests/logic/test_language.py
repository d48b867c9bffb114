"""Languages: each reads back what it says."""

from __future__ import annotations

import pytest

from sokrates.logic.english import Reading
from sokrates.logic.language import ENGLISH, FORMULAS


@pytest.mark.parametrize("language", [ENGLISH, FORMULAS], ids=lambda language: language.name)
def test_a_language_reads_what_it_says(language):
    for sentence in ("Max is not red.", "Every wumpus is a yumpus.", "Max is red and Max is a wumpus."):
        reading = ENGLISH.read(sentence)
        assert isinstance(reading, Reading)
        assert language.read(language.say(reading.formula, reading.nouns)).formula == reading.formula
