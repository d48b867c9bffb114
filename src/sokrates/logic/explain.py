"""Why something follows from premises, or a case in which it does not, in words.

Contract: what `explain` says is true. The premises of a core entail the formula by themselves, and few of them, if any,
are needless; the formulas of a case hold together in a model of the premises in which the formula is false.
The text is plain English about numbered lines; how a formula is said is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sokrates.logic.closure import Closure, ground_literal, literal_formula
from sokrates.logic.formulas import (
    EQUALS,
    Atom,
    Const,
    Formula,
    Not,
    Or,
    TooComplex,
    Var,
    atoms,
    canonical,
    complement,
    conjuncts,
    constants,
    generalise,
    show,
    substitute,
)
from sokrates.logic.model import unused_names
from sokrates.logic.smt import Smt
from sokrates.logic.theory import Theory

MOST_FACTS, MOST_LITERALS = 3, 6
"""How much is told of what is given, and of a case altogether."""

MOST_TRIED = 16
"""Lines of a core that are left out once each; of more all are told."""

_FALSUM = Or(())
_HOLE = Var("#hole")

Say = Callable[[Formula], str]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a formula follows, and why, or why not."""

    entailed: bool | None
    core: tuple[int, ...]
    """Numbers of the premises that are needed, where it follows."""
    case: tuple[Formula, ...]
    """What the text says of a case in which the premises hold and the formula does not."""
    text: str


@dataclass(frozen=True, slots=True)
class Grounds:
    """An explanation that is yet to be put in words."""

    entailed: bool | None
    words: Callable[[Say], str]
    lines: tuple[int, ...] = ()
    case: tuple[Formula, ...] = ()


def explain(theory: Theory, formula: Formula, assumed: Sequence[Formula] = (), say: Say = show) -> Explanation:
    """Why the premises, with what is assumed, entail a closed formula or do not.

    `say` may raise ValueError for a formula that it has no sentence for; that one is shown as a formula.
    """
    grounds = _remembered(theory, formula, assumed)
    core = tuple(line for line in grounds.lines if line < len(theory.premises))
    return Explanation(grounds.entailed, core, grounds.case, grounds.words(_or_show(say)))


def _or_show(say: Say) -> Say:
    def said(formula: Formula) -> str:
        try:
            return say(formula)
        except ValueError:
            return show(formula)

    return said


def _remembered(theory: Theory, formula: Formula, assumed: Sequence[Formula]) -> Grounds:
    if theory.entails(formula, assumed) is None:
        return Grounds(None, lambda say: "whether it follows is not decided within the limits")
    whole = theory.assuming(assumed) if assumed else theory
    key = canonical(formula)
    if key not in whole.explained:
        whole.explained[key] = _grounds(whole, key, len(theory.premises))
    return whole.explained[key]


def _grounds(theory: Theory, formula: Formula, premises: int) -> Grounds:
    """The grounds for a decided formula; lines from `premises` on are assumptions."""
    if theory.consistent is False:
        lines = _core(theory, _FALSUM)
        return Grounds(True, lambda say: f"{_named(lines, premises)} cannot all be true, so anything follows", lines)
    if theory.entails(formula):
        lines = _core(theory, formula)
        return Grounds(True, lambda say: f"it {_follows(lines, premises)}", lines)
    if theory.entails(complement(formula)):
        lines = _core(theory, complement(formula))
        return Grounds(False, lambda say: f"its opposite, {say(complement(formula))}, {_follows(lines, premises)}")
    if theory.decided_fast and (subject := ground_literal(formula)):
        return _of_one(theory, formula, subject[0], premises)
    return _of_a_case(theory, formula)


def _core(theory: Theory, formula: Formula) -> tuple[int, ...]:
    """Lines that entail the formula: a path of rules, or else lines each left out once, to see whether it is needed."""
    used = _used(theory.closure, formula, Smt.effort)
    kept = tuple(range(len(theory.premises))) if used is None else used
    path = theory.closure.entails(formula) and len(kept) < len(theory.premises)
    if path or len(kept) > MOST_TRIED:
        return kept
    for line in kept:
        if line in kept:
            others = [other for other in kept if other != line]
            used = _used(Closure([theory.premises[other] for other in others]), formula, Smt.effort // 10)
            kept = kept if used is None else tuple(others[number] for number in used)
    return kept


def _used(closure: Closure, formula: Formula, effort: int) -> tuple[int, ...] | None:
    """Numbers of a closure's premises that a proof of the formula uses; None where none is found."""
    entailed = closure.entails(formula)
    if entailed is None:
        return Smt(closure.premises, effort).core(formula)
    return tuple(sorted(closure.lines_for(formula))) if entailed else None


def _of_one(theory: Theory, claim: Formula, who: Const, premises: int) -> Grounds:
    """Why rules do not lead to a literal, nor to its opposite, from what is given of its subject."""
    given = [fact for fact in theory.closure.facts if fact.who in (None, who)]
    facts = {literal_formula(fact.literal, who): fact.line for fact in given}
    told = tuple(facts)[:MOST_FACTS]
    lines = tuple(sorted({facts[fact] for fact in told}))

    def words(say: Say) -> str:
        goal = f"“{say(claim)}” or to its opposite"
        if not told:
            return f"nothing is given of {who.name}, and no rules lead to {goal}"
        given = _listed([say(fact) for fact in told])
        others = " among other things" if len(facts) > len(told) else ""
        return f"it is given that {given}{others} ({_named(lines, premises)}), and no rules lead from there to {goal}"

    return Grounds(False, words, case=(*told, complement(claim)))


def _of_a_case(theory: Theory, formula: Formula) -> Grounds:
    way = theory.closure.counterexample(formula)
    reasons = _of_a_model(theory, formula) if way is None else _with_short_names(theory, formula, way)
    facts = [fact for fact in _facts_near(theory, formula) if fact not in reasons]
    case = tuple([*facts[: max(0, MOST_LITERALS - len(reasons))], *reasons][:MOST_LITERALS])
    known = theory.constants | constants(formula)
    unnamed = sorted({who.name for told in case for who in constants(told) if who not in known})

    def words(say: Say) -> str:
        others = f", with something called {_listed(unnamed)}," if unnamed else ""
        told = f": {_listed([say(literal) for literal in case])}" if case else ""
        return f"there is a case{others} in which all premises hold but this does not{told}"

    return Grounds(False, words, case=case)


def _of_a_model(theory: Theory, formula: Formula) -> list[Formula]:
    """Literals of a model that make the formula false; then how the premises with its predicates hold of the same."""
    model = theory.smt.counterexample(formula)
    if model is None:
        return []
    predicates = _predicates(formula)
    try:
        found = model.reasons(formula)
        about = frozenset().union(*map(constants, found))
        near = [premise for premise in theory.premises if _predicates(premise) & predicates]
        also = [literal for premise in near for literal in model.reasons(premise) if constants(literal) <= about]
    except TooComplex:
        return []
    return list(dict.fromkeys([*found, *also]))


def _with_short_names(theory: Theory, formula: Formula, way: Sequence[Formula]) -> list[Formula]:
    """The same of elements called X, Y, … instead of what the closure calls them."""
    known = theory.constants | constants(formula)
    found = dict.fromkeys(who for part in way for who in sorted(constants(part), key=str) if who not in known)
    names = dict(zip(found, unused_names(known), strict=False))
    for old, new in names.items():
        way = [substitute(generalise(part, old, _HOLE), {_HOLE: new}) for part in way]
    return list(dict.fromkeys(way))


def _facts_near(theory: Theory, formula: Formula) -> list[Formula]:
    """Literals that the premises give, of the formula's constants or its predicates, the former first."""
    predicates = _predicates(formula)
    named = constants(formula)
    given = dict.fromkeys(part for premise in theory.premises for part in conjuncts(premise) if _is_literal(part))
    near = [fact for fact in given if constants(fact) & named]
    return [*near, *(f for f in given if f not in near and _predicates(f) & predicates)]


def _predicates(formula: Formula) -> set[str]:
    return {atom.predicate for atom in atoms(formula)} - {EQUALS}


def _is_literal(formula: Formula) -> bool:
    return isinstance(formula, Atom) or (isinstance(formula, Not) and isinstance(formula.body, Atom))


def _follows(lines: Sequence[int], premises: int) -> str:
    if not lines:
        return "is true whatever the premises say"
    together = " together" if len(lines) > 1 else ""
    return f"follows from {_named(lines, premises)}{together}"


def _named(lines: Sequence[int], premises: int) -> str:
    """`line 3`, `lines 0, 3 and 5`, `line 3 and what is assumed`."""
    numbers = [str(line) for line in lines if line < premises]
    told = [f"line{'s' if len(numbers) > 1 else ''} {_listed(numbers)}"] if numbers else []
    return _listed([*told, *(["what is assumed"] if len(numbers) < len(lines) else [])])


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
