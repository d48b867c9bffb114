"""What a step's thought claims, and the step as the kernel takes it: verification and guides read thoughts alike."""

from __future__ import annotations

from sokrates.logic.answer import Answer
from sokrates.logic.claim import Claim, claim_of, concluded_of
from sokrates.logic.language import Language
from sokrates.logic.proof import Proof
from sokrates.logic.rules import CONCLUDE
from sokrates.logic.verdict import Verdict
from sokrates.traces.trace import Step


def claimed(option: str, thought: str, language: Language) -> Claim | Answer:
    """The claim of a thought in front of this option: a CONCLUDE's may also be an answer by name."""
    return (concluded_of if option == CONCLUDE else claim_of)(thought, language.read)


def take(proof: Proof, step: Step, language: Language) -> Verdict:
    """Let the kernel judge a step, and count it as the proof's next line."""
    return proof.step(step.option_type, step.option_args, claimed(step.option_type, step.thought, language))
