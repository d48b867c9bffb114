"""The proof state: the only place where a step becomes valid.

Contract: lines are numbered as in the prompt, premises first; every step takes the next number whether it is valid or
not; only premises and valid steps can be cited; nothing is valid after CONCLUDE. Each line carries the assumptions that
it rests on (Lemmon, "Beginning Logic", 1965): discharging rules take theirs away, and CONCLUDE refuses a line with any.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sokrates.logic.answer import ANSWERS, Answer
from sokrates.logic.claim import Claim
from sokrates.logic.english import Unreadable
from sokrates.logic.formulas import Const, Formula, TooComplex, canonical, constants, measure, same, show
from sokrates.logic.rules import ASSUME, CONCLUDE, RULES, Rule, Use
from sokrates.logic.theory import Theory
from sokrates.logic.verdict import Reason, Refusal, Verdict

MOST_DEPTH, MOST_SIZE = 100, 2_000
"""How deeply a line's formula may be nested, and of how many parts it may be made: those of real proofs have tens."""

_ANYTHING = frozenset({Const("c")})


class Proof:
    """A proof under construction over a theory."""

    def __init__(self, theory: Theory) -> None:
        self.theory = theory
        self.lines: list[Formula | None] = list(theory.premises)
        """The formula of each line; None for steps that are invalid or derive nothing."""
        self.keys: list[Formula | None] = list(theory.keys)
        """The same in canonical form."""
        self.rests: list[frozenset[int]] = [frozenset()] * len(self.lines)
        """The numbers of the ASSUME lines that each line rests on."""
        self.answer: Answer | None = None
        """What the first CONCLUDE said, valid or not."""
        self._end: int | None = None
        """The number of the first CONCLUDE."""

    def step(self, option: str, args: Sequence[int], claim: Claim | Answer) -> Verdict:
        """Judge one step and give it the next line number. `option` is "" for an action that could not be read."""
        verdict, rests = self._tried(option, args, claim)
        self.lines.append(verdict.formula)
        self.keys.append(None if verdict.formula is None else canonical(verdict.formula))
        self.rests.append(rests)
        if option == CONCLUDE and self._end is None:
            self._end = len(self.lines) - 1
            if len(args) == 1 and 0 <= args[0] < len(ANSWERS):
                self.answer = ANSWERS[args[0]]
        return verdict

    def take_back(self) -> None:
        """Undo the last step, as if it had not been tried."""
        for kept in (self.lines, self.keys, self.rests):
            kept.pop()
        if self._end == len(self.lines):
            self._end, self.answer = None, None

    def applies(self, option: str, args: Sequence[int]) -> bool:
        """Whether some claim would make this a valid step. UNKNOWN is taken at its word where neither answer is proved.

        No entailment is asked: a CONCLUDE applies by the lines alone, so this tells nothing of the right answer.
        """
        try:
            if option == CONCLUDE:
                self._check_conclusion_applies(args)
                return True
            rule = self._rule(option)
            cited = self._cited(rule, args)
            fixed = self._fixed(self._still_open(rule, args))
            return rule.fits_any_line or bool(rule.apply(Use(cited, None, self.theory.constants or _ANYTHING, fixed)))
        except (Refusal, TooComplex):
            return False

    def stands(self, option: str, args: Sequence[int], claim: Claim | Answer) -> bool:
        """Whether a step with this claim is valid, without taking it; of CONCLUDE as `applies` sees it."""
        if option != CONCLUDE:
            return self._tried(option, args, claim)[0].valid
        if not self.applies(option, args):
            return False
        try:
            _check_concluded_claim(ANSWERS[args[0]], self.theory.goal(ANSWERS[args[0]]), claim)
        except Refusal:
            return False
        return True

    def branch(self) -> Proof:
        """A proof that goes on from here by itself."""
        other = Proof(self.theory)
        other.lines, other.keys, other.rests = [*self.lines], [*self.keys], [*self.rests]
        other.answer, other._end = self.answer, self._end
        return other

    def assumptions(self, numbers: Iterable[int]) -> list[Formula]:
        """What the lines with these numbers rest on; numbers of no line are passed over."""
        return self._formulas(sorted({a for n in numbers if 0 <= n < len(self.lines) for a in self.rests[n]}))

    def _tried(self, option: str, args: Sequence[int], claim: Claim | Answer) -> tuple[Verdict, frozenset[int]]:
        try:
            return self._judge(option, args, claim)
        except Refusal as refusal:
            return Verdict(False, None, refusal.reason, refusal.message), frozenset()
        except TooComplex as error:
            return Verdict(False, None, Reason.TOO_COMPLEX, str(error)), frozenset()

    def _judge(self, option: str, args: Sequence[int], claim: Claim | Answer) -> tuple[Verdict, frozenset[int]]:
        """The verdict on a step, and the assumptions that its line rests on."""
        if option == CONCLUDE:
            self._check_conclusion(args, claim)
            return Verdict(True), frozenset()
        rule = self._rule(option)
        cited = self._cited(rule, args)
        rests = self._still_open(rule, args)
        if isinstance(claim, Unreadable):
            raise Refusal(Reason.CLAIM_UNREADABLE, claim.why)
        if isinstance(claim, Answer):
            raise Refusal(Reason.CLAIM_UNREADABLE, "an inference step claims a formula, not an answer")
        if claim is not None:
            _check_size(claim)
        results = rule.apply(Use(cited, claim, self.theory.constants, self._fixed(rests)))
        formula = _pick(rule, results, claim)
        _check_size(formula)
        return Verdict(True, formula), rests | {len(self.lines)} if rule.name == ASSUME else rests

    def _check_goes_on(self) -> None:
        if self._end is not None:
            raise Refusal(Reason.AFTER_CONCLUSION, "the proof ended with CONCLUDE")

    def _rule(self, option: str) -> Rule:
        self._check_goes_on()
        if not option:
            raise Refusal(
                Reason.UNREADABLE_ACTION, 'expected an action like <Option type="MODUS_PONENS" args="[0, 3]" />'
            )
        rule = RULES.get(option)
        if rule is None:
            raise Refusal(Reason.UNKNOWN_RULE, f"there is no rule {option[:40]!r}")
        return rule

    def _cited(self, rule: Rule, args: Sequence[int]) -> list[Formula]:
        if not rule.least <= len(args) <= rule.most:
            wanted = f"{rule.least}" if rule.most == rule.least else f"{rule.least} to {rule.most}"
            raise Refusal(Reason.ARGUMENT_COUNT, f"{rule.name} takes {wanted} lines, not {len(args)}")
        cited = []
        for number in args:
            if not 0 <= number < len(self.lines):
                raise Refusal(
                    Reason.NO_SUCH_LINE, f"there is no line {_shown(number)}; the last is {len(self.lines) - 1}"
                )
            line = self.lines[number]
            if line is None:
                raise Refusal(Reason.INVALID_LINE, f"line {number} was not proved")
            cited.append(line)
        return cited

    def _still_open(self, rule: Rule, args: Sequence[int]) -> frozenset[int]:
        """The assumptions that the result rests on: those of the cited lines, but for what the rule discharges."""
        discharges = rule.discharges(len(args))
        if not discharges:
            return frozenset().union(*(self.rests[number] for number in args))
        for place in (discharge.assumption for discharge in discharges):
            if args[place] not in self.rests[args[place]]:
                raise Refusal(
                    Reason.NOT_AN_ASSUMPTION, f"line {args[place]} was not assumed, so {rule.name} cannot use it"
                )
        assumed = {discharge.assumption for discharge in discharges}
        still_open: set[int] = set()
        for place, number in enumerate(args):
            if place not in assumed:
                discharged = {args[d.assumption] for d in discharges if place in d.over}
                still_open |= self.rests[number] - discharged
        return frozenset(still_open)

    def _fixed(self, rests: frozenset[int]) -> frozenset[Const]:
        """The constants that stand for no arbitrary thing in a line that rests on these assumptions."""
        fixed = self.theory.premise_constants
        return fixed.union(*(constants(line) for line in self._formulas(rests))) if rests else fixed

    def _formulas(self, numbers: Iterable[int]) -> list[Formula]:
        return [line for number in numbers if (line := self.lines[number]) is not None]

    def _check_conclusion(self, args: Sequence[int], claim: Claim | Answer) -> None:
        answer = self._answer(args)
        if self.theory.conclusion is None:
            raise Refusal(Reason.UNDECIDED, "the problem gives no formula for its conclusion")
        goal = self.theory.goal(answer)
        _check_concluded_claim(answer, goal, claim)
        if goal is None:
            self._check_unknown()
        else:
            self._check_proved(goal)

    def _check_conclusion_applies(self, args: Sequence[int]) -> None:
        goal = self.theory.goal(self._answer(args))
        if goal is not None:
            self._check_proved(goal)
        elif self.theory.conclusion is None:
            if args[0] != ANSWERS.index(Answer.UNKNOWN):
                raise Refusal(Reason.UNDECIDED, "the problem gives no formula for its conclusion")
        elif self._is_proved(Answer.TRUE) or self._is_proved(Answer.FALSE):
            raise Refusal(Reason.NOT_UNKNOWN, "an answer is proved")

    def _answer(self, args: Sequence[int]) -> Answer:
        """The answer that a CONCLUDE gives."""
        self._check_goes_on()
        if len(args) != 1:
            raise Refusal(Reason.ARGUMENT_COUNT, f"CONCLUDE takes one argument, not {len(args)}")
        if not 0 <= args[0] < len(ANSWERS):
            raise Refusal(
                Reason.NO_SUCH_LINE, f"CONCLUDE takes 0 (TRUE), 1 (FALSE) or 2 (UNKNOWN), not {_shown(args[0])}"
            )
        return ANSWERS[args[0]]

    def _check_proved(self, goal: Formula) -> None:
        key = canonical(goal)
        found = [rests for line, rests in zip(self.keys, self.rests, strict=True) if line == key]
        if not found:
            raise Refusal(Reason.NOT_PROVED, f"no line says {show(goal)}")
        if all(found):
            still_open = min(found[0])
            raise Refusal(Reason.OPEN_ASSUMPTION, f"{show(goal)} still rests on the assumption in line {still_open}")

    def _is_proved(self, answer: Answer) -> bool:
        goal = self.theory.goal(answer)
        assert goal is not None
        key = canonical(goal)
        return any(line == key and not rests for line, rests in zip(self.keys, self.rests, strict=True))

    def _check_unknown(self) -> None:
        for answer in (Answer.TRUE, Answer.FALSE):
            goal = self.theory.goal(answer)
            assert goal is not None
            entailed = self.theory.entails(goal)
            if entailed:
                raise Refusal(Reason.NOT_UNKNOWN, f"the premises entail {show(goal)}")
            if entailed is None:
                raise Refusal(Reason.UNDECIDED, f"whether the premises entail {show(goal)} is not decided")


def _check_concluded_claim(answer: Answer, goal: Formula | None, claim: Claim | Answer) -> None:
    if claim is None:
        return
    if isinstance(claim, Unreadable):
        raise Refusal(Reason.CLAIM_UNREADABLE, claim.why)
    if isinstance(claim, Answer):
        agrees = claim is answer
    else:
        _check_size(claim)
        agrees = goal is not None and same(claim, goal)
    if not agrees:
        said = claim.value if isinstance(claim, Answer) else show(claim)
        raise Refusal(Reason.CLAIM_DIFFERS, f"the thought says {said}, the action {answer.value}")


def _shown(number: int) -> str:
    """A number in a message; Python refuses to write out one of thousands of digits."""
    return str(number) if abs(number) < 10**12 else "so large"


def _check_size(formula: Formula) -> None:
    found = measure(formula)
    if found.depth > MOST_DEPTH or found.size > MOST_SIZE:
        raise Refusal(
            Reason.TOO_COMPLEX, f"a formula of {found.size} parts, {found.depth} deep, is more than a line may hold"
        )


def _pick(rule: Rule, results: Sequence[Formula], claim: Formula | None) -> Formula:
    """The result that the step claims; without a claim, the only one."""
    if claim is None:
        if len(results) != 1:
            raise Refusal(Reason.CLAIM_MISSING, f"{rule.name} leaves open which of {len(results)} results is meant")
        return results[0]
    key = canonical(claim)
    for result in results:
        if canonical(result) == key:
            return claim
    given = " or ".join(show(result) for result in results[:3])
    raise Refusal(Reason.CLAIM_DIFFERS, f"{rule.name} gives {given}, the thought claims {show(claim)}")
