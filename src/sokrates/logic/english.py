"""Controlled English: the sentences of PrOntoQA's templates, to formulas and back.

Contract: `read` gives the one formula that a sentence of the grammar says, or a reason why it is not such a sentence;
it never guesses. `say` writes a formula as a sentence that `read` reads back as the same formula. Predicates are named
by their singular words, so "Max is a red" and "Max is red" say the same thing; "Sally is numpus" is read without its
article.

    sentence    = ["it is not the case that"] clause
    clause      = fact | universal
    fact        = Name verb-phrase { "and" [Name] verb-phrase }
    universal   = ("every" | "each") noun verb-phrase… | ["all"] nouns verb-phrase… | "no" noun "is" thing
               | "everything that" verb-phrase verb-phrase…
    verb-phrase = ("is" | "are") ["not"] thing | ("is" | "are") thing { ("," | "and") thing }
               | "belongs to" nouns | "does not belong to" nouns

It does not know word senses: an adjective and a noun spelled alike are one predicate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from sokrates.logic.formulas import And, Atom, Const, Forall, Formula, Implies, Not, Term, Var, complement, conjuncts

_NUMBERS = "real natural prime even odd composite whole rational complex imaginary negative positive"
COMPOUNDS = frozenset({f"{kind} number" for kind in _NUMBERS.split()} | {"mersenne prime", "painted lady"})
"""The multi-word nouns of PrOntoQA's true and false ontologies (Saparov and He, 2023)."""

_CAPITALISED = {"mersenne_prime": "Mersenne prime"}
_X = Var("x")
_RESERVED = frozenset(
    "a an the is are not and or if then that every each all no everything it belongs belong does do to so "
    "therefore hence thus some something nothing this since assume either neither nor but because he she they we "
    "you who which what these those such most many few only".split()
)
_VERBS = ("is", "are", "belongs", "belong", "does", "do")
_PLURAL_VERBS = ("are", "belong", "do")
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*|\d+")
_IRREGULAR_SINGULAR = frozenset({"sheep", "bacteria"})


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sentence says; `nouns` are its predicates that stood as nouns, which is what `say` needs to know."""

    formula: Formula
    nouns: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a text is not a sentence of the grammar."""

    why: str


class _Refused(Exception):
    pass


@lru_cache(maxsize=1 << 17)
def read(sentence: str) -> Reading | Unreadable:
    """Read one sentence, with or without its full stop."""
    text = sentence.strip().removesuffix(".").rstrip()
    if len(text) > 1000:
        return Unreadable(f"{text[:40]!r}… is longer than a sentence of the grammar can be")
    try:
        words = _words(text)
        nouns: set[str] = set()
        return Reading(_sentence(words, nouns), frozenset(nouns))
    except _Refused as refusal:
        return Unreadable(f"{text!r} is not a sentence of the grammar: {refusal}")


def _words(text: str) -> list[str]:
    words = []
    position = 0
    while position < len(text):
        if text[position] == " ":
            position += 1
        elif text[position] == ",":
            words.append(",")
            position += 1
        elif found := _WORD.match(text, position):
            words.append(found.group())
            position = found.end()
        else:
            raise _Refused(f"unexpected character {text[position]!r}")
    if not words:
        raise _Refused("it is empty")
    return words


def _sentence(words: list[str], nouns: set[str]) -> Formula:
    if [w.lower() for w in words[:6]] == ["it", "is", "not", "the", "case", "that"]:
        return Not(_sentence(words[6:], nouns))
    return _clause(words, nouns)


def _clause(words: list[str], nouns: set[str]) -> Formula:
    if not words:
        raise _Refused("a clause is missing")
    first = words[0].lower()
    if first in ("every", "each", "all", "no"):
        subject, rest = _split_at_verb(words[1:], words[0])
        plural = first == "all" or (first == "no" and rest[0].lower() in _PLURAL_VERBS)
        noun = _noun(subject, nouns, plural=plural)
        return _universal(Atom(noun, (_X,)), rest, nouns, negated=first == "no")
    if first == "everything" and len(words) > 2 and words[1].lower() == "that":
        subject, rest = _split_at_second_verb(words[2:])
        return _universal(_predication(_X, subject, nouns), rest, nouns)
    subject, rest = _split_at_verb(words, "the sentence")
    if rest[0].lower() in _PLURAL_VERBS:
        return _universal(Atom(_noun(subject, nouns, plural=True), (_X,)), rest, nouns)
    return _fact(subject, rest, nouns)


def _fact(subject: list[str], rest: list[str], nouns: set[str]) -> Formula:
    term = _named(subject)
    parts: list[Formula] = []
    for phrase in _split_phrases(rest, names=True):
        if phrase[0].lower() not in _VERBS:
            # "Max is red and Sally is kind": from here on it speaks of Sally.
            term, phrase = _named(phrase[:1]), phrase[1:]
        parts.append(_verb_phrase(term, phrase, nouns))
    return _conjoin(parts)


def _named(subject: list[str]) -> Const:
    if len(subject) != 1 or not (subject[0][0].isupper() or subject[0].isdigit()) or subject[0].lower() in _RESERVED:
        raise _Refused(f"{' '.join(subject)!r} is not a name, nor 'every', 'each', 'all' or 'no' with a noun")
    return Const(subject[0])


def _universal(antecedent: Formula, rest: list[str], nouns: set[str], negated: bool = False) -> Formula:
    consequent = _predication(_X, rest, nouns)
    if negated:
        if isinstance(consequent, Not | And):
            raise _Refused("'no' goes with one thing that is not negated")
        consequent = Not(consequent)
    return Forall(_X, Implies(antecedent, consequent))


def _predication(term: Term, words: list[str], nouns: set[str]) -> Formula:
    return _conjoin([_verb_phrase(term, phrase, nouns) for phrase in _split_phrases(words, names=False)])


def _conjoin(parts: list[Formula]) -> Formula:
    flat = tuple(leaf for part in parts for leaf in conjuncts(part))
    return flat[0] if len(flat) == 1 else And(flat)


def _split_phrases(words: list[str], *, names: bool) -> list[list[str]]:
    """Cut at each "and" that begins a new verb phrase or, with `names`, a name and its verb phrase.

    An "and" between two things stays inside its phrase.
    """
    lowered = [word.lower() for word in words]
    if "and" not in lowered:
        return [words]
    phrases: list[list[str]] = [[]]
    for index, word in enumerate(words):
        following = lowered[index + 1 : index + 3]
        starts_phrase = following[:1] and following[0] in _VERBS
        starts_clause = names and following[1:] and following[1] in ("is", "belongs", "does")
        if lowered[index] == "and" and (starts_phrase or starts_clause):
            phrases.append([])
        else:
            phrases[-1].append(word)
    if not all(phrases):
        raise _Refused("nothing stands before 'and'")
    return phrases


def _verb_phrase(term: Term, words: list[str], nouns: set[str]) -> Formula:
    verb, rest = words[0].lower(), words[1:]
    if verb in ("does", "do"):
        if [w.lower() for w in rest[:3]] != ["not", "belong", "to"]:
            raise _Refused(f"{words[0]!r} is not followed by 'not belong to'")
        return Not(Atom(_noun(rest[3:], nouns, plural=True), (term,)))
    if verb in ("belongs", "belong"):
        if rest[:1] != ["to"]:
            raise _Refused(f"{words[0]!r} is not followed by 'to'")
        return Atom(_noun(rest[1:], nouns, plural=True), (term,))
    if verb not in ("is", "are"):
        raise _Refused(f"expected 'is' or 'are', found {words[0]!r}")
    plural = verb == "are"
    if rest and rest[0].lower() == "not":
        return Not(_thing(term, rest[1:], nouns, plural))
    return _conjoin([_thing(term, thing, nouns, plural) for thing in _split_things(rest)])


def _split_things(words: list[str]) -> list[list[str]]:
    things: list[list[str]] = [[]]
    for word in words:
        if word.lower() in (",", "and"):
            if things[-1]:
                things.append([])
        else:
            things[-1].append(word)
    return things


def _thing(term: Term, words: list[str], nouns: set[str], plural: bool) -> Formula:
    """A noun phrase with its article, or a bare adjective or noun, said of the term."""
    if words and words[0].lower() in ("a", "an"):
        return Atom(_noun(words[1:], nouns, plural=False), (term,))
    spelled = _phrase(words)
    name = singular(spelled) if plural else spelled
    if name != spelled or name.replace("_", " ") in COMPOUNDS:
        nouns.add(name)
    return Atom(name, (term,))


def _noun(words: list[str], nouns: set[str], *, plural: bool) -> str:
    name = _phrase(words)
    name = singular(name) if plural else name
    nouns.add(name)
    return name


def _phrase(words: list[str]) -> str:
    if not words:
        raise _Refused("a word is missing")
    for word in words:
        if word.lower() in _RESERVED or word == "," or word.isdigit():
            raise _Refused(f"{word!r} cannot stand in {' '.join(words)!r}")
    spelled = " ".join(words).lower()
    if len(words) > 1 and not {spelled, singular(spelled)} & COMPOUNDS:
        raise _Refused(f"{spelled!r} is not one word, nor a compound noun that is known")
    return spelled.replace(" ", "_")


def _split_at_verb(words: list[str], after: str) -> tuple[list[str], list[str]]:
    for index, word in enumerate(words):
        if word.lower() in _VERBS:
            if index == 0:
                raise _Refused(f"no subject stands before {word!r}")
            return words[:index], words[index:]
    raise _Refused(f"{after!r} has no 'is' or 'are'")


def _split_at_second_verb(words: list[str]) -> tuple[list[str], list[str]]:
    verbs = [i for i, word in enumerate(words) if word.lower() in ("is", "are", "belongs", "does")]
    if len(verbs) < 2 or verbs[0] != 0:
        raise _Refused("'everything that' needs two verbs")
    return words[: verbs[1]], words[verbs[1] :]


def singular(noun: str) -> str:
    """The singular of a noun that may be plural; adjectives in -ous and -ss and nouns in -us stay as they are."""
    if noun in _IRREGULAR_SINGULAR or noun.endswith(("us", "ss")) or not noun.endswith("s") or len(noun) < 3:
        return noun
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    if noun.endswith(("uses", "sses", "xes", "ches", "shes")):
        return noun[:-2]
    return noun[:-1]


def say(formula: Formula, nouns: frozenset[str] | set[str]) -> str:
    """A sentence (first letter small unless it is a name, no full stop) that `read` reads back as the same formula.

    Errors: ValueError for a formula that no sentence of the grammar says.
    """
    match formula:
        case Forall(var, Implies(antecedent, consequent)):
            if isinstance(antecedent, Atom) and antecedent.predicate in nouns:
                subject = f"every {_spell(antecedent.predicate)}"
            elif isinstance(antecedent, Atom | Not):
                subject = f"everything that {_say_literal(antecedent, var, nouns)}"
            else:
                raise ValueError(f"no sentence for {formula}")
            return f"{subject} {_say_phrases(consequent, var, nouns)}"
        case Not(Not() | And() | Forall() as body):
            return f"it is not the case that {say(body, nouns)}"
        case Atom(_, (Const() as subject_term,)) | Not(Atom(_, (Const() as subject_term,))):
            return f"{subject_term.name} {_say_phrases(formula, subject_term, nouns)}"
        case And():
            parts = conjuncts(formula)
            if all(isinstance(p, Atom) or (isinstance(p, Not) and isinstance(p.body, Atom)) for p in parts):
                return " and ".join(say(part, nouns) for part in parts)
    raise ValueError(f"no sentence for {formula}")


def _say_phrases(formula: Formula, term: Term, nouns: frozenset[str] | set[str]) -> str:
    return " and ".join(_say_literal(part, term, nouns) for part in conjuncts(formula))


def _say_literal(formula: Formula, term: Term, nouns: frozenset[str] | set[str]) -> str:
    atom = complement(formula) if isinstance(formula, Not) else formula
    if not isinstance(atom, Atom) or atom.args != (term,):
        raise ValueError(f"no phrase for {formula}")
    spelled = _spell(atom.predicate)
    article = ("an " if spelled[0] in "aeiou" else "a ") if atom.predicate in nouns else ""
    return f"is {'not ' if isinstance(formula, Not) else ''}{article}{spelled}"


def _spell(predicate: str) -> str:
    return _CAPITALISED.get(predicate, predicate.replace("_", " "))
