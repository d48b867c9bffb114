"""The permanent mutation test: a spoilt step is refused, or z3 proves it from the lines that it cites.

z3 judges from the formulas of the cited lines alone; nothing of the kernel decides what is correct here.
"""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from sokrates import jsonl
from sokrates.logic.answer import ANSWERS
from sokrates.logic.english import Reading, read, say
from sokrates.logic.formulas import Formula, complement
from sokrates.logic.rules import CONCLUDE, RULES
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.problems.reading import read_sentences
from sokrates.traces.building import build_trace
from sokrates.traces.gold import gold_completion
from sokrates.traces.text import render_action
from sokrates.traces.trace import Step, Trace
from sokrates.verification.verify import verify
from tests.logic import oracle
from tests.shared_data import files, needs

PUBLISHED = "sokrates-published-traces/*.jsonl"
BANANA = "Sam is a banana"
MARKED = re.compile(r"(.*\b(?:so|conclude that)\b )[^.]*(\.?)", re.DOTALL)


def gold_traces(count: int, seed: int) -> list[Trace]:
    settings = GeneratorSettings(least_hops=1, most_hops=6, entities=2)
    return [build_trace(problem, gold_completion(problem)) for problem in generate(count, settings, seed)]


def formula_of(sentence: str) -> Formula:
    reading = read(sentence)
    assert isinstance(reading, Reading), reading
    return reading.formula


def claim_in(thought: str) -> str:
    return thought.rpartition(", so ")[2].removesuffix(".")


def with_claim(thought: str, claim: str) -> str:
    return f"{thought.rpartition(', so ')[0]}, so {claim}."


def spoilt(rng: random.Random, trace: Trace, step: Step) -> tuple[str, Step]:
    """A copy of an inference step with its rule, one of its lines or its claim changed."""
    lines = len(trace.premises) + step.step_idx
    option, args, thought = step.option_type, list(step.option_args), step.thought
    kind = rng.choice(("rule", "line", "line", "claim", "claim", "both"))
    if kind == "rule":
        option = rng.choice([name for name in (*RULES, "RULE", "OR_INTRO", "CASE_SPLIT") if name != option])
    if kind in ("line", "both"):
        args[rng.randrange(len(args))] = rng.choice([rng.randrange(lines), rng.randrange(lines), lines, lines + 1, -1])
    if kind in ("claim", "both"):
        thought = with_claim(thought, rng.choice(other_claims(rng, trace, claim_in(thought))))
    changed = Step(
        step_idx=step.step_idx,
        thought=thought,
        action=render_action(option, args),
        option_type=option,
        option_args=tuple(args),
    )
    return kind, changed


def other_claims(rng: random.Random, trace: Trace, claim: str) -> list[str]:
    """The claim denied, of somebody else, and what other lines say."""
    nouns = read_sentences(trace.premises, trace.conclusion).nouns
    others = [claim_in(step.thought) for step in trace.steps[:-1]] + [line.removesuffix(".") for line in trace.premises]
    return [
        say(complement(formula_of(claim)), nouns),
        "Sam" + claim[claim.index(" ") :],
        rng.choice(others),
        rng.choice(others),
    ]


def cited_formulas(trace: Trace, step: Step) -> list[Formula] | None:
    """What the cited lines say in a trace whose earlier steps are all right; None where a line is not there."""
    lines = [*trace.premises, *(claim_in(earlier.thought) for earlier in trace.steps[: step.step_idx])]
    if not all(0 <= number < len(lines) for number in step.option_args):
        return None
    return [formula_of(lines[number]) for number in step.option_args]


def verdict_of(trace: Trace, step: Step) -> Step:
    """The step judged in place of the one it was made from, after the untouched steps before it."""
    steps = [*(fresh(earlier) for earlier in trace.steps[: step.step_idx]), step]
    fields = {name: getattr(trace, name) for name in trace.__struct_fields__}
    verify(Trace(**{**fields, "steps": steps, "completion": ""}))
    assert all(earlier.solver_valid for earlier in steps[:-1])
    return step


def fresh(step: Step) -> Step:
    return Step(
        step_idx=step.step_idx,
        thought=step.thought,
        action=step.action,
        option_type=step.option_type,
        option_args=step.option_args,
    )


def test_a_spoilt_step_is_refused_or_right():
    rng = random.Random(0)
    judged: Counter[str] = Counter()
    for trace in gold_traces(700, seed=3):
        for step in trace.steps[:-1]:
            kind, changed = spoilt(rng, trace, step)
            judged[kind] += 1
            if verdict_of(trace, changed).solver_valid:
                judged["valid"] += 1
                cited = cited_formulas(trace, changed)
                assert cited is not None
                assert changed.option_type in RULES
                assert oracle.entails(cited, formula_of(claim_in(changed.thought))), changed
    assert sum(judged.values()) - judged["valid"] >= 2000, judged
    assert min(judged[kind] for kind in ("rule", "line", "claim", "both")) >= 200, judged
    assert 0 < judged["valid"] < 0.05 * sum(judged.values()), judged


def test_every_other_conclusion_is_refused():
    for trace in gold_traces(500, seed=4):
        right = trace.steps[-1].option_args[0]
        for wrong in {0, 1, 2, 3, -1} - {right}:
            for thought in (trace.steps[-1].thought, ""):
                changed = fresh(trace.steps[-1])
                changed.option_args, changed.thought = (wrong,), thought
                assert not verdict_of(trace, changed).solver_valid


def test_every_other_final_answer_is_refused():
    for trace in gold_traces(200, seed=5):
        said = trace.completion.rpartition(" ")[2]
        for answer in ANSWERS:
            changed = verify(build_trace(trace.problem(), trace.completion.removesuffix(said) + answer))
            assert changed.all_steps_valid is (answer == said)


def test_every_step_left_out_breaks_the_proof():
    """Without one of its inference steps, a shortest proof of TRUE or FALSE is not valid."""
    rng = random.Random(6)
    seen = 0
    for trace in gold_traces(300, seed=6):
        if trace.label == "UNKNOWN" or len(trace.steps) < 2:
            continue
        seen += 1
        left_out = rng.randrange(len(trace.steps) - 1)
        trace.steps = [fresh(step) for step in trace.steps if step.step_idx != left_out]
        trace.completion = ""
        assert not verify(trace).all_steps_valid
    assert seen > 100


def bananas(trace: Trace) -> Trace:
    """The trace with every claim replaced, whether it is marked or the whole thought."""
    for step in trace.steps:
        marked = MARKED.fullmatch(step.thought)
        step.thought = f"{marked.group(1)}{BANANA}{marked.group(2)}" if marked else f"{BANANA}."
    trace.completion = ""
    return verify(trace)


def assert_no_bananas(traces: list[Trace]) -> None:
    steps = [step for trace in map(bananas, traces) for step in trace.steps if step.option_type != CONCLUDE]
    assert steps
    assert all(BANANA in step.thought for step in steps)
    assert not any(step.solver_valid for step in steps)


def test_no_gold_step_derives_that_sam_is_a_banana():
    assert_no_bananas(gold_traces(300, seed=7))


@needs(PUBLISHED)
@pytest.mark.parametrize("path", files(PUBLISHED), ids=lambda path: path.stem)
def test_no_published_step_derives_that_sam_is_a_banana(path):
    assert_no_bananas(list(jsonl.read(path, Trace)))


def test_the_published_rule_lets_bananas_through():
    """Why the weak rule is kept for comparison only: it never looks at the claim."""
    problem = Problem(
        problem_id="p", premises=("Max is red.", "Everything that is red is kind."), conclusion="Max is kind."
    )
    trace = bananas(
        build_trace(problem, 'Thought: Max is red, so Max is kind.\nAction: <Option type="RULE" args="[0]" />')
    )
    assert trace.steps[0].published_valid and not trace.steps[0].solver_valid
