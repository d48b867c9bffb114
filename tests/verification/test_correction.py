"""Traces put right: their own steps, then a proof from there, whatever had gone wrong."""

from __future__ import annotations

import random

import pytest

from sokrates.logic.answer import Answer
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.building import build_trace
from sokrates.traces.gold import gold_completion, gold_outline, write_outline
from sokrates.traces.sloppy import sloppy_outline
from sokrates.traces.text import end_of_step, render, render_action
from sokrates.traces.trace import Trace
from sokrates.verification.correction import corrected
from sokrates.verification.verify import verify

PROBLEMS = list(generate(120, GeneratorSettings(1, 6, distractors=2, second_facts=0.5), seed=9))


def judged(problem: Problem, completion: str) -> Trace:
    return verify(build_trace(problem, completion))


def first_error(trace: Trace) -> int | None:
    return next((place for place, step in enumerate(trace.steps) if step.solver_valid is not True), None)


def test_whatever_went_wrong_is_put_right_where_it_went_wrong():
    rng = random.Random(3)
    concluded = longer = 0
    for problem in PROBLEMS:
        sloppy = write_outline(problem, sloppy_outline(problem, gold_outline(problem), rng, rate=0.5))
        trace = judged(problem, sloppy)
        error = first_error(trace)
        if error is None:
            continue
        trace.sample = 7
        made = corrected(trace, error)
        assert made is not None and made.all_steps_valid and made.correct and made.sample == 7
        begun = trace.completion[: end_of_step(trace.completion, error)] if error else ""
        assert made.completion.startswith(begun)
        assert [step.action for step in made.steps[:error]] == [step.action for step in trace.steps[:error]]
        assert (
            made.steps[error].action + made.steps[error].thought
            != trace.steps[error].action + trace.steps[error].thought
        )
        concluded += made.steps[error].option_type == "CONCLUDE"
        longer += len(made.steps) > error + 1
    assert concluded and longer > 20


@pytest.mark.parametrize("problem", PROBLEMS[:20], ids=lambda problem: problem.problem_id)
def test_a_proof_that_is_cut_goes_on_to_its_end(problem):
    gold = judged(problem, gold_completion(problem))
    for steps in range(len(gold.steps)):
        made = corrected(gold, steps)
        assert made is not None and made.all_steps_valid
        assert len(made.steps) == len(gold.steps), "the shortest proof is not lengthened by its own lines"


BIRD = Problem(
    problem_id="bird",
    premises=("All birds sing.", "What sings is glad.", "Tweety is a bird."),
    premises_fol=("∀x (bird(x) → Sings(x))", "∀x (Sings(x) → Glad(x))", "bird(tweety)"),
    conclusion="Tweety is glad.",
    conclusion_fol="Glad(tweety)",
    label=Answer.TRUE,
)


def test_lines_that_are_formulas():
    gold = judged(BIRD, gold_completion(BIRD))
    made = corrected(gold, 1)
    assert made is not None and made.all_steps_valid
    assert made.steps[0].action == gold.steps[0].action


def test_a_problem_of_which_only_some_lines_have_formulas():
    problem = Problem(
        problem_id="p",
        premises=("Max is a yumpus.", "Each yumpus is a dumpus."),
        premises_fol=("Yumpus(max)", ""),
        conclusion="Max is a dumpus.",
        label=Answer.TRUE,
    )
    trace = judged(problem, gold_completion(problem))
    made = corrected(trace, 1)
    assert made is not None and made.all_steps_valid


def test_there_is_no_rest_while_an_assumption_is_open():
    problem = Problem(
        problem_id="p", premises=("Max is a wumpus.",), conclusion="Max is a dumpus.", label=Answer.UNKNOWN
    )
    assumed = ("Suppose Max is a dumpus.", render_action("ASSUME", []))
    trace = judged(problem, render([assumed, ("So it is TRUE.", render_action("CONCLUDE", [0]))], Answer.TRUE))
    assert [step.solver_valid for step in trace.steps] == [True, False]
    assert corrected(trace, 1) is None


@pytest.mark.parametrize(
    ("premises", "label"),
    [
        (("Max is a yumpus.", "Max is not a yumpus."), Answer.TRUE),  # they contradict each other
        (("Max is a yumpus.", "Each yumpus is a dumpus."), Answer.FALSE),  # a label that is not entailed
    ],
)
def test_there_is_no_rest_where_there_is_no_proof(premises, label):
    problem = Problem(problem_id="p", premises=premises, conclusion="Max is a dumpus.", label=label)
    assert corrected(judged(problem, "Thought: so.\nAction: a\n"), 0) is None


def test_nothing_goes_on_from_a_step_that_is_not_valid_or_from_a_conclusion():
    problem = Problem(
        problem_id="p",
        premises=("Max is a yumpus.", "Each yumpus is a dumpus."),
        conclusion="Max is a dumpus.",
        label=Answer.TRUE,
    )
    leap = ("So Max is a dumpus.", render_action("MODUS_PONENS", [1, 1]))
    end = ("So the answer is UNKNOWN.", render_action("CONCLUDE", [2]))
    for step in (leap, end):
        trace = judged(problem, render([step, leap], Answer.TRUE))
        assert corrected(trace, 1) is None
        assert corrected(trace, 0) is not None
