"""First-order logic as text, to formulas; `formulas.show` writes what `parse` reads.

Contract: `parse` gives the one closed formula that a text says, or a FormulaError that quotes the text and says where
it went wrong and what was expected there; it never guesses. ¬, ∀ and ∃ bind tightest (a quantifier takes the next
such formula), then ∧, ∨, ⊕, → (to the right) and ↔. A name is a variable inside the scope of a quantifier that binds
it and a constant elsewhere, but not both in one formula; a quantifier binds something. There are no function terms.
`repair` mends what formulas written by hand often get wrong, and names each repair.

    ∀x (Bird(x) ∧ ¬Penguin(x) → Flies(x))      forall x. (Bird(x) & ~Penguin(x) -> Flies(x))
    ∃x, y (Likes(x, y) ⊕ x = bo)               \\exists x, y (Likes(x, y) \\oplus x = bo)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sokrates.logic.english import Reading, Unreadable
from sokrates.logic.formulas import (
    EQUALS,
    And,
    Atom,
    Const,
    Exists,
    Forall,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
    Var,
    Xor,
    atoms,
    generalise,
    measure,
)

if TYPE_CHECKING:
    from lark import Lark
    from lark.exceptions import UnexpectedInput

MOST_CHARACTERS = 4000
DEEPEST = 64
"""How deep a formula may be nested, an atom being 1."""
MOST_SCOPES = 8
"""How many quantifiers of a formula are mended."""

_NAME = r"\w(?:[\w'’+]|[.-](?=\w))*"
_BOUND = r"[^\W\d_](?=[A-Z])|\w[\w'’]*"
"""A letter before a capital is a variable by itself: `∀xP(x)`."""
_SPELLINGS = {
    "NOT": r"¬ ~ ! - \neg \lnot not",
    "FORALL": r"∀ \forall forall",
    "EXISTS": r"∃ \exists exists",
    "_AND": r"∧ && & \land \wedge and",
    "_OR": r"∨ || | \lor \vee or",
    "_XOR": r"⊕ \oplus xor",
    "_IMPLIES": r"→ ⇒ -> => \to \rightarrow \Rightarrow \implies implies",
    "_IFF": r"↔ ⇔ <-> <=> \leftrightarrow \Leftrightarrow \iff iff",
    "_EQUALS": "=",
    "_DIFFERS": r"≠ != \neq \ne",
}
_GRAMMAR = r"""
start: iff
?iff: implication | iff _IFF implication -> equivalence
?implication: exclusive | exclusive _IMPLIES implication -> implies
?exclusive: disjunction | disjunction (_XOR disjunction)+ -> xor
?disjunction: conjunction | conjunction (_OR conjunction)+ -> disjoined
?conjunction: unary | unary (_AND unary)+ -> conjoined
?unary: atom | NOT unary -> negation | (FORALL | EXISTS) BOUND ("," BOUND)* ("." | ":")? unary -> quantified
?atom: "(" iff ")"
    | NAME -> predication
    | NAME "(" term ("," term)* ")" -> predication
    | term _EQUALS term -> equality
    | term _DIFFERS term -> inequality
?term: NAME | NAME "(" term ("," term)* ")" -> function
%ignore /[ \t\r\n\u00a0]+/
"""


class FormulaError(ValueError):
    """A text is not a formula; the message quotes it and says where and why."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """A formula, the text that says it, and what had to be mended in the text as it was written."""

    formula: Formula
    text: str
    repairs: tuple[str, ...]


class _Refused(Exception):
    """Why a text is no formula, and the place (from 0) where that shows."""

    def __init__(self, why: str, place: int | None = None) -> None:
        self.why, self.place = why, place


class _OutOfScope(_Refused):
    def __init__(self, name: str, place: int) -> None:
        super().__init__(f"{name[:100]} stands outside the scope of the quantifier that binds it", place)
        self.name, self.at = name, place


class _NothingBound(_Refused):
    """A quantifier whose name does not stand in its scope: mostly a misreading, such as `∀Dog(x)` or `∀x Fx`."""

    def __init__(self, sign: Any, name: Any, droppable: bool) -> None:
        super().__init__(f"{name[:100]} is bound here and stands nowhere in the scope", name.start_pos)
        self.name, self.quantifier = str(name), f"{sign}{name}"
        self.start, self.end, self.droppable = sign.start_pos, name.end_pos, droppable


@dataclass(frozen=True, slots=True)
class _Part:
    """A formula inside a text: the names that no quantifier has bound yet, with their places, and those bound."""

    formula: Formula
    free: Mapping[str, int]
    bound: frozenset[str]


@lru_cache(maxsize=1 << 16)
def parse(text: str) -> Formula:
    """The formula that a text says. Errors: FormulaError."""
    try:
        return _parse(text)
    except _Refused as refusal:
        raise _error(text, refusal) from None


def read(text: str) -> Reading | Unreadable:
    """A formula as `english.read` gives a sentence, with or without its full stop."""
    return _read(text) if len(text) <= MOST_CHARACTERS else Unreadable(str(_error(text, _too_long(text))))


@lru_cache(maxsize=1 << 16)
def _read(text: str) -> Reading | Unreadable:
    try:
        return Reading(parse(text.strip().removesuffix(".")))
    except FormulaError as error:
        return Unreadable(str(error))


def _error(text: str, refusal: _Refused) -> FormulaError:
    where = "" if refusal.place is None else f", column {refusal.place + 1}"
    return FormulaError(f"{_quoted(text)} is not a formula{where}: {refusal.why}")


def _quoted(text: str) -> str:
    return repr(text) if len(text) <= 120 else f"{text[:100]!r}…"


def _too_long(text: str) -> _Refused:
    return _Refused(f"it has {len(text)} characters, expected at most {MOST_CHARACTERS}")


def _parse(text: str) -> Formula:
    from lark.exceptions import UnexpectedInput

    if len(text) > MOST_CHARACTERS:
        raise _too_long(text)
    try:
        part: _Part = _parser().parse(text)  # type: ignore[assignment]
    except UnexpectedInput as error:
        raise _unexpected(text, error) from None
    for name, place in part.free.items():
        if name in part.bound:
            raise _OutOfScope(name, place)
    return part.formula


@lru_cache(maxsize=1)
def _parser() -> Lark:
    from lark import Lark

    terminals = [f"{name}.2: /{_pattern(spellings.split())}/" for name, spellings in _SPELLINGS.items()]
    names = [f"NAME: /{_NAME}/", f"BOUND: /{_BOUND}/"]
    return Lark("\n".join([_GRAMMAR, *terminals, *names]), parser="lalr", transformer=_Builder())


def _pattern(spellings: Sequence[str]) -> str:
    """Any of an operator's spellings; a word ends where a name would, and a sign is not the beginning of an arrow."""
    guards = {True: r"(?![\w'’+])", False: "(?!>)"}
    return "|".join(re.escape(spelled) + guards[spelled[-1].isalpha()] for spelled in spellings)


class _Builder:
    """Formulas from the inside out, as the parser finds them; the methods are named in the grammar."""

    def start(self, parts: list[_Part]) -> _Part:
        return parts[0]

    def predication(self, names: list[Any]) -> _Part:
        predicate, *terms = names
        return _atom(str(predicate), terms)

    def equality(self, terms: list[Any]) -> _Part:
        return _atom(EQUALS, terms)

    def inequality(self, terms: list[Any]) -> _Part:
        return _joined(Not, [_atom(EQUALS, terms)])

    def function(self, names: list[Any]) -> _Part:
        raise _Refused(
            f"{names[0][:100]} is applied to a term: expected a name, function terms are not read", names[0].start_pos
        )

    def negation(self, children: list[Any]) -> _Part:
        return _joined(Not, children[1:])

    def conjoined(self, parts: list[_Part]) -> _Part:
        return _joined(lambda *formulas: And(formulas), parts)

    def disjoined(self, parts: list[_Part]) -> _Part:
        return _joined(lambda *formulas: Or(formulas), parts)

    def xor(self, parts: list[_Part]) -> _Part:
        return _joined(lambda *formulas: Xor(formulas), parts)

    def implies(self, parts: list[_Part]) -> _Part:
        return _joined(Implies, parts)

    def equivalence(self, parts: list[_Part]) -> _Part:
        return _joined(Iff, parts)

    def quantified(self, children: list[Any]) -> _Part:
        sign, *names, part = children
        for name in reversed(names):
            part = _bind(sign, name, part, alone=len(names) == 1)
        return part


def _atom(predicate: str, terms: Sequence[Any]) -> _Part:
    constants = tuple(Const(str(term)) for term in terms)
    places = {str(term): term.start_pos for term in reversed(terms)}
    return _Part(Atom(predicate, constants), places, frozenset())


def _bind(sign: Any, name: Any, part: _Part, *, alone: bool) -> _Part:
    """Put a quantifier before a part; `alone` where the sign has no other name. What bound the same name inside did so
    before."""
    kind, var = Forall if sign.type == "FORALL" else Exists, Var(str(name))
    if any(atom.predicate == var.name for atom in atoms(part.formula)):
        raise _Refused(f"{name[:100]} stands as a predicate where a quantifier binds it", name.start_pos)
    if var.name not in part.free:
        raise _NothingBound(sign, name, droppable=alone and len(var.name) == 1 and var.name not in part.bound)
    formula = kind(var, generalise(part.formula, Const(var.name), var))
    free = {other: place for other, place in part.free.items() if other != var.name}
    return _Part(_measured(formula), free, part.bound | {var.name})


def _joined(connective: Callable[..., Formula], parts: Sequence[_Part]) -> _Part:
    free = {name: place for part in reversed(parts) for name, place in part.free.items()}
    formula = connective(*(part.formula for part in parts))
    return _Part(_measured(formula), free, frozenset().union(*(part.bound for part in parts)))


def _measured(formula: Formula) -> Formula:
    """The formula, if it is not nested too deeply; its parts have been measured, so this recurses nowhere deep."""
    if measure(formula).depth > DEEPEST:
        raise _Refused(f"it is nested more than {DEEPEST} deep, expected less")
    return formula


def _unexpected(text: str, error: UnexpectedInput) -> _Refused:
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    wanted: set[str] = set()
    place = len(text)
    found = "it ends"
    if isinstance(error, UnexpectedCharacters):
        wanted, place = set(error.allowed or ()), error.pos_in_stream or 0
        found = f"found {text[place]!r}"
    elif isinstance(error, UnexpectedToken):
        wanted = set(error.accepts or error.expected)
        if error.token.type != "$END":
            place, found = error.token.start_pos or 0, f"found {_quoted(str(error.token))}"
    return _Refused(f"expected {_expected(wanted, text[:place])}, {found}", place)


def _expected(terminals: set[str], before: str) -> str:
    """The terminals in words. The parser does not tell `)` from the end: what stands before does."""
    words = []
    if "NAME" in terminals:
        words.append("a formula" if "NOT" in terminals else "a name")
    if "BOUND" in terminals:
        words.append("a variable")
    if "_AND" in terminals:
        words.append("a connective")
    if "COMMA" in terminals:
        words.append("','")
    if terminals & {"RPAR", "$END"}:
        words.append("')'" if before.count("(") > before.count(")") else "the end")
    return " or ".join(words)


@lru_cache(maxsize=1 << 14)
def repair(text: str) -> Repaired:
    """The formula that a text says as it is written, else once it is mended.

    Errors: FormulaError, about the text as it is written, where no repair helps.
    """
    try:
        return Repaired(_parse(text), text.strip(), ())
    except _Refused as refusal:
        repaired = _mended(text) if len(text) <= MOST_CHARACTERS else None
        if repaired is None:
            raise _error(text, refusal) from None
        return repaired


def _mended(text: str) -> Repaired | None:
    repairs: list[str] = []
    for mend in (_signs, _full_stop, _blanks, _commas, _parentheses):
        text = mend(text.strip(), repairs)
    left_out = False
    for _ in range(MOST_SCOPES):
        try:
            formula = _parse(text)
            # A name alone may be what the quantifier that was left out should have bound.
            misread = left_out and any(not atom.args for atom in atoms(formula))
            return None if misread else Repaired(formula, text, tuple(repairs))
        except _OutOfScope as stray:
            wider = _widened(text, stray, repairs)
        except _NothingBound as vacuous:
            later = [found.start() for found in re.finditer(_NAME, text) if found.group() == vacuous.name]
            wider = _widened(text, _OutOfScope(vacuous.name, later[-1]), repairs) if later else None
            if wider is None and vacuous.droppable:
                repairs.append(f"{vacuous.quantifier} binds nothing and is left out")
                wider, left_out = (text[: vacuous.start] + text[vacuous.end :].lstrip(" .:")).strip(), True
        except _Refused:
            return None
        if wider is None:
            return None
        text = wider
    return None


_SIGNS = {"⟷": "↔", "⟶": "→", "^": "∧"} | dict.fromkeys("‐‑‒–—−", "-")
_ARGUMENTS = re.compile(rf"({_NAME}\s*\()([^()]*)(?=\))")
_BLANK_INSIDE = re.compile(r"(?<=[\w'’+]) +(?=\w)")
_OPERATOR = re.compile("|".join(f"(?:{_pattern(spellings.split())})" for spellings in _SPELLINGS.values()))
_ARROW = re.compile("|".join(_pattern(_SPELLINGS[name].split()) for name in ("_IMPLIES", "_IFF")))
_CHOICE = re.compile("|".join(_pattern(_SPELLINGS[name].split()) for name in ("_OR", "_XOR")))
_COMMA = re.compile(r"\)(\s*),")
_QUANTIFIER = re.compile(
    rf"(?:{_pattern((_SPELLINGS['FORALL'] + ' ' + _SPELLINGS['EXISTS']).split())})"
    rf"\s*((?:{_BOUND})(?:\s*,\s*(?:{_BOUND}))*)\s*[.:]?"
)


def _signs(text: str, repairs: list[str]) -> str:
    for written, meant in _SIGNS.items():
        if written in text:
            repairs.append(f"{written} read as {meant}")
            text = text.replace(written, meant)
    return text


def _full_stop(text: str, repairs: list[str]) -> str:
    if text.endswith("."):
        repairs.append("full stop left out")
    return text.rstrip(". ")


def _blanks(text: str, repairs: list[str]) -> str:
    """A constant of several words, joined: `captain america`."""

    def joined(arguments: re.Match[str]) -> str:
        opening, inside = arguments.groups()
        names = inside if _OPERATOR.search(inside) else _BLANK_INSIDE.sub("_", inside)
        if names != inside:
            repairs.append(f"blank inside a name: {names.strip()}")
        return opening + names

    return _ARGUMENTS.sub(joined, text)


def _commas(text: str, repairs: list[str]) -> str:
    """A comma between formulas is ∧, where nothing in the text could make that mean two things."""
    mended = _COMMA.sub(r")\1 ∧", text)
    arrows = list(_ARROW.finditer(text))
    behind = any(comma.start() > arrow.start() for arrow in arrows for comma in _COMMA.finditer(text))
    if mended == text or _CHOICE.search(text) or len(arrows) > 1 or behind:
        return text
    repairs.append(", read as ∧")
    return mended


def _parentheses(text: str, repairs: list[str]) -> str:
    """Parentheses closed too seldom or too often, at the end of the text."""
    missing = text.count("(") - text.count(")")
    if missing > 0:
        repairs.append("missing ) at the end")
        return text + ")" * missing
    while missing < 0 and text.endswith(")"):
        text, missing = text[:-1].rstrip(), missing + 1
        if not missing:
            repairs.append("extra ) at the end")
    return text


def _widened(text: str, stray: _OutOfScope, repairs: list[str]) -> str | None:
    """The text with the scope of the last quantifier that binds the stray name widened to the end of its group."""
    for quantifier in reversed(list(_QUANTIFIER.finditer(text, 0, stray.at))):
        end = _group_end(text, quantifier.end())
        if stray.name in re.findall(_BOUND, quantifier.group(1)) and end > stray.at:
            repairs.append(f"scope of {quantifier.group().strip()} widened")
            start = quantifier.end()
            return f"{text[:start].rstrip()} ({text[start:end].strip()}){text[end:]}"
    return None


def _group_end(text: str, start: int) -> int:
    """Where the parenthesis that is open at a place is closed, or the end of the text."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth < 0:
            return place
    return len(text)
