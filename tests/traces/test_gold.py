"""The law of gold traces: every one verifies, says what it uses, and wastes nothing."""

from __future__ import annotations

import msgspec
import pytest

from sokrates import jsonl
from sokrates.logic.answer import Answer
from sokrates.logic.rules import CONCLUDE
from sokrates.logic.smt import Smt
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.problems.labels import label_error
from sokrates.problems.readers import read_problems
from sokrates.traces.building import build_trace
from sokrates.traces.gold import Inference, NoGoldTrace, Outline, gold_completion, write_outline
from sokrates.traces.trace import Trace
from sokrates.verification.verify import verify
from tests.shared_data import files, needs

SETTINGS = {
    "default": GeneratorSettings(),
    "bare": GeneratorSettings(least_hops=1, most_hops=1, distractors=0),
    "long": GeneratorSettings(least_hops=5, most_hops=10, distractors=0.5),
    "several": GeneratorSettings(least_hops=2, most_hops=6, distractors=2, entities=3),
    "crowded": GeneratorSettings(most_hops=3, distractors=3, entities=9),
}


def assert_gold(problem: Problem) -> Trace:
    assert label_error(problem) is None
    trace = verify(build_trace(problem, gold_completion(problem)))
    assert trace.all_steps_valid and trace.correct, trace.completion
    assert (trace.unused_steps, trace.repeated_steps, trace.misquotes, trace.claims_missing) == (0, 0, 0, 0)
    assert trace.stated_answer is trace.final_answer is problem.label
    if problem.label is not Answer.UNKNOWN and problem.hops is not None:
        assert sum(step.option_type != CONCLUDE for step in trace.steps) == problem.hops
    return trace


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_every_gold_trace_of_our_generator_is_valid(settings):
    for problem in generate(400, settings, seed=11):
        assert_gold(problem)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_every_gold_trace_of_many_more_is_valid(settings):
    for problem in generate(10_000, settings, seed=12):
        assert_gold(problem)


AUTHORS = [path for path in files("prontoqa/*.jsonl") if "ood" not in path.stem]


@needs("prontoqa/*.jsonl")
@pytest.mark.parametrize("path", AUTHORS, ids=lambda path: path.stem)
def test_every_gold_trace_of_the_authors_problems_is_valid(path):
    problems = list(read_problems(path, "logic-lm" if "logiclm" in path.stem else "prontoqa"))
    assert len(problems) == sum(1 for _ in jsonl.read_raw(path))
    for problem in problems:
        assert_gold(problem)


def problem(*premises: str, conclusion: str, label: Answer | None = None) -> Problem:
    return Problem(problem_id="p", premises=premises, conclusion=conclusion, label=label)


def test_what_a_gold_trace_says():
    assert gold_completion(problem("Wumpuses are red.", "Max is a wumpus.", conclusion="Max is not red.")) == (
        "Thought: Max is a wumpus (line 1) and wumpuses are red (line 0), so Max is red.\n"
        'Action: <Option type="MODUS_PONENS" args="[1, 0]" />\n'
        "Thought: Line 2 contradicts the conclusion, so the answer is FALSE.\n"
        'Action: <Option type="CONCLUDE" args="[1]" />\n'
        "\n"
        "Final Answer: FALSE"
    )


def test_backward_steps_are_modus_tollens():
    said = gold_completion(problem("Every wumpus is red.", "Max is not red.", conclusion="Max is a wumpus."))
    assert '"MODUS_TOLLENS" args="[1, 0]"' in said
    assert_gold(problem("Every wumpus is red.", "Max is not red.", conclusion="Max is a wumpus.", label=Answer.FALSE))


@pytest.mark.parametrize(
    "premises",
    [
        ("Max does not belong to wumpuses.", "Everything that is not a wumpus is red."),
        ("Max belongs to wumpuses.", "No wumpus is kind.", "All wumpuses are red."),
        ("7 is a prime number.", "Every prime number is a number."),
        ("O'Hara is a wumpus.", "Each wumpus is red."),
    ],
)
def test_gold_traces_quote_every_kind_of_sentence(premises):
    conclusion = {"7": "7 is a number.", "O'Hara": "O'Hara is red."}.get(premises[0].split()[0], "Max is red.")
    assert_gold(problem(*premises, conclusion=conclusion, label=Answer.TRUE))


def test_a_name_keeps_its_capital_inside_a_thought():
    one = problem("Every wumpus is red.", "Max is a wumpus.", conclusion="Max is red.")
    outline = Outline(Answer.TRUE, (Inference("MODUS_PONENS", (0, 1), "Max is red"),), 2)
    said = write_outline(one, outline)
    assert said.startswith("Thought: Every wumpus is red (line 0) and Max is a wumpus (line 1), so Max is red.")
    assert verify(build_trace(one, said)).misquotes == 0


def test_a_problem_with_formulas_has_its_gold_trace_in_formulas():
    one = Problem(
        problem_id="p",
        premises=("All birds sing.", "Everything that sings is glad.", "Tweety is a bird."),
        premises_fol=("∀x (bird(x) → Sings(x))", "∀x (Sings(x) → Glad(x))", "bird(tweety)"),
        conclusion="Tweety is not glad.",
        conclusion_fol="¬Glad(tweety)",
        label=Answer.FALSE,
    )
    trace = assert_gold(one)
    assert [step.claim for step in trace.steps] == ["Sings(tweety)", "Glad(tweety)", None]
    first = "bird(tweety) (line 2) and ∀x (bird(x) → Sings(x)) (line 0), so Sings(tweety)."
    assert trace.steps[0].thought == first
    with pytest.raises(NoGoldTrace, match="its conclusion has no formula"):
        gold_completion(msgspec.structs.replace(one, conclusion_fol=""))


def test_a_premise_that_is_the_conclusion_needs_no_step():
    trace = assert_gold(problem("Max is red.", conclusion="Max is red.", label=Answer.TRUE))
    assert [step.option_type for step in trace.steps] == [CONCLUDE]


@pytest.mark.parametrize(
    ("premises", "why"),
    [
        (("Max is red.", "Max is not red."), "contradict each other"),
        (("Every wumpus is red.", "Every wumpus is not red."), "the prover finds no proof"),
    ],
)
def test_why_there_is_no_gold_trace(premises, why):
    with pytest.raises(NoGoldTrace, match=why):
        gold_completion(problem(*premises, conclusion="Max is a wumpus."))


def test_there_is_no_gold_trace_where_consistency_is_not_decided(monkeypatch):
    monkeypatch.setattr(Smt, "effort", 1)
    hidden = problem("Everything that is red and kind is a wumpus.", "Max is mad.", conclusion="Max is a wumpus.")
    with pytest.raises(NoGoldTrace, match="contradict each other is not decided"):
        gold_completion(hidden)


def test_a_gold_trace_longer_than_the_limit_is_an_error():
    one = next(iter(generate(1, GeneratorSettings(least_hops=6, most_hops=6, mix=(1, 0, 0)), seed=1)))
    assert gold_completion(one, max_steps=7)
    with pytest.raises(NoGoldTrace, match="its gold trace has 7 steps, the limit is 6"):
        gold_completion(one, max_steps=6)


def test_a_label_that_the_premises_do_not_entail_has_no_gold_trace():
    said = "its label is TRUE, but by its premises the conclusion is UNKNOWN"
    with pytest.raises(NoGoldTrace, match=said):
        gold_completion(problem("Max is red.", conclusion="Max is kind.", label=Answer.TRUE))
