"""Search for proofs that the kernel then checks; nothing here is trusted.

Contract: over PrOntoQA's theories the derivations are shortest, one MODUS_PONENS or MODUS_TOLLENS each. Literals that
follow only by refutation (A → B, A → ¬B give ¬A) are not found: that takes an assumption.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from sokrates.logic.closure import Literal, ground_literal, literal_formula, literal_rule
from sokrates.logic.formulas import Const, Forall, Formula
from sokrates.logic.theory import Theory


@dataclass(frozen=True, slots=True)
class Derivation:
    """One step of a proof: a rule, the lines it cites, and what it derives."""

    rule: str
    args: tuple[int, ...]
    formula: Formula


@dataclass(frozen=True, slots=True)
class _Origin:
    """How a literal was first reached: a premise (source None), or an edge from another literal."""

    line: int
    source: Literal | None = None
    contraposed: bool = False


def _search(theory: Theory, who: Const) -> dict[Literal, _Origin]:
    """Every literal that steps can reach about one element, in order of distance from the given facts."""
    origins: dict[Literal, _Origin] = {}
    queue: deque[Literal] = deque()
    for fact in theory.closure.facts:
        if fact.who == who and fact.literal not in origins and ground_literal(theory.premises[fact.line]):
            origins[fact.literal] = _Origin(fact.line)
            queue.append(fact.literal)
    while queue:
        literal = queue.popleft()
        for edge in theory.closure.edges.get(literal, ()):
            if edge.target not in origins and _gives_one_literal(theory.premises[edge.line]):
                origins[edge.target] = _Origin(edge.line, literal, edge.contraposed)
                queue.append(edge.target)
    return origins


def _gives_one_literal(premise: Formula) -> bool:
    return isinstance(premise, Forall) and literal_rule(premise) is not None


def prove(theory: Theory, goal: Formula) -> list[Derivation] | None:
    """A shortest derivation of a ground literal, numbered behind the premises; None where there is none.

    A goal that is a premise has the empty derivation.
    """
    found = ground_literal(goal)
    if found is None:
        return None
    who, literal = found
    origins = _search(theory, who)
    if literal not in origins:
        return None
    path = []
    step: Literal | None = literal
    while step is not None:
        path.append(step)
        step = origins[step].source
    return _derive(theory, who, origins, path[::-1])


def derive_all(theory: Theory, who: Const) -> list[Derivation]:
    """Every fact that steps can reach about one element, nearest first."""
    origins = _search(theory, who)
    return _derive(theory, who, origins, list(origins))


def _derive(theory: Theory, who: Const, origins: dict[Literal, _Origin], order: list[Literal]) -> list[Derivation]:
    lines: dict[Literal, int] = {}
    derivations: list[Derivation] = []
    for literal in order:
        origin = origins[literal]
        if origin.source is None:
            lines[literal] = origin.line
            continue
        lines[literal] = len(theory.premises) + len(derivations)
        rule = "MODUS_TOLLENS" if origin.contraposed else "MODUS_PONENS"
        derivations.append(Derivation(rule, (lines[origin.source], origin.line), literal_formula(literal, who)))
    return derivations
