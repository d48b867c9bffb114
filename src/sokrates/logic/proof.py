"""The proof state: the only place where a step becomes valid.

Contract: lines are numbered as in the prompt, premises first; every step takes the next number whether it is valid or
not; only premises and valid steps can be cited; nothing is valid after CONCLUDE.
"""

from __future__ import annotations

from collections.abc import Sequence

from sokrates.logic.answer import ANSWERS, Answer
from sokrates.logic.claim import Claim
from sokrates.logic.english import Unreadable
from sokrates.logic.formulas import Formula, canonical, complement, same, show
from sokrates.logic.rules import CONCLUDE, RULES, Rule
from sokrates.logic.theory import Theory
from sokrates.logic.verdict import Reason, Refusal, Verdict


class Proof:
    """A proof under construction over a theory."""

    def __init__(self, theory: Theory) -> None:
        self.theory = theory
        self.lines: list[Formula | None] = list(theory.premises)
        """The formula of each line; None for steps that are invalid or derive nothing."""
        self.keys: list[Formula | None] = list(theory.keys)
        """The same in canonical form."""
        self.answer: Answer | None = None
        """What the first CONCLUDE said, valid or not."""
        self._closed = False

    def step(self, option: str, args: Sequence[int], claim: Claim | Answer) -> Verdict:
        """Judge one step and give it the next line number. `option` is "" for an action that could not be read."""
        try:
            verdict = self._judge(option, args, claim)
        except Refusal as refusal:
            verdict = Verdict(False, None, refusal.reason, refusal.message)
        self.lines.append(verdict.formula)
        self.keys.append(None if verdict.formula is None else canonical(verdict.formula))
        if option == CONCLUDE and not self._closed:
            self._closed = True
            if len(args) == 1 and 0 <= args[0] < len(ANSWERS):
                self.answer = ANSWERS[args[0]]
        return verdict

    def _judge(self, option: str, args: Sequence[int], claim: Claim | Answer) -> Verdict:
        if self._closed:
            raise Refusal(Reason.AFTER_CONCLUSION, "the proof ended with CONCLUDE")
        if not option:
            raise Refusal(
                Reason.UNREADABLE_ACTION, 'expected an action like <Option type="MODUS_PONENS" args="[0, 3]" />'
            )
        if option == CONCLUDE:
            self._check_conclusion(args, claim)
            return Verdict(True)
        rule = RULES.get(option)
        if rule is None:
            raise Refusal(Reason.UNKNOWN_RULE, f"there is no rule {option[:40]!r}")
        cited = self._cited(rule, args)
        if isinstance(claim, Unreadable):
            raise Refusal(Reason.CLAIM_UNREADABLE, claim.why)
        if isinstance(claim, Answer):
            raise Refusal(Reason.CLAIM_UNREADABLE, "an inference step claims a formula, not an answer")
        return Verdict(True, _pick(rule, rule.results(cited, claim, self.theory.constants), claim))

    def _cited(self, rule: Rule, args: Sequence[int]) -> list[Formula]:
        if len(args) < rule.least or (rule.most is not None and len(args) > rule.most):
            wanted = f"{rule.least}" if rule.most == rule.least else f"at least {rule.least}"
            raise Refusal(Reason.ARGUMENT_COUNT, f"{rule.name} takes {wanted} lines, not {len(args)}")
        cited = []
        for number in args:
            if not 0 <= number < len(self.lines):
                raise Refusal(
                    Reason.NO_SUCH_LINE, f"there is no line {str(number)[:12]}; the last is {len(self.lines) - 1}"
                )
            line = self.lines[number]
            if line is None:
                raise Refusal(Reason.INVALID_LINE, f"line {number} was not proved")
            cited.append(line)
        return cited

    def _check_conclusion(self, args: Sequence[int], claim: Claim | Answer) -> None:
        if len(args) != 1:
            raise Refusal(Reason.ARGUMENT_COUNT, f"CONCLUDE takes one argument, not {len(args)}")
        if not 0 <= args[0] < len(ANSWERS):
            raise Refusal(
                Reason.NO_SUCH_LINE, f"CONCLUDE takes 0 (TRUE), 1 (FALSE) or 2 (UNKNOWN), not {str(args[0])[:12]}"
            )
        answer = ANSWERS[args[0]]
        self._check_concluded_claim(answer, claim)
        if answer is Answer.UNKNOWN:
            self._check_unknown()
            return
        goal = self.theory.conclusion if answer is Answer.TRUE else complement(self.theory.conclusion)
        if canonical(goal) not in self.keys:
            raise Refusal(Reason.NOT_PROVED, f"no line says {show(goal)}")

    def _check_concluded_claim(self, answer: Answer, claim: Claim | Answer) -> None:
        if claim is None:
            return
        if isinstance(claim, Unreadable):
            raise Refusal(Reason.CLAIM_UNREADABLE, claim.why)
        if isinstance(claim, Answer):
            agrees = claim is answer
        else:
            conclusion = self.theory.conclusion
            goal = {Answer.TRUE: conclusion, Answer.FALSE: complement(conclusion)}.get(answer)
            agrees = goal is not None and same(claim, goal)
        if not agrees:
            said = claim.value if isinstance(claim, Answer) else show(claim)
            raise Refusal(Reason.CLAIM_DIFFERS, f"the thought says {said}, the action {answer.value}")

    def _check_unknown(self) -> None:
        for goal in (self.theory.conclusion, complement(self.theory.conclusion)):
            entailed = self.theory.entails(goal)
            if entailed:
                raise Refusal(Reason.NOT_UNKNOWN, f"the premises entail {show(goal)}")
            if entailed is None:
                raise Refusal(Reason.UNDECIDED, f"whether the premises entail {show(goal)} is not decided")


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
