"""Evaluation: one trace a problem, which several samples vote on."""

from __future__ import annotations

import pytest

from sokrates.config import load
from sokrates.evaluation import evaluate, measured, reference_rows, vote
from sokrates.logic.answer import Answer
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.trace import Trace

T, F, U = Answer.TRUE, Answer.FALSE, Answer.UNKNOWN


def samples(*answers: Answer | None) -> list[Trace]:
    problem = next(generate(1, GeneratorSettings(1, 1), seed=1))
    return [
        Trace(
            problem_id=problem.problem_id,
            premises=problem.premises,
            conclusion=problem.conclusion,
            label=problem.label,
            final_answer=answer,
            correct=answer == problem.label,
            num_steps=0,
            steps=[],
            sample=index,
        )
        for index, answer in enumerate(answers)
    ]


@pytest.mark.parametrize(
    ("answers", "elected"),
    [((T,), 0), ((F, T, T), 1), ((None, None, U), 2), ((None, None), 0), ((F, T), 0), ((U, T, F, T, U), 0)],
)
def test_the_first_sample_with_the_answer_of_most_is_elected(answers, elected):
    assert vote(samples(*answers)).sample == elected


def test_a_row_by_vote_is_over_one_trace_a_problem(tmp_path):
    from sokrates.asking import load_asker

    config = load(None, ["hardware.device=cpu", "trace_generation.max_steps=8", "trace_generation.temperature=1.5"])
    problems = list(generate(4, GeneratorSettings(1, 2), seed=5))
    row = evaluate(problems, load_asker("embedded", config), "vote", tmp_path, config, votes=3)
    assert (row.n, row.problems) == (4, 4)
    elected = measured(tmp_path)
    assert [trace.problem_id for trace in elected] == [problem.problem_id for problem in problems]
    assert row.accuracy.value == sum(trace.correct for trace in elected) / 4
    assert len((tmp_path / "traces.jsonl").read_text().splitlines()) == 12


def test_always_to_say_unknown_is_valid_and_proves_nothing_that_could_be_searched():
    searchable = ("Max is a cat.", "Every cat is red.")
    problems = [
        Problem(problem_id=name, premises=premises, conclusion="Max is sad.", label=Answer.UNKNOWN)
        for name, premises in {"one": searchable, "two": searchable, "nothing": ("Max is a cat.",)}.items()
    ]
    always, _ = reference_rows(problems)
    assert always.trace_validity.value == 1.0
    assert always.proof_rate.value == pytest.approx(1 / 3)
