"""The claim of a thought: the formula that it says it has derived, and the premises that it quotes.

Contract: the claim is the text after the last marker; without a marker it is the whole thought, maybe behind "Assume"
or "Since …,", if that is one sentence of the grammar, else there is none. Marked text that cannot be read is
`Unreadable`, never ignored. The text is read in the problem's language, where no predicate is a marker: `So(max)`.

Markers are so, therefore, hence, thus, consequently, accordingly; and, where a clause begins, "(we can) conclude,
derive, infer, deduce (that)", "it follows that" and "this means that"; "we know that" is one right behind another. One
behind a word or sign that denies it or makes it a part of something ("not so", "that therefore", `¬ hence`), and one in
a sentence that only supposes or denies ("if" without "then", would, perhaps, "it is false"), is none.

The thought of a CONCLUDE may also name the answer, marked or in its last sentence: "the answer is TRUE".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from unicodedata import category

from sokrates.logic import english
from sokrates.logic.answer import Answer
from sokrates.logic.english import Reading, Unreadable
from sokrates.logic.formulas import Formula
from sokrates.logic.language import Reader

Claim = Formula | Unreadable | None

_NOT = "n['’ʼ]t"
_VERB = "(?:conclude|derive|infer|deduce)"
_ADVERBS = "can|may|must|now|then|finally|also|safely"
_MARKER = re.compile(
    rf"""(?=[sthwicmnfado])(?<![\w'’ʼ-])(?:
        (?P<adverb>so|therefore|hence|thus|consequently|accordingly)
      | (?P<known>we\s+(?:know|have|get|see|find)(?:\s+that)?)
      | (?P<stated>(?:we|i|one)\s+(?:(?:{_ADVERBS}|therefore|thus|hence)[\s,]+){{0,4}}{_VERB}(?:\s+that)?
          | it\s+follows\s+that|(?:this|which)\s+means\s+that)
      | (?P<bare>(?:(?:{_ADVERBS})\s+){{0,4}}{_VERB}(?:\s+that)?)
    )(?![\w(]|-\w)[\s,:]*""",
    re.IGNORECASE | re.VERBOSE,
)
_SUPPOSING = re.compile(
    rf"""(?=[itupwmcysdfnoar])(?<![\w'’ʼ-])(?:(?P<if>if)|(?P<then>then)
      | (?P<supposed>unless|whether|perhaps|maybe|possibly|probably|suppos(?:e|ing)|assuming|provided|otherwise
          | den(?:y|ies)|doubts?|refuses?|false|wrong|impossible|incorrect|untrue|nonsense|never|nobody
          | (?:were|would|could|might)(?:{_NOT})?)
      | (?P<said>we|i|you|to|cannot|(?:can|may|must|should)(?:{_NOT})?)
    )(?![\w(]|-\w)
    | (?P<end>(?<![∀∃]\w)(?<!forall\ \w)(?<!exists\ \w)(?<!\bcf)(?<!\be\.g)(?<!\bi\.e)[.;!?](?=\s))""",
    re.IGNORECASE | re.VERBOSE,
)
"""What makes a sentence one that only supposes; who it says does or may do something; and where it ends."""
_SUPPOSED = (
    "if unless whether perhaps maybe possibly probably suppos assuming provided otherwise deny denies doubt refuse "
    "false wrong impossible incorrect untrue nonsense never nobody were would could might"
).split()
"""A thought with a sentence that only supposes, or denies what it goes on to say, has one of these somewhere in it."""

_DENYING = frozenset(
    "not never cannot cant dont isnt arent wasnt doesnt didnt wont no nor neither or xor iff implies that whether if "
    "unless then than to because is are was were be been being am do does did doing hardly scarcely barely think "
    "thinks believe believes hope hopes doubt doubts say says said when while although though without".split()
)
"""Words that deny a marker which stands directly behind them, or make it a part of something."""
_DENYING_SIGNS = frozenset("¬~!∧∨⊕→↔⇒⇔&|-><=≠([{\"'“‘«`^")
_WRAPPING = "()[]{}\"'“”‘’*_`"
_QUANTIFIED = re.compile(r"(?:[∀∃]|\b(?:forall|exists)\b) ?\w+(?: \w+)?\.?$")
_WINDOW = 60
"""How many characters before a marker are looked at; where no whole word is among them, it is none."""
_CLAUSE_BEGINS = re.compile(r"(?:^|[.;,:)]|\band)\s*\Z", re.IGNORECASE)
_NUMBER = re.compile(r"\d\s*\Z")

_FOR_CONTRADICTION = r"for (?:the sake of )?(?:a )?contradiction"
_ASSUMED = re.compile(
    rf"(?:(?:let us|let's|let’s|we|i) )?(?:assume|suppose)(?: that)?(?: {_FOR_CONTRADICTION}(?: that)?)?[:,]?\s+"
    rf"|{_FOR_CONTRADICTION}, (?:assume|suppose)(?: that)? |assumption: ",
    re.IGNORECASE,
)
_BY_RULE = re.compile(r"\(by [a-z _]+\)", re.IGNORECASE)
_BY_RULE_IN_FRONT = re.compile(r"by [a-z_]+(?: [a-z_]+)?, ", re.IGNORECASE)
_CITATION = re.compile(r"\((?:line|premise) (\d{1,9})\)", re.IGNORECASE)
_ANSWER = re.compile(
    r"""(?:i\ (?:think|believe)\ (?:that\ )?)?
        (?:it|this|(?:the\ )?(?:given\ )?(?:answer|conclusion|statement|claim))\ (?:is|must\ be):?[ ]
        (?:(?:therefore|thus|hence|then|clearly),?\ )?
        ["'*_`]*(?P<answer>true|false|unknown|uncertain|undetermined)["'*_`]*""",
    re.IGNORECASE | re.VERBOSE,
)
_NAMED = {"UNCERTAIN": Answer.UNKNOWN, "UNDETERMINED": Answer.UNKNOWN} | {answer.value: answer for answer in Answer}
_SENTENCE_ENDS = re.compile(r"(?<=[.!?;])\s+")
_QUOTE_AFTER = re.compile(r"\b(?:line|premise) (\d{1,9}) (?=\()", re.IGNORECASE)
_CONNECTIVE = re.compile(r"[\s,;]*(?:(?:and|since|because|from|as|given that|we know that)\s+)*", re.IGNORECASE)
_PARENTHESIS = re.compile("[()]")
_LONGEST_QUOTE = 1000


@lru_cache(maxsize=1 << 16)
def _parts(thought: str) -> tuple[str, str | None]:
    """What stands before the last marker, and behind it (None without a marker)."""
    last = max(_markers(thought), key=re.Match.start, default=None)
    return (thought, None) if last is None else (thought[: last.start()], _bare(thought[last.end() :]))


def _markers(thought: str) -> Iterator[re.Match[str]]:
    """The markers that are neither denied nor supposed; one directly behind another has the standing of that one."""
    sentence = _Sentence(thought)
    behind, stands = -1, False
    for marker in _MARKER.finditer(thought):
        if marker.start() != behind:
            stands = _stands(thought, marker, sentence)
        behind = marker.end()
        if stands:
            yield marker


class _Sentence:
    """What the sentence at a place in a thought has said so far; asked from left to right."""

    def __init__(self, thought: str) -> None:
        self._thought, self._place = thought, 0
        lowered = thought.lower()
        self.may_suppose = any(word in lowered for word in _SUPPOSED)
        self._begin()

    def _begin(self) -> None:
        self.supposes, self.says, self._ifs = False, False, 0

    def read_to(self, place: int) -> None:
        for found in _SUPPOSING.finditer(self._thought, self._place, place):
            match found.lastgroup:
                case "if":
                    self._ifs += 1
                case "then":
                    self._ifs = max(0, self._ifs - 1)
                case "supposed":
                    self.supposes = True
                case "said":
                    self.says = True
                case _:
                    self._begin()
        self._place = place

    @property
    def only_supposes(self) -> bool:
        return self.supposes or self._ifs > 0


def _stands(thought: str, marker: re.Match[str], sentence: _Sentence) -> bool:
    """Whether a marker that is behind no other one says that something is derived."""
    if marker["known"]:
        return False  # "we know that" leads to what is quoted, but for "so we know that"
    before = thought[max(0, marker.start() - _WINDOW) : marker.start()]
    if _denied(before, cut=marker.start() > _WINDOW):
        return False
    kind = marker.lastgroup
    if sentence.may_suppose or kind == "bare":
        sentence.read_to(marker.start())
        if sentence.only_supposes:
            return False
    if kind == "adverb" and not ("," in marker[0] or ":" in marker[0]):
        return True
    begins = _CLAUSE_BEGINS.search(before) is not None
    match kind:
        case "adverb":
            # "I doubt that it is so, Max is red": a "so" that ends its clause speaks of what was said before.
            return begins or marker["adverb"].lower() != "so"
        case "stated":
            return begins or _NUMBER.search(before) is not None
        case _:
            # "We cannot, of course, conclude that": only where nobody else is there to do it.
            return begins and not sentence.says


def _denied(before: str, *, cut: bool) -> bool:
    """Whether what stands directly before a marker denies it, or makes it a part of something."""
    if not before.isprintable() and any(category(character) == "Cf" for character in before):
        return True  # what nobody sees may stand between what is read and what is written
    words = before.replace(",", " ").replace(":", " ").split()
    if len(words) < 2 and (cut or not words):
        return cut
    last = words[-1].strip(_WRAPPING).casefold()
    return (
        words[-1][-1] in _DENYING_SIGNS
        or (last.isalpha() and not last.isascii())
        or last in _DENYING
        or last.endswith(("n't", "n’t", "nʼt"))
        or last.startswith("\\")
        or _QUANTIFIED.search(" ".join(words[-3:])) is not None
    )


def _bare(text: str) -> str:
    """Without the full stop, without a citation or the rule's name in brackets at the end, and without it in front."""
    text = text.strip().rstrip(".!;,: ")
    opening = text.rfind("(")
    if opening >= 0 and (_CITATION.fullmatch(text, opening) or _BY_RULE.fullmatch(text, opening)):
        text = text[:opening].rstrip()
    front = _BY_RULE_IN_FRONT.match(text)
    return text[front.end() :] if front else text


def _whole(thought: str) -> str:
    """What a thought without a marker states."""
    text = _bare(thought)
    assumed = _ASSUMED.match(text)
    return text[assumed.end() :] if assumed else text


@lru_cache(maxsize=1 << 16)
def claim_of(thought: str, read: Reader = english.read) -> Claim:
    """The claim of an inference step's thought."""
    _, marked = _parts(thought)
    if marked is not None:
        reading = read(marked)
    else:
        # A whole thought in English may also be "Since Max is a cat, Max is red".
        reading = (english.read_thought if read is english.read else read)(_whole(thought))
    if isinstance(reading, Reading):
        return reading.formula
    return None if marked is None else reading


@lru_cache(maxsize=1 << 16)
def concluded_of(thought: str, read: Reader = english.read) -> Answer | Claim:
    """What a CONCLUDE's thought claims: an answer by name, a formula, Unreadable, or None.

    Without a marker that is what its last sentence says, and only if it says nothing else: "It is hardly true" is None.
    """
    _, marked = _parts(thought)
    said = _SENTENCE_ENDS.split(_bare(thought))[-1] if marked is None else marked
    named = _ANSWER.fullmatch(said)
    if named:
        return _NAMED[named["answer"].upper()]
    return claim_of(said if marked is None else thought, read)


@lru_cache(maxsize=1 << 16)
def quotes(thought: str, read: Reader = english.read) -> tuple[tuple[int, Formula | None], ...]:
    """The lines that a thought quotes with their words: `Max is red (line 3)` or `premise 3 (Max is red)`.

    Gives (line, formula), the formula None where the quoted words are no sentence.
    """
    given, _ = _parts(thought)
    found = _quoted_after(given) or _quoted_before(given)
    return tuple((n, r.formula if isinstance(r := read(words), Reading) else None) for n, words in found)


def _quoted_after(given: str) -> list[tuple[int, str]]:
    """The words in the parentheses behind each citation; none that are very long, nor inside those of another."""
    citations = list(_QUOTE_AFTER.finditer(given))
    closing = _closing(given) if citations else {}
    found = []
    ended = 0
    for citation in citations:
        opened = citation.end()
        closed = closing.get(opened, 0)
        if opened >= ended and closed:
            ended = closed
            if 1 < closed - opened <= _LONGEST_QUOTE:
                found.append((int(citation.group(1)), given[opened + 1 : closed]))
    return found


def _closing(text: str) -> dict[int, int]:
    """Where each parenthesis is closed; those that are not are left out."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for parenthesis in _PARENTHESIS.finditer(text):
        if parenthesis.group() == "(":
            opened.append(parenthesis.start())
        elif opened:
            found[opened.pop()] = parenthesis.start()
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
