"""What the kernel says about one step: valid or not, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from sokrates.logic.formulas import Formula


class Reason(StrEnum):
    """Why a step is invalid."""

    UNREADABLE_ACTION = "unreadable_action"
    UNKNOWN_RULE = "unknown_rule"
    ARGUMENT_COUNT = "argument_count"
    NO_SUCH_LINE = "no_such_line"
    INVALID_LINE = "invalid_line"
    WRONG_SHAPE = "wrong_shape"
    ANTECEDENT_MISMATCH = "antecedent_mismatch"
    NOT_AN_ASSUMPTION = "not_an_assumption"
    NOT_ARBITRARY = "not_arbitrary"
    TOO_COMPLEX = "too_complex"
    CLAIM_DIFFERS = "claim_differs"
    CLAIM_UNREADABLE = "claim_unreadable"
    CLAIM_MISSING = "claim_missing"
    NOT_PROVED = "not_proved"
    OPEN_ASSUMPTION = "open_assumption"
    NOT_UNKNOWN = "not_unknown"
    UNDECIDED = "undecided"
    AFTER_CONCLUSION = "after_conclusion"


class Verdict(NamedTuple):
    """`formula` is what a valid step derived (None for CONCLUDE); an invalid one has a reason and a sentence."""

    valid: bool
    formula: Formula | None = None
    reason: Reason | None = None
    message: str | None = None


class Refusal(Exception):
    """A rule does not apply to the lines it was given."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message
