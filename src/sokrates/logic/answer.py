"""The three answers to a problem."""

from __future__ import annotations

from enum import StrEnum


class Answer(StrEnum):
    TRUE = "TRUE"
    FALSE = "FALSE"
    UNKNOWN = "UNKNOWN"


ANSWERS = (Answer.TRUE, Answer.FALSE, Answer.UNKNOWN)
"""In the order in which CONCLUDE numbers them: [0], [1], [2]."""
