"""Verdicts over whole traces.

Contract: `verify` needs only what the trace carries (premises, conclusion, label, steps) and judges it afresh, whatever
verdicts it holds. Every validity is the kernel's (`logic.proof`); this module only feeds it and counts. A trace is
valid as a whole (`all_steps_valid`) when every step is, the steps are those of its text, every inference step states
its claim, it concludes and says no more, a stated final answer agrees, and its premises are known not to contradict
each other. Whether the answer matches the label is `correct`.
"""

from __future__ import annotations

from sokrates.logic.answer import Answer
from sokrates.logic.claim import quotes
from sokrates.logic.english import Unreadable
from sokrates.logic.explain import explain
from sokrates.logic.formulas import Formula, canonical, constants, show
from sokrates.logic.language import Language
from sokrates.logic.proof import Proof
from sokrates.logic.prover import derive_all
from sokrates.logic.rules import CONCLUDE
from sokrates.logic.theory import Theory
from sokrates.logic.verdict import Reason
from sokrates.problems.reading import ReadProblem, read_problem
from sokrates.traces.claims import claimed, take
from sokrates.traces.text import Parsed, parse, parse_action
from sokrates.traces.trace import Step, Trace
from sokrates.verification.certificate import certificate, kernel
from sokrates.verification.published import published_valid


def verify(trace: Trace) -> Trace:
    """Fill a trace's verdict fields and its certificate in place and return it.

    Errors: UnreadableSentence where a premise or the conclusion cannot be read.
    """
    problem = read_problem(trace.premises, trace.conclusion, trace.premises_fol, trace.conclusion_fol)
    theory = problem.theory
    proof = Proof(theory)
    parsed = parse(trace.completion) if trace.completion else None
    # A trace without its text keeps its final answer in `final_answer`.
    trace.stated_answer = parsed.final_answer if parsed else trace.stated_answer or trace.final_answer
    trace.misquotes = 0
    trace.claims_missing = 0
    unanswered = False
    for step in trace.steps:
        trace.misquotes += _misquotes(step, proof, problem.language)
        states = _judge(step, proof, problem, trace.label)
        trace.claims_missing += step.option_type != CONCLUDE and step.claim is None
        unanswered |= step.option_type == CONCLUDE and not states and step.thought != ""
    trace.final_answer = proof.answer
    trace.correct = proof.answer is not None and proof.answer is trace.label
    trace.num_steps = trace.total_step_count = len(trace.steps)
    trace.valid_step_count = sum(step.solver_valid is True for step in trace.steps)
    trace.invalid_reason = _invalid_reason(trace, parsed, theory, proof.answer, unanswered)
    trace.all_steps_valid = trace.invalid_reason is None
    trace.unused_steps, trace.repeated_steps = _waste(trace, proof)
    trace.unexplored = _unexplored(proof)
    trace.kernel = kernel()
    trace.certificate = certificate(trace)
    return trace


def _judge(step: Step, proof: Proof, problem: ReadProblem, label: Answer | None) -> bool:
    """Fill a step's verdict fields; whether its thought states a claim, or an answer."""
    theory = proof.theory
    claim = claimed(step.option_type, step.thought, problem.language)
    verdict = take(proof, step, problem.language)
    step.action_valid = verdict.valid
    if not verdict.valid:  # a valid step's action needs no asking
        proof.take_back()
        step.action_valid = proof.applies(step.option_type, step.option_args)
        take(proof, step, problem.language)
    formula = None if claim is None or isinstance(claim, Unreadable | Answer) else claim
    # What the solver did not decide within its limits is neither valid nor invalid.
    step.solver_valid = None if verdict.reason is Reason.UNDECIDED else verdict.valid
    step.formula = None if verdict.formula is None else show(verdict.formula)
    step.claim = None if formula is None else show(formula)
    step.reason = None if verdict.reason is None else verdict.reason.value
    step.message = verdict.message
    step.entailed, step.explanation = None, None
    if formula is not None:
        assumed = proof.assumptions([len(proof.lines) - 1] if verdict.valid else step.option_args)
        step.entailed = theory.entails(formula, assumed)
        if not verdict.valid:
            step.explanation = explain(theory, formula, assumed, problem.say).text
    step.published_valid = published_valid(step, theory, label)
    return claim is not None


def _misquotes(step: Step, proof: Proof, language: Language) -> int:
    """How many lines the thought quotes in words that they do not say."""
    wrong = 0
    for number, quoted in quotes(step.thought, language.read):
        line = proof.keys[number] if number < len(proof.keys) else None
        wrong += quoted is None or canonical(quoted) != line
    return wrong


def _invalid_reason(
    trace: Trace, parsed: Parsed | None, theory: Theory, answer: Answer | None, unanswered: bool
) -> str | None:
    if theory.consistent is None:
        return "whether the premises contradict each other is not decided"
    if not theory.consistent:
        return "the premises contradict each other"
    if answer is None:
        return "it does not conclude"
    if any(step.solver_valid is False for step in trace.steps):
        return "a step is invalid"
    if any(step.solver_valid is None for step in trace.steps):
        return "whether its conclusion follows is not decided"
    if not _says_its_steps(trace, parsed):
        return "its steps are not those of its text"
    if trace.claims_missing:
        return "an inference step states no claim"
    if unanswered:
        return "the thought of its conclusion states no answer"
    if parsed and parsed.unread_answer is not None:
        return f"its final answer cannot be read: {_short(parsed.unread_answer)}"
    if trace.stated_answer is not None and trace.stated_answer is not answer:
        return f"the final answer says {trace.stated_answer}, CONCLUDE {answer}"
    if parsed and parsed.rest:
        return "a thought follows the conclusion"
    return None


def _says_its_steps(trace: Trace, parsed: Parsed | None) -> bool:
    """Whether the steps are those of the text, all or as many as were wanted, or without it those of their actions."""
    steps = trace.steps
    if parsed is None:
        return all(not step.action or parse_action(step.action) == _option(step) for step in steps)
    if len(steps) < len(parsed.steps):
        whole = not any(step.option_type == CONCLUDE for step in steps)
    else:
        whole = len(steps) == len(parsed.steps)
    return whole and all(_said(step) == _said(written) for step, written in zip(steps, parsed.steps, strict=False))


def _option(step: Step) -> tuple[str, tuple[int, ...]]:
    return step.option_type, step.option_args


def _said(step: Step) -> tuple[str, str, str, tuple[int, ...]]:
    return step.thought, step.action, step.option_type, step.option_args


def _short(text: str) -> str:
    return repr(text) if len(text) <= 40 else f"{text[:40]!r}…"


def _waste(trace: Trace, proof: Proof) -> tuple[int, int]:
    """Inference steps that the conclusion does not rest on, and those that derive what a line says already.

    A line says it already where it rests on no other assumptions. An UNKNOWN rests on no line: what it explores is not
    unused.
    """
    premises = len(proof.theory.premises)
    repeated = _repeated(proof)
    goal = None if proof.answer is None else proof.theory.goal(proof.answer)
    if goal is None:
        return 0, repeated
    used = _cone(trace, proof, canonical(goal), premises)
    inferences = {premises + i for i, step in enumerate(trace.steps) if step.option_type != CONCLUDE}
    return len(inferences - used), repeated


def _unexplored(proof: Proof) -> int | None:
    """How many facts an UNKNOWN has not looked at: see `Trace.unexplored`."""
    theory = proof.theory
    if proof.answer is not Answer.UNKNOWN or theory.conclusion is None or not theory.closure.complete:
        return None
    subjects = constants(theory.conclusion)
    if len(subjects) != 1:
        return None
    said = {key for key, rests in zip(proof.keys, proof.rests, strict=True) if not rests}
    return sum(canonical(fact.formula) not in said for fact in derive_all(theory, next(iter(subjects))))


def _repeated(proof: Proof) -> int:
    found = 0
    known: dict[Formula, list[frozenset[int]]] = {}
    for key, rests in zip(proof.keys, proof.rests, strict=True):
        if key is not None:
            if earlier := known.setdefault(key, []):
                found += any(fewer <= rests for fewer in earlier)
            earlier.append(rests)
    return found - (len(proof.theory.keys) - len(set(proof.theory.keys)))


def _cone(trace: Trace, proof: Proof, goal: Formula, premises: int) -> set[int]:
    """The lines that the first proof of the goal rests on, itself included."""
    used: set[int] = set()
    stack = [n for n, key in enumerate(proof.keys) if key == goal and not proof.rests[n]][:1]
    while stack:
        line = stack.pop()
        if line not in used:
            used.add(line)
            if line >= premises:
                stack.extend(trace.steps[line - premises].option_args)
    return used
