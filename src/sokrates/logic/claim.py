"""The claim of a thought: the formula that it says it has derived, and the premises that it quotes.

Contract: the claim is the text after the last marker (so, therefore, hence, thus, conclude that, derive that); without
a marker it is the whole thought, maybe behind "Assume", if that is one sentence of the grammar, else there is none.
Marked text that cannot be read is `Unreadable`, never ignored; a marker that is denied ("cannot conclude that") is
none. In the thought of a CONCLUDE the marked text may also name the answer. The text is read in the problem's language,
where no predicate is a marker: `So(max)`.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sokrates.logic import english
from sokrates.logic.answer import Answer
from sokrates.logic.english import Reading, Unreadable
from sokrates.logic.formulas import Formula
from sokrates.logic.language import Reader

Claim = Formula | Unreadable | None

_MARKER = re.compile(
    r"(?<![\w-])(?:so|therefore|hence|thus|(?<!not )(?<!n't )(?<!never )(?:conclude|derive)(?: that)?)\b"
    r"(?!\(|-\w)[,:]?\s*",
    re.IGNORECASE,
)
_ASSUMED = re.compile(r"assume(?: that)?[:,]?\s+", re.IGNORECASE)
_CITATION = re.compile(r"\((?:line|premise) (\d{1,9})\)", re.IGNORECASE)
_ANSWER = re.compile(r"(?:the )?(?:answer|conclusion|statement)\b[^.]*? is (true|false|unknown)", re.IGNORECASE)
_QUOTE_AFTER = re.compile(r"\b(?:line|premise) (\d{1,9}) (?=\()", re.IGNORECASE)
_CONNECTIVE = re.compile(r"[\s,;]*(?:(?:and|since|because|from|as|given that|we know that)\s+)*", re.IGNORECASE)


@lru_cache(maxsize=1 << 16)
def _parts(thought: str) -> tuple[str, str | None]:
    """What stands before the last marker, and behind it (None without a marker)."""
    last = max(_MARKER.finditer(thought), key=re.Match.start, default=None)
    return (thought, None) if last is None else (thought[: last.start()], _bare(thought[last.end() :]))


def _bare(text: str) -> str:
    """Without the full stop, and without a citation at the end."""
    text = text.strip().rstrip(".!;,: ")
    opening = text.rfind("(")
    return text[:opening].rstrip() if opening >= 0 and _CITATION.fullmatch(text, opening) else text


def _whole(thought: str) -> str:
    """What a thought without a marker states."""
    text = _bare(thought)
    assumed = _ASSUMED.match(text)
    return text[assumed.end() :] if assumed else text


@lru_cache(maxsize=1 << 16)
def claim_of(thought: str, read: Reader = english.read) -> Claim:
    """The claim of an inference step's thought."""
    _, marked = _parts(thought)
    reading = read(_whole(thought) if marked is None else marked)
    if isinstance(reading, Reading):
        return reading.formula
    return None if marked is None else reading


@lru_cache(maxsize=1 << 16)
def concluded_of(thought: str, read: Reader = english.read) -> Answer | Claim:
    """What a CONCLUDE's thought claims: an answer by name, a formula, Unreadable, or None."""
    _, marked = _parts(thought)
    named = _ANSWER.fullmatch(_bare(thought) if marked is None else marked)
    return Answer(named.group(1).upper()) if named else claim_of(thought, read)


@lru_cache(maxsize=1 << 16)
def quotes(thought: str, read: Reader = english.read) -> tuple[tuple[int, Formula | None], ...]:
    """The lines that a thought quotes with their words: `Max is red (line 3)` or `premise 3 (Max is red)`.

    Gives (line, formula), the formula None where the quoted words are no sentence.
    """
    given, _ = _parts(thought)
    found = _quoted_after(given) or _quoted_before(given)
    return tuple((n, r.formula if isinstance(r := read(words), Reading) else None) for n, words in found)


def _quoted_after(given: str) -> list[tuple[int, str]]:
    """The words in the parentheses behind each citation."""
    citations = list(_QUOTE_AFTER.finditer(given))
    closing = _closing(given) if citations else {}
    quoted = ((int(c.group(1)), given[c.end() + 1 : closing[c.end()]]) for c in citations if c.end() in closing)
    return [(number, words) for number, words in quoted if words]


def _closing(text: str) -> dict[int, int]:
    """Where each parenthesis is closed; those that are not are left out."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for place, character in enumerate(text):
        if character == "(":
            opened.append(place)
        elif character == ")" and opened:
            found[opened.pop()] = place
    return found


def _quoted_before(given: str) -> list[tuple[int, str]]:
    """The words before each citation in brackets, from where the citation before it ended."""
    found = []
    start = 0
    for citation in _CITATION.finditer(given):
        words = given[_CONNECTIVE.match(given, start).end() : citation.start()]  # type: ignore[union-attr]
        found.append((int(citation.group(1)), words))
        start = citation.end()
    return found
