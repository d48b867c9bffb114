"""The Step and Trace records: what generation writes, verification judges and training reads.

Contract: a trace is known by (problem_id, sample). Verdict fields are None until `verification` fills them; nothing
else may. `final_answer` is what the trace's CONCLUDE says, or None without one.
"""

from __future__ import annotations

import msgspec

from sokrates.logic.answer import Answer
from sokrates.problems import Problem


class Step(msgspec.Struct, kw_only=True):
    step_idx: int
    thought: str
    action: str
    option_type: str
    option_args: tuple[int, ...]
    solver_valid: bool | None = None
    """The verdict; None where it is not given yet, and where the solver did not decide within its limits."""
    action_valid: bool | None = None
    """Whether the action alone is valid: with some claim the step would be, as far as the lines before it tell."""
    formula: str | None = None
    """The formula that the step derived, where it is valid and derives one."""
    claim: str | None = None
    """The formula that the thought claims, where it could be read."""
    reason: str | None = None
    """Why the step is invalid: a value of `logic.verdict.Reason`."""
    message: str | None = None
    """The reason as a sentence about this step."""
    explanation: str | None = None
    """Of an invalid step: why its claim follows all the same, or a case in which it does not."""
    entailed: bool | None = None
    """The claim follows from all premises together, and from what the cited lines assume; None where there is no claim
    or that is not decided."""
    published_valid: bool | None = None
    """The weak rule of the published pipeline, for comparison only."""


class Trace(msgspec.Struct, kw_only=True):
    problem_id: str
    premises: tuple[str, ...]
    conclusion: str
    label: Answer | None
    final_answer: Answer | None
    correct: bool
    num_steps: int
    steps: list[Step]
    all_steps_valid: bool | None = None
    """The headline: every step valid with a claim at each inference step, concluded, and the answer consistent."""
    valid_step_count: int | None = None
    total_step_count: int = 0
    premises_fol: tuple[str, ...] = ()
    conclusion_fol: str = ""
    hops: int | None = None
    stated_answer: Answer | None = None
    """What the text says after "Final Answer:", which may differ from its CONCLUDE."""
    sample: int = 0
    completion: str = ""
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    model: str = ""
    adapter: str | None = None
    seed: int | None = None
    invalid_reason: str | None = None
    """Why the trace as a whole is not valid, where no single step says it."""
    unused_steps: int | None = None
    repeated_steps: int | None = None
    unexplored: int | None = None
    """Of one that concludes UNKNOWN: the facts about the conclusion's subject that MODUS_PONENS and MODUS_TOLLENS lead
    to and it has not derived; 0 after a full search. None for other answers, and outside PrOntoQA's kind of theory
    (facts, and universal rules of two literals), where there may be no end of them."""
    claims_missing: int | None = None
    misquotes: int | None = None
    kernel: str = ""
    """The version of the kernel that gave the verdicts."""
    certificate: str = ""
    """A hash over the kernel's version, the statement, the steps and their verdicts: see `verification.certificate`."""

    @property
    def ended(self) -> bool:
        """Whether its text came to an end, not to a limit. A trace that says nothing of it is taken to be whole."""
        return self.finish_reason in ("", "stop")

    @property
    def emitted(self) -> list[Step]:
        """The steps whose action was written to its end: without a last one that the limit of tokens cut off."""
        cut = self.finish_reason == "length" and self.steps and not self.steps[-1].option_type
        return self.steps[:-1] if cut else self.steps

    @property
    def proved(self) -> bool:
        """Whether it proves its answer: it is valid as a whole, and an UNKNOWN comes after a full search."""
        return self.all_steps_valid is True and (self.final_answer is not Answer.UNKNOWN or self.unexplored == 0)

    def problem(self) -> Problem:
        """The problem that the trace carries."""
        return Problem(
            problem_id=self.problem_id,
            premises=self.premises,
            conclusion=self.conclusion,
            label=self.label,
            premises_fol=self.premises_fol,
            conclusion_fol=self.conclusion_fol,
            hops=self.hops,
        )
