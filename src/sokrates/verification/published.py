"""The published pipeline's weak rule, for comparison only; no verdict rests on it.

A step counts when the first "X is Y" of its thought follows from all the premises by forward chaining, whatever its
rule, lines and claim are; a CONCLUDE counts when its answer is the label. It is rebuilt from how that pipeline's
published traces were judged (docs/soundness.md compares the two step by step).
"""

from __future__ import annotations

import re

from sokrates.logic.answer import ANSWERS, Answer
from sokrates.logic.english import Reading, read
from sokrates.logic.rules import CONCLUDE
from sokrates.logic.theory import Theory
from sokrates.traces.trace import Step

FIRST_STATEMENT = re.compile(r"\b([A-Z][A-Za-z]*|\d+) is (not )?(?:an? )?([a-z]+)")


def published_valid(step: Step, theory: Theory, label: Answer | None) -> bool:
    """Whether the weak rule accepts a step."""
    if step.option_type == CONCLUDE:
        return label is not None and step.option_args == (ANSWERS.index(label),)
    found = FIRST_STATEMENT.search(step.thought)
    reading = read(found.group()) if found else None
    return isinstance(reading, Reading) and theory.entails(reading.formula) is True
