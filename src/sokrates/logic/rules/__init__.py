"""The rules of inference. One place defines each: its name, arguments, what it needs and gives, and how it applies."""

from __future__ import annotations

from sokrates.logic.rules import connective, implication, quantifier, supposition
from sokrates.logic.rules.rule import Discharge, Example, Rule, Use
from sokrates.logic.rules.supposition import ASSUME

__all__ = ["ASSUME", "CONCLUDE", "RULES", "Discharge", "Example", "Rule", "Use"]

_ORDER = (
    "MODUS_PONENS MODUS_TOLLENS HYPOTHETICAL_SYLLOGISM DISJUNCTIVE_SYLLOGISM UNIV_INSTANTIATION UNIV_GENERALIZATION "
    "EXIST_INSTANTIATION EXIST_GENERALIZATION AND_INTRO AND_ELIM OR_INTRO CASE_SPLIT BICONDITIONAL_INTRO "
    "BICONDITIONAL_ELIM CONTRADICTION DOUBLE_NEGATION CONDITIONAL_PROOF ASSUME"
).split()

_DEFINED = {rule.name: rule for room in (implication, connective, quantifier, supposition) for rule in room.RULES}

RULES: dict[str, Rule] = {name: _DEFINED[name] for name in _ORDER}
"""Every rule by its name, in the order in which people are shown them."""

CONCLUDE = "CONCLUDE"
"""The one option that derives nothing: `proof.Proof` judges it."""
