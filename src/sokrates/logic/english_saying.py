"""Formulas to sentences of controlled English. `english.say` reads each one back before anybody sees it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sokrates.logic.english_words import ADJECTIVES, THIRD_PERSON, spell
from sokrates.logic.formulas import (
    And,
    Atom,
    Const,
    Forall,
    Formula,
    Implies,
    Not,
    Or,
    Term,
    Var,
    conjuncts,
    disjuncts,
)

Nouns = Collection[str]


def sentence_for(formula: Formula, nouns: Nouns) -> str:
    """A sentence for a formula of the grammar's shapes. Errors: ValueError for most others."""
    match formula:
        case Forall(var, Implies(antecedent, consequent)):
            return _universal(var, antecedent, consequent, nouns)
        case Implies(antecedent, consequent):
            return f"if {_clauses(antecedent, nouns)} then {_clauses(consequent, nouns)}"
        case Not(body) if not isinstance(body, Atom):
            return f"it is not the case that {sentence_for(body, nouns)}"
    return _clauses(formula, nouns)


def _universal(var: Var, antecedent: Formula, consequent: Formula, nouns: Nouns) -> str:
    """ "Every", or else "everything that", or else "if something", which alone can speak of others too."""
    word, given = _parts(antecedent)
    _, then = _parts(consequent)
    if all(_subject(part) == var for part in (*given, *then)):
        return f"{_everything(antecedent, nouns)} {_phrases(consequent, nouns)}"
    own = [_phrase(part, nouns) for part in given if _subject(part) == var]
    others = [_clause(part, nouns) for part in given if _subject(part) != var]
    if not own:
        raise ValueError(f"no condition begins with 'something' in {antecedent}")
    return f"if something {f' {word} '.join([*own, *others])} then {_clauses(consequent, nouns)}"


def _everything(antecedent: Formula, nouns: Nouns) -> str:
    if isinstance(antecedent, Atom) and len(antecedent.args) == 1 and antecedent.predicate in nouns:
        return f"every {spell(antecedent.predicate)}"
    return f"everything that {_phrases(antecedent, nouns)}"


def _clauses(formula: Formula, nouns: Nouns) -> str:
    word, parts = _parts(formula)
    if _is_list(formula):
        return f"{_name(_subject(parts[0]))} {_phrases(formula, nouns)}"
    return f" {word} ".join(_clause(part, nouns) for part in parts)


def _clause(part: Formula, nouns: Nouns) -> str:
    return f"{_name(_subject(part))} {_phrase(part, nouns)}"


def _phrases(formula: Formula, nouns: Nouns) -> str:
    """What is said of the one subject that all parts have."""
    word, parts = _parts(formula)
    if not _is_list(formula):
        return f" {word} ".join(_phrase(part, nouns) for part in parts)
    *others, last = [_thing(part, nouns) for part in parts]
    return f"is {', '.join(others)}{',' if len(others) > 1 else ''} or {last}"


def _is_list(formula: Formula) -> bool:
    """Whether it is "A, B, or C" of one subject."""
    parts = disjuncts(formula)
    return len(parts) > 1 and all(isinstance(p, Atom) and p.args == (_subject(parts[0]),) for p in parts)


def _phrase(part: Formula, nouns: Nouns) -> str:
    negated = isinstance(part, Not)
    body = part.body if isinstance(part, Not) else part
    if isinstance(body, Atom) and len(body.args) == 2 and body.predicate in THIRD_PERSON:
        verb = f"does not {body.predicate}" if negated else THIRD_PERSON[body.predicate]
        return f"{verb} {_name(body.args[1])}"
    return f"is {'not ' if negated else ''}{_thing(body, nouns)}"


def _thing(body: Formula, nouns: Nouns) -> str:
    """An adjective or a noun, or a noun with adjectives before it."""
    atoms = [atom for atom in conjuncts(body) if isinstance(atom, Atom) and len(atom.args) == 1]
    if len(atoms) != len(conjuncts(body)):
        raise ValueError(f"no phrase for {body}")
    adjectives = [atom.predicate for atom in atoms if atom.predicate in ADJECTIVES]
    others = [atom.predicate for atom in atoms if atom.predicate not in ADJECTIVES]
    if len(atoms) > 1 and len(others) != 1:
        raise ValueError(f"no noun phrase for {body}")
    predicate = atoms[0].predicate if len(atoms) == 1 else others[0]
    words = spell(predicate) if len(atoms) == 1 else f"{', '.join(adjectives)} {spell(predicate)}"
    article = ("an " if words[:1] in "aeiou" else "a ") if len(atoms) > 1 or predicate in nouns else ""
    return article + words


def _parts(formula: Formula) -> tuple[str, Sequence[Formula]]:
    return ("or", disjuncts(formula)) if isinstance(formula, Or) else ("and", conjuncts(formula))


def _subject(part: Formula) -> Term:
    """The term that a literal, or an adjective with its noun, speaks of."""
    while not isinstance(part, Atom):
        if not isinstance(part, Not | And):
            raise ValueError(f"no clause for {part}")
        part = part.body if isinstance(part, Not) else part.parts[0]
    if not part.args:
        raise ValueError(f"no subject in {part}")
    return part.args[0]


def _name(term: Term) -> str:
    if isinstance(term, Const):
        return f"the {spell(term.name)}" if term.name[:1].islower() else term.name
    return "it"
