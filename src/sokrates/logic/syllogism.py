"""Chains of implications, by HYPOTHETICAL_SYLLOGISM.

Contract: a shortest chain of known implications, also under ∀, whose result is the goal; no assumption is made.
"""

from __future__ import annotations

from collections import deque

from sokrates.logic.facts import Facts
from sokrates.logic.formulas import Formula, canonical
from sokrates.logic.lines import Line, Pad
from sokrates.logic.rules import RULES, Use
from sokrates.logic.rules.rule import universal_implication
from sokrates.logic.verdict import Refusal

_LONGEST_CHAIN = 6
_NAME = "HYPOTHETICAL_SYLLOGISM"


def chained(pad: Pad, facts: Facts, goal: Formula) -> Line | None:
    """The goal from two or more known implications."""
    wanted = universal_implication(canonical(goal))
    if wanted is None:
        return None
    links = [line for line in facts.lines() if universal_implication(line.formula)]
    start = [line for line in links if _begins(line, canonical(goal))]
    queue = deque((line, 1) for line in start)
    seen = {line.key for line in start}
    while queue:
        line, length = queue.popleft()
        for link in links if length < _LONGEST_CHAIN else ():
            for result in _results(pad, line, link):
                key = canonical(result)
                if key not in seen and _begins_formula(key, canonical(goal)):
                    seen.add(key)
                    derived = pad.derive(_NAME, result, line, link)
                    if key == canonical(goal):
                        return derived
                    queue.append((derived, length + 1))
    return None


def _begins(line: Line, goal: Formula) -> bool:
    return _begins_formula(line.key, goal)


def _begins_formula(key: Formula, goal: Formula) -> bool:
    """Whether an implication has the goal's own antecedent and variables."""
    one, other = universal_implication(key), universal_implication(goal)
    return bool(one and other and one[0] == other[0] and one[1].antecedent == other[1].antecedent)


def _results(pad: Pad, line: Line, link: Line) -> list[Formula]:
    pad.spend()
    try:
        return RULES[_NAME].apply(Use((line.formula, link.formula), None, frozenset(), frozenset()))
    except Refusal:
        return []
