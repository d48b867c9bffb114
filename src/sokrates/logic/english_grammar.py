"""The parser of controlled English: one pass over the words, left to right, without backtracking.

Contract: `Parser(text).sentence()` is the formula, or raises `Refused` with the reason. `english` states the grammar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sokrates.logic.english_words import (
    ADJECTIVES,
    BASES,
    COMPOUNDS,
    PLURAL_VERBS,
    RESERVED,
    THIRD_PERSON,
    VERBS,
    can_be_plural,
    singular,
)
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
    flat_parts,
    joined,
)

_X = Var("x")
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*|\d+")
_PRONOUNS = {"something": ("it", "it"), "someone": ("they", "them")}
"""What speaks of something or someone again, as a subject and as an object."""

_THING, _PHRASE, _CLAUSE = "thing", "verb phrase", "clause"


class Refused(Exception):
    """Why a text is not a sentence of the grammar."""


@dataclass(frozen=True, slots=True)
class _Joint:
    """A comma, an "and" or "or", or both, and the kind of thing that it adds."""

    word: str
    kind: str
    width: int


@dataclass(slots=True)
class _Side:
    """What is said by the whole of a fact, or on one side of a universal or a conditional.

    With `clauses`, it may go on to speak of somebody else.
    """

    clauses: bool = False
    parts: list[Formula] = field(default_factory=list)
    joints: list[_Joint] = field(default_factory=list)

    def formula(self) -> Formula:
        words = {joint.word for joint in self.joints} - {""}
        if len(words) > 1:
            raise Refused("'and' and 'or' stand together without a grouping")
        kind = Or if words == {"or"} else And
        self._check_commas(kind)
        self._check_adjectives(kind)
        return joined(kind, [leaf for part in self.parts for leaf in flat_parts(part, kind)])

    def _check_commas(self, kind: type[And] | type[Or]) -> None:
        """A list "A, B, and C" has parts of one kind. Only for things under ∧ does it not matter where a list ends."""
        commas = [joint for joint in self.joints if not joint.word]
        if not commas or (kind is And and all(comma.kind == _THING for comma in commas)):
            return
        *others, last = self.joints
        if not last.word or len(commas) < len(others) or any(joint.kind != last.kind for joint in others):
            raise Refused("the commas make no list that ends in one 'and' or 'or'")

    def _check_adjectives(self, kind: type[And] | type[Or]) -> None:
        """In "a hot impus or wumpus" the adjective may go with both."""
        described = any(isinstance(part.body if isinstance(part, Not) else part, And) for part in self.parts)
        if kind is Or and described and any(joint.kind == _THING for joint in self.joints):
            raise Refused("how far an adjective reaches in a list with 'or' is not clear")


class Parser:
    """The words of one sentence and how far they are read; `nouns` gathers the predicates that stood as nouns."""

    def __init__(self, text: str) -> None:
        self._words = _words(text)
        self._lowered = [word.lower() for word in self._words]
        self._at = 0
        self._pronouns: tuple[str, str] | None = None
        self._reaching = ""  # the words before that reach to the end of the sentence
        self.nouns: set[str] = set()

    def sentence(self) -> Formula:
        denials = 0
        while self._accept("it", "is", "not", "the", "case", "that"):
            denials += 1
            self._reaching = "it is not the case that"
        formula = self._statement()
        if self._ahead():
            raise Refused(f"{self._words[self._at]!r} does not fit where it stands")
        for _ in range(denials):
            formula = Not(formula)
        return formula

    # What comes next.

    def _ahead(self, offset: int = 0) -> str:
        at = self._at + offset
        return self._lowered[at] if at < len(self._lowered) else ""

    def _accept(self, *words: str) -> bool:
        found = self._lowered[self._at : self._at + len(words)] == list(words)
        if found:
            self._at += len(words)
        return found

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise Refused(f"expected {word!r}, found {self._found()}")

    def _found(self) -> str:
        return repr(self._words[self._at]) if self._ahead() else "the end"

    # Statements.

    def _statement(self) -> Formula:
        first = self._ahead()
        if self._accept("if"):
            return self._conditional()
        if first in ("every", "each", "all", "no"):
            return self._quantified()
        if self._accept("everything", "that"):
            return self._universal(self._side(_X, plural=False))
        if first != "the" and self._first_verb() in PLURAL_VERBS:
            return self._universal(self._kind(plural=True, bare=True))
        return self._facts()

    def _conditional(self) -> Formula:
        self._pronouns = _PRONOUNS.get(self._ahead())
        indefinite = self._pronouns is not None
        if indefinite:
            self._at += 1
        condition = self._side(_X, plural=False, clauses=True) if indefinite else self._facts()
        self._accept(",")
        self._expect("then")
        self._reaching = "then"
        body = Implies(condition, self._facts())
        return Forall(_X, body) if indefinite else body

    def _quantified(self) -> Formula:
        determiner = self._ahead()
        self._at += 1
        if determiner != "no":
            return self._universal(self._kind(plural=determiner == "all"))
        antecedent = self._kind(plural=self._first_verb() in PLURAL_VERBS)
        denied = _Side()
        self._phrase(denied, _X, None)
        if len(denied.parts) > 1 or isinstance(denied.parts[0], Not):
            raise Refused("'no' goes with one thing that is not negated")
        return Forall(_X, Implies(antecedent, Not(denied.parts[0])))

    def _universal(self, antecedent: Formula) -> Formula:
        return Forall(_X, Implies(antecedent, self._side(_X, plural=None)))

    def _facts(self) -> Formula:
        return self._side(*self._subject(), clauses=True)

    def _first_verb(self) -> str:
        return next((word for word in self._lowered[self._at :] if word in VERBS), "")

    def _side(self, term: Term, plural: bool | None, *, clauses: bool = False) -> Formula:
        """Verb phrases of one subject, and with `clauses` of others. Any verb agrees with a subject of plural None."""
        side = _Side(clauses)
        self._phrase(side, term, plural)
        while joint := self._joint(side):
            if joint.kind == _THING:
                raise Refused("only what is said with 'is' or 'are' can be a list")
            if self._reaching and self._ahead() == ",":
                raise Refused(f"whether {self._reaching!r} reaches beyond the comma is not clear")
            self._pass(joint, side)
            if joint.kind == _CLAUSE:
                term, plural = self._subject()
            self._phrase(side, term, plural)
        return side.formula()

    def _joint(self, side: _Side) -> _Joint | None:
        """The comma, "and" or "or" that stands next, if any."""
        comma = self._ahead() == ","
        joining = self._ahead(int(comma)) in ("and", "or")
        if not (comma or joining) or self._ahead(1) == "then":
            return None
        width = comma + joining
        following, after = self._ahead(width), self._ahead(width + 1)
        kind = _THING
        if following in VERBS:
            kind = _PHRASE
        elif side.clauses and (following in ("the", "it", "they") or after in VERBS):
            kind = _CLAUSE
        return _Joint(self._ahead(width - 1) if joining else "", kind, width)

    def _pass(self, joint: _Joint, side: _Side) -> None:
        side.joints.append(joint)
        self._at += joint.width

    # Whom a clause speaks of.

    def _subject(self) -> tuple[Term, bool]:
        """A name, or the pronoun of the sentence; and whether its verb is a plural."""
        pronoun = self._ahead()
        if self._pronouns and self._accept(self._pronouns[0]):
            return _X, pronoun == "they"
        return self._name(), False

    def _object(self, subject: Term) -> Term:
        # "It likes it" would have to be "it likes itself".
        if self._pronouns and subject != _X and self._accept(self._pronouns[1]):
            return _X
        return self._name()

    def _name(self) -> Const:
        if self._accept("the"):
            return self._definite()
        word = self._words[self._at] if self._ahead() else ""
        if not word or not (word[0].isupper() or word.isdigit()) or not _is_word(word):
            raise Refused(f"expected a name, found {self._found()}")
        self._at += 1
        return Const(word)

    def _definite(self) -> Const:
        noun, _ = self._spelled()
        if singular(noun) != noun or noun in ADJECTIVES:
            raise Refused(f"'the {noun}' does not name one thing")
        return Const(noun.replace(" ", "_"))

    # What is said of it.

    def _phrase(self, side: _Side, term: Term, plural: bool | None) -> None:
        verb = self._ahead()
        if verb not in VERBS:
            raise Refused(f"expected a verb, found {self._found()}")
        if plural is not None and plural != (verb in PLURAL_VERBS):
            raise Refused(f"{verb!r} does not agree with its subject")
        self._at += 1
        if verb in ("is", "are"):
            self._things(side, term, plural=verb == "are")
        elif verb in ("does", "do"):
            self._expect("not")
            verb = self._ahead()
            if verb != "belong" and verb not in THIRD_PERSON:
                raise Refused(f"expected a verb, found {self._found()}")
            self._at += 1
            side.parts.append(Not(self._relation(verb, term)))
        else:
            side.parts.append(self._relation(verb, term))

    def _relation(self, verb: str, term: Term) -> Formula:
        if verb in ("belongs", "belong"):
            self._expect("to")
            return Atom(self._noun(plural=True), (term,))
        return Atom(BASES.get(verb, verb), (term, self._object(term)))

    def _things(self, side: _Side, term: Term, *, plural: bool) -> None:
        """One thing, or a list of them. A "not" reaches no further than its thing, so what follows must be plain."""
        negated = leading = self._accept("not")
        side.parts.append(_denied(negated, self._thing(term, plural=plural)))
        while (joint := self._joint(side)) and joint.kind == _THING:
            self._pass(joint, side)
            again = self._accept("not")
            if leading or (negated and not again):
                raise Refused("how far 'not' reaches in the list is not clear")
            negated = again
            side.parts.append(_denied(negated, self._thing(term, plural=plural)))

    def _thing(self, term: Term, *, plural: bool) -> Formula:
        article = self._accept("a") or self._accept("an")
        adjectives = self._adjectives(several=article) if article or plural else []
        if article or adjectives:
            bare = not article
            noun = self._noun(plural=plural and bare, bare=bare)
        else:
            noun = self._bare(plural=plural)
        return _all_of([*adjectives, noun], term)

    def _kind(self, *, plural: bool, bare: bool = False) -> Formula:
        """The subject of a universal: a noun with or without adjectives, or adjectives with "things"."""
        names = self._adjectives(several=True)
        if names and self._ahead() in (("things", "people") if plural else ("thing", "person")):
            self._at += 1
        else:
            names.append(self._noun(plural=plural, bare=bare))
        return _all_of(names, _X)

    def _adjectives(self, *, several: bool) -> list[str]:
        """The adjectives before a noun, with commas between them ("bright red" may be one); none without a noun."""
        found: list[str] = []
        at = 0
        while self._ahead(at) in ADJECTIVES:
            found.append(self._ahead(at))
            if several and self._ahead(at + 1) == "," and self._ahead(at + 2) in ADJECTIVES:
                at += 2
                continue
            noun = self._ahead(at + 1)
            if noun in ADJECTIVES or not (_is_word(noun) or noun in ("thing", "things", "person", "people")):
                return []
            self._at += at + 1
            return found
        return []

    def _noun(self, *, plural: bool, bare: bool = False) -> str:
        """A noun; one that has no article and no "all" must show that it is a plural."""
        spelled, _ = self._spelled()
        if bare and not can_be_plural(spelled):
            raise Refused(f"{spelled!r} is not a plural")
        name = (singular(spelled) if plural else spelled).replace(" ", "_")
        self.nouns.add(name)
        return name

    def _bare(self, *, plural: bool) -> str:
        """A word that may be an adjective or a noun; only a name begins with a capital."""
        spelled, written = self._spelled()
        compound = " " in spelled
        if written[0].isupper() and not compound:
            raise Refused(f"{written!r} is a name, not a noun or an adjective")
        name = (singular(spelled) if plural else spelled).replace(" ", "_")
        if compound or name != spelled:
            self.nouns.add(name)
        return name

    def _spelled(self) -> tuple[str, str]:
        """The next word or compound noun, in small letters and as it is written."""
        two = " ".join(self._lowered[self._at : self._at + 2])
        width = 2 if {two, singular(two)} & COMPOUNDS else 1
        if not _is_word(self._ahead()) or self._ahead().isdigit():
            raise Refused(f"expected a noun or an adjective, found {self._found()}")
        written = " ".join(self._words[self._at : self._at + width])
        self._at += width
        return written.lower(), written


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
            raise Refused(f"unexpected character {text[position]!r}")
    if not words:
        raise Refused("it is empty")
    return words


def _is_word(word: str) -> bool:
    """Whether it may be a name, a noun or an adjective. "Max's" and "isn't" are more than one word."""
    lowered = word.lower()
    return bool(word) and word != "," and lowered not in RESERVED and not lowered.endswith(("'s", "'", "n't"))


def _all_of(names: list[str], term: Term) -> Formula:
    return joined(And, [Atom(name, (term,)) for name in names])


def _denied(negated: bool, formula: Formula) -> Formula:
    return Not(formula) if negated else formula
