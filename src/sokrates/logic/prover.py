"""Search for proofs that the kernel then checks; nothing here is trusted.

Contract: over PrOntoQA's theories the derivations are shortest, one MODUS_PONENS or MODUS_TOLLENS each. Everything else
is searched for with more and more assumptions on the way (`search`), and of several proofs at one depth a short one is
taken, not always the shortest. The search is bounded by its work, the same everywhere, and by its time behind that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, count

from sokrates.logic.closure import Literal, ground_literal, literal_formula, literal_rule
from sokrates.logic.composition import is_literal
from sokrates.logic.facts import Facts
from sokrates.logic.formulas import Const, Forall, Formula, TooComplex, constants
from sokrates.logic.lines import Derivation, Line, Pad, SearchEnded, joint_cost, numbered
from sokrates.logic.proof import Proof
from sokrates.logic.search import Search
from sokrates.logic.theory import Theory

__all__ = ["Derivation", "SearchEnded", "derive_all", "derive_some", "prove"]

MOST_WORK = 100_000
"""Lines made and compared in the search for one proof; those that are found in real problems take at most thousands."""
MOST_SECONDS = 10.0
DEEPEST = 4
"""How many assumptions may be nested that the goal does not name."""
NAMES = tuple("cdeabfghijklmnopqrst")
"""What an arbitrary thing is called, where the problem does not use the name."""


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


def prove(
    theory: Theory,
    goal: Formula,
    *,
    most_work: int = MOST_WORK,
    seconds: float = MOST_SECONDS,
    names: Sequence[str] = NAMES,
) -> list[Derivation] | None:
    """A derivation of the goal, numbered behind the premises; None where none is found at any depth that is tried.

    A goal that is a premise has the empty derivation. `names` are what arbitrary things are called.
    Errors: SearchEnded at the limit of work or of time, or where formulas can be matched in too many ways.
    """
    found = _chain(theory, goal) if theory.closure.complete else None
    return _search_for(theory, goal, most_work, seconds, names) if found is None else found


def _search_for(
    theory: Theory, goal: Formula, most_work: int, seconds: float, names: Sequence[str]
) -> list[Derivation] | None:
    pad = Pad(theory.premises, most_work=most_work, seconds=seconds)
    taken = theory.constants | constants(goal)
    root, search = _root(pad, taken, names), Search(pad, _fresh(taken, names))
    try:
        tried = (search.prove(root, goal, depth) for depth in range(DEEPEST + 1))
        line = next((line for line in tried if line), None)
    except TooComplex as error:
        raise SearchEnded(f"the search ended because {error}") from None
    found = None if line is None else numbered([line], len(theory.premises))
    return found if found is not None and _accepted(theory, found) else None


def _accepted(theory: Theory, derivations: Sequence[Derivation]) -> bool:
    """Whether the kernel takes every step."""
    proof = Proof(theory)
    return all(proof.step(step.rule, step.args, step.formula).valid for step in derivations)


def _root(pad: Pad, known: frozenset[Const], names: Sequence[str]) -> Facts:
    """The premises as facts about the constants, of which there is always one: domains are not empty."""
    ordered = sorted(known, key=lambda constant: constant.name) or [Const(names[0])]
    root = Facts(pad, constants=ordered)
    for premise in pad.premises:
        root.offer(premise)
    return root


def derive_some(
    theory: Theory, about: frozenset[Const], *, most: int, most_work: int = MOST_WORK, seconds: float = MOST_SECONDS
) -> list[Derivation]:
    """Literals about some constants that follow without assumptions, nearest first, in at most so many steps."""
    pad = Pad(theory.premises, most_work=most_work, seconds=seconds)
    root = _root(pad, theory.constants, NAMES)
    with suppress(SearchEnded, TooComplex):
        root.close()
    chosen: list[Line] = []
    for line in sorted(root.lines(), key=lambda line: line.cost):
        said = is_literal(line.formula) and constants(line.formula) & about
        if said and line.rule and not line.assumes and joint_cost([*chosen, line]) <= most:
            chosen.append(line)
    return numbered(chosen, len(theory.premises))


def _fresh(taken: frozenset[Const], names: Sequence[str]) -> Callable[[Sequence[Const]], Const]:
    """Gives the first of the names, or of the numbered ones behind them, that is not in use."""

    def fresh(known: Sequence[Const]) -> Const:
        every = map(Const, chain(names, (f"{names[0]}{number}" for number in count(1))))
        return next(constant for constant in every if constant not in taken and constant not in known)

    return fresh


def _chain(theory: Theory, goal: Formula) -> list[Derivation] | None:
    """A shortest chain of MODUS_PONENS and MODUS_TOLLENS to a ground literal."""
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
