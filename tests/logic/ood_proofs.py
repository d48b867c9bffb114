"""The gold proofs of PrOntoQA-OOD's authors as steps of the options.

Contract: each sentence of a `chain_of_thought` that says nothing known becomes one step, and the kernel judges it.
"Assume S" opens a part of the proof that a blank line ends, as it ends parts that assume nothing; "This contradicts
with S" says of which lines the next sentence is the CONTRADICTION; "Since D, S" splits the cases of D, of which each
has been a part of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

from sokrates.logic.english import Reading, contradicted, read_thought
from sokrates.logic.formulas import Formula, Or, complement, conjuncts, disjuncts, same
from sokrates.logic.proof import Proof
from sokrates.logic.rules import CONCLUDE, RULES, Use
from sokrates.logic.theory import Theory
from sokrates.logic.verdict import Refusal, Verdict


class UntranslatedSentence(Exception):
    """No option says what a sentence of the authors says, from the lines that are known."""


class Translation:
    def __init__(self, theory: Theory) -> None:
        self.proof = Proof(theory)
        self.verdicts: list[Verdict] = []
        self._open: list[int] = []
        """The assumptions under which the sentences stand now."""
        self._closed: list[tuple[int, int]] = []
        """The assumption and the last line of each part that has ended."""
        self._clash: tuple[int, int] | None = None

    def sentence(self, text: str) -> None:
        """One sentence of the authors' proof."""
        if denied := contradicted(text):
            self._clash = self._line(denied), self._line(complement(denied))
            return
        reading = read_thought(text)
        if not isinstance(reading, Reading):
            raise UntranslatedSentence(f"{text!r}: {reading.why}")
        if text.startswith("Assume "):
            self._step("ASSUME", [], reading.formula)
            self._open.append(len(self.proof.lines) - 1)
            return
        if self._known(reading.formula) is None or self._clash:
            self._step(*self._justified(text, reading.formula), reading.formula)
        if text.endswith("\n\n") and self._open and self._clash is None:
            last = self._line(reading.formula)
            self._closed.append((self._open.pop(), last))
        self._clash = None

    def conclude(self) -> None:
        self.verdicts.append(self.proof.step(CONCLUDE, [0], None))

    def _justified(self, text: str, formula: Formula) -> tuple[str, list[int]]:
        """The option that gives the formula, and the lines it cites."""
        if self._clash:
            return "CONTRADICTION", [self._open.pop(), *self._clash]
        if text.startswith("Since "):
            return "CASE_SPLIT", self._cases(formula)
        for rule, numbers in self._candidates(formula):
            if self._gives(rule, numbers, formula):
                return rule, list(numbers)
        raise UntranslatedSentence(f"{text!r}: no option gives it")

    def _cases(self, result: Formula) -> list[int]:
        """A known disjunction, and for each of its sides the part that assumes it and ends with the result."""
        for number in self._visible():
            line = self.proof.lines[number]
            if isinstance(line, Or):
                parts = [self._part(side, result) for side in disjuncts(line)]
                if all(parts):
                    return [number, *(place for part in parts if part for place in part)]
        raise UntranslatedSentence(f"no disjunction has all its cases shown for {result}")

    def _part(self, side: Formula, result: Formula) -> tuple[int, int] | None:
        for assumption, last in self._closed:
            assumed, shown = self.proof.lines[assumption], self.proof.lines[last]
            if assumed and shown and same(assumed, side) and same(shown, result):
                return assumption, last
        return None

    def _candidates(self, formula: Formula) -> Iterator[tuple[str, Sequence[int]]]:
        visible = self._visible()
        for number in visible:
            yield "AND_ELIM", [number]
            yield "OR_INTRO", [number]
        for pair in permutations(visible, 2):
            yield "MODUS_PONENS", pair
        parts = [self._known(part) for part in conjuncts(formula)]
        if None not in parts:
            yield "AND_INTRO", [part for part in parts if part is not None]

    def _gives(self, rule: str, numbers: Sequence[int], formula: Formula) -> bool:
        cited = [line for number in numbers if (line := self.proof.lines[number]) is not None]
        try:
            results = RULES[rule].apply(Use(cited, formula, frozenset(), frozenset()))
        except Refusal:
            return False
        return any(same(result, formula) for result in results)

    def _visible(self) -> list[int]:
        """The lines that rest on open assumptions only, the last first."""
        still_open = set(self._open)
        lines = zip(self.proof.lines, self.proof.rests, strict=True)
        return [n for n, (line, rests) in enumerate(lines) if line is not None and rests <= still_open][::-1]

    def _known(self, formula: Formula) -> int | None:
        return next((n for n in self._visible() if same(self.proof.lines[n], formula)), None)  # type: ignore[arg-type]

    def _line(self, formula: Formula) -> int:
        number = self._known(formula)
        if number is None:
            raise UntranslatedSentence(f"no line says {formula}")
        return number

    def _step(self, rule: str, numbers: list[int], formula: Formula) -> None:
        self.verdicts.append(self.proof.step(rule, numbers, formula))


def translated(theory: Theory, sentences: Sequence[str]) -> Translation:
    """The whole proof, with its CONCLUDE."""
    translation = Translation(theory)
    for sentence in sentences:
        translation.sentence(sentence)
    translation.conclude()
    return translation
