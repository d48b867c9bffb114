"""Proofs that look around: valid whole, of the same answer, longer, in an order of their own."""

from __future__ import annotations

import random

from sokrates.logic.answer import Answer
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.building import build_trace
from sokrates.traces.gold import gold_outline, write_outline
from sokrates.traces.wandering import wandering_outline
from sokrates.verification.verify import verify

PROBLEMS = list(generate(120, GeneratorSettings(1, 6, distractors=2, second_facts=0.5), seed=3))


def outlines(seed: int = 1):
    rng = random.Random(seed)
    return [
        (problem, gold, wandering_outline(problem, gold, rng))
        for problem in PROBLEMS
        if (gold := gold_outline(problem))
    ]


def test_every_one_is_valid_with_the_same_answer():
    for problem, gold, wandering in outlines():
        trace = verify(build_trace(problem, write_outline(problem, wandering)))
        assert trace.all_steps_valid and trace.correct
        assert wandering.answer is gold.answer
        assert len(wandering.inferences) >= len(gold.inferences)


def test_proofs_are_longer_and_what_is_listed_for_unknown_is_the_same_in_another_order():
    longer = [len(w.inferences) > len(g.inferences) for p, g, w in outlines() if p.label is not Answer.UNKNOWN]
    assert sum(longer) > 0.6 * len(longer)
    listed = [(g, w) for p, g, w in outlines() if p.label is Answer.UNKNOWN and len(g.inferences) > 3]
    assert all({i.claim for i in g.inferences} == {i.claim for i in w.inferences} for g, w in listed)
    assert any([i.claim for i in g.inferences] != [i.claim for i in w.inferences] for g, w in listed)


def test_the_seed_decides_the_order():
    assert outlines(5) == outlines(5) != outlines(6)


def test_other_theories_keep_their_proof():
    premises = ("Max is a wumpus or Max is red.", "Max is not red.")
    either = Problem(problem_id="p", premises=premises, conclusion="Max is a wumpus.", label=Answer.TRUE)
    gold = gold_outline(either)
    assert gold.inferences
    assert wandering_outline(either, gold, random.Random(1)) == gold
