"""Baselines: what those that change the data learn from. That each of them runs is the loop's own test."""

from __future__ import annotations

import pytest

from sokrates.baselines import _bare, _best, _share
from sokrates.config import Config, PairsConfig
from sokrates.logic.answer import Answer
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.building import build_trace
from sokrates.traces.gold import gold_completion
from sokrates.verification.verify import verify


def test_a_trace_without_thoughts_has_the_same_valid_actions_and_no_claim():
    for problem in generate(6, GeneratorSettings(1, 3), seed=2):
        gold = verify(build_trace(problem, gold_completion(problem)))
        bare = verify(_bare(gold))
        assert [(s.option_type, s.option_args) for s in bare.steps] == [
            (s.option_type, s.option_args) for s in gold.steps
        ]
        assert {step.thought for step in bare.steps} == {""}
        assert all(step.action_valid for step in bare.steps) and bare.final_answer == gold.final_answer
        assert bare.claims_missing == len(gold.steps) - 1


def test_rejection_fine_tuning_learns_from_no_unknown_that_gave_up():
    problem = next(p for p in generate(60, GeneratorSettings(2, 3), seed=2) if p.label is Answer.UNKNOWN)
    gold = gold_completion(problem)
    searched, gave_up = (verify(build_trace(problem, text)) for text in (gold, gold[gold.rindex("Thought:") :]))
    assert searched.all_steps_valid and gave_up.all_steps_valid and gave_up.unexplored
    assert _best([searched, gave_up], Config()) == [searched]
    assert _best([searched, gave_up], Config(preference_pairs=PairsConfig(unknown="any"))) == [searched, gave_up]


@pytest.mark.parametrize(("steps", "shares"), [(9, [3, 3, 3]), (11, [3, 3, 5]), (2, [1, 1, 1]), (0, [1, 1, 1])])
def test_rejection_fine_tuning_takes_as_many_steps_as_dpo(steps, shares):
    assert [_share(steps, index, 3) for index in (1, 2, 3)] == shares
