"""Gold traces that look around: as many as asked, valid, the others untouched, the seed deciding which."""

from __future__ import annotations

import pytest

from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.verification.looking import look_around
from sokrates.verification.validate import validated

PROBLEMS = list(generate(60, GeneratorSettings(2, 5, distractors=2, second_facts=1), seed=4))


@pytest.fixture(scope="module")
def golden():
    return [done.gold for done in validated(PROBLEMS, max_steps=24)]


def test_about_a_share_is_rewritten_and_all_stay_valid(golden):
    found = list(look_around(golden, 0.5, seed=1))
    assert [trace.problem_id for trace in found] == [trace.problem_id for trace in golden]
    assert all(trace.all_steps_valid and trace.correct for trace in found)
    changed = sum(one.completion != other.completion for one, other in zip(found, golden, strict=True))
    assert 15 < changed < 40
    longer = sum(len(one.steps) > len(other.steps) for one, other in zip(found, golden, strict=True))
    assert longer > 10


def test_the_seed_decides_and_none_or_all_can_be_asked_for(golden):
    assert list(look_around(golden, 0.5, seed=1)) == list(look_around(golden, 0.5, seed=1))
    assert list(look_around(golden, 0.5, seed=1)) != list(look_around(golden, 0.5, seed=2))
    assert list(look_around(golden, 0.0, seed=1)) == golden


def test_none_becomes_longer_than_the_limit(golden):
    short = [trace for trace in golden if len(trace.steps) <= 6]
    found = list(look_around(short, 1.0, seed=1, max_steps=6))
    assert max(len(trace.steps) for trace in found) <= 6
    assert found != short
