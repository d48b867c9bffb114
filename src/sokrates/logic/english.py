"""Controlled English: the sentences of PrOntoQA, PrOntoQA-OOD and ProofWriter, to formulas and back.

Contract: `read` gives the one formula that a sentence of the grammar says, or a reason why it is not such a sentence;
it never guesses. `say` writes a formula as a sentence that `read` reads back as the same formula. Predicates are named
by their singular words or, where they are verbs, by the base form, so "Max is a red" and "Max is red" say the same
thing; "Sally is numpus" is read without its article.

    sentence    = { "it is not the case that" } ( facts | universal | conditional )
    facts       = name phrases { joint clause }
    universal   = ("every" | "each") kind phrases | ["all"] kinds phrases | "no" kind phrase
                | "everything that" phrases phrases
    conditional = "if" facts [","] "then" facts
                | "if" ("something" | "someone") phrases { joint clause } [","] "then" facts
    clause      = name phrases | pronoun phrases
    phrases     = phrase { joint phrase }
    phrase      = ("is" | "are") (["not"] thing | thing { joint ["not"] thing })
                | ("belongs to" | "does not belong to") nouns | (verb | "does not" verb) (name | pronoun)
    thing       = ("a" | "an") [adjectives] noun | [adjective] nouns | noun | adjective
    kind        = [adjectives] noun | adjectives ("thing" | "things" | "person" | "people")
    name        = a word with a capital | a number | "the" noun
    joint       = "," | "and" | "or" | ", and" | ", or"

- A sentence, a condition, its conclusion, and each side of a universal hold "and" or "or", never both. "It is not the
  case that" and "then" reach to the end of the sentence, so behind them no comma may begin a phrase or a clause.
- A comma alone joins things to an ∧. Elsewhere commas belong to a list of one kind, "A, B, or C".
- A "not" before a list is refused, and so is a thing without "not" after a thing with one.
- An adjective before a noun is one of a closed list, known to say the same thing of every noun; verbs are a closed list
  too. Several adjectives have commas between them. In a list with "or", none stands before a noun.
- "It" (also as an object) stands for "something", "they" and "them" for "someone", and for nothing else.
- Words of the grammar are no nouns, adjectives or names. A capital inside a sentence makes a name, unless an article or
  "belongs to" says that it is a noun.

It does not know word senses: an adjective and a noun spelled alike are one predicate, and "the bear" names somebody
without saying that it is a bear.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from sokrates.logic.english_grammar import Parser, Refused
from sokrates.logic.english_saying import sentence_for
from sokrates.logic.english_words import COMPOUNDS, singular
from sokrates.logic.formulas import Formula, same

__all__ = ["COMPOUNDS", "Reading", "Unreadable", "contradicted", "read", "read_thought", "say", "singular"]

_LONGEST = 1000
_ASSUMED = re.compile(r"assume (?:that )?", re.IGNORECASE)
_SINCE = re.compile(r"since ", re.IGNORECASE)
_CONTRADICTION = re.compile(r"this contradicts with ", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sentence says; `nouns` are its predicates that stood as nouns, which is what `say` needs to know."""

    formula: Formula
    nouns: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a text is not a sentence of the grammar."""

    why: str


@lru_cache(maxsize=1 << 17)
def read(sentence: str) -> Reading | Unreadable:
    """Read one sentence, with or without its full stop."""
    text = _bare(sentence)
    if len(text) > _LONGEST:
        return Unreadable(f"{text[:40]!r}… is longer than a sentence of the grammar can be")
    try:
        parser = Parser(text)
        return Reading(parser.sentence(), frozenset(parser.nouns))
    except Refused as refusal:
        return Unreadable(f"{text!r} is not a sentence of the grammar: {refusal}")


def read_thought(sentence: str) -> Reading | Unreadable:
    """Read a sentence of a proof: "Assume S" states S, "Since S, T" states T; any other is read as it stands."""
    text = _bare(sentence)
    if len(text) > _LONGEST:
        return read(text)
    if assumed := _ASSUMED.match(text):
        return read(text[assumed.end() :])
    if since := _SINCE.match(text):
        return _read_since(text, since.end())
    if _CONTRADICTION.match(text):
        return Unreadable(f"{text!r} states a contradiction and derives nothing by itself")
    return read(text)


def _read_since(text: str, start: int) -> Reading | Unreadable:
    """The reason ends at the one comma that has a sentence on either side."""
    found = []
    for comma in re.finditer(",", text[start:]):
        stated = read(text[start + comma.end() :])
        reason = read(text[start : start + comma.start()])
        if isinstance(stated, Reading) and isinstance(reason, Reading):
            found.append(stated)
    if len(found) == 1:
        return found[0]
    why = "it has more than one" if found else "it has no"
    return Unreadable(f"{text!r} is not a sentence of the grammar: {why} comma between two sentences")


def contradicted(sentence: str) -> Formula | None:
    """What "This contradicts with S" says to be contradicted; None for any other sentence."""
    text = _bare(sentence)
    found = _CONTRADICTION.match(text)
    reading = read(text[found.end() :]) if found else None
    return reading.formula if isinstance(reading, Reading) else None


def _bare(sentence: str) -> str:
    return sentence.strip().removesuffix(".").rstrip()


def say(formula: Formula, nouns: frozenset[str] | set[str]) -> str:
    """A sentence (first letter small unless it is a name, no full stop) that `read` reads back as the same formula.

    Errors: ValueError for a formula that no sentence of the grammar says.
    """
    sentence = sentence_for(formula, nouns)
    reading = read(sentence)
    if not isinstance(reading, Reading) or not same(reading.formula, formula):
        raise ValueError(f"no sentence says {formula}")
    return sentence
