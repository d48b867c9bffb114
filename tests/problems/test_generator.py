"""Generated problems: their labels by z3, their hops, their variety, and that the seed decides all."""

from __future__ import annotations

from collections import Counter

import pytest

from sokrates.errors import SokratesError
from sokrates.logic.answer import ANSWERS, Answer
from sokrates.logic.formulas import complement, constants
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.problems.labels import label_error
from sokrates.problems.reading import read_sentences
from sokrates.traces.gold import gold_outline
from tests.logic import oracle

PLAIN = GeneratorSettings()
RICH = GeneratorSettings(least_hops=1, most_hops=8, entities=3, distractors=2)
TWOFOLD = GeneratorSettings(distractors=2, second_facts=1)


@pytest.mark.parametrize("settings", [PLAIN, RICH, TWOFOLD], ids=["plain", "rich", "twofold"])
def test_labels_are_what_z3_says(settings):
    for problem in generate(100, settings, seed=1):
        theory = read_sentences(problem.premises, problem.conclusion).theory
        assert not oracle.contradict(theory.premises)
        proved = oracle.entails(theory.premises, theory.conclusion)
        refuted = oracle.entails(theory.premises, complement(theory.conclusion))
        assert problem.label is (Answer.TRUE if proved else Answer.FALSE if refuted else Answer.UNKNOWN)
        assert label_error(problem) is None


def test_every_hop_count_and_label_appears_about_equally():
    problems = list(generate(900, PLAIN, seed=2))
    hops, labels = Counter(problem.hops for problem in problems), Counter(problem.label for problem in problems)
    assert set(hops) == {1, 2, 3, 4, 5} and set(labels) == set(ANSWERS)
    assert min(hops.values()) > 135 and max(hops.values()) < 225
    assert min(labels.values()) > 240 and max(labels.values()) < 360


def test_the_mix_is_kept():
    labels = {problem.label for problem in generate(100, GeneratorSettings(mix=(1, 0, 0)), seed=2)}
    assert labels == {Answer.TRUE}
    labels = Counter(problem.label for problem in generate(300, GeneratorSettings(mix=(1, 3, 0)), seed=2))
    assert labels[Answer.UNKNOWN] == 0 and 180 < labels[Answer.FALSE] < 270


def test_no_problem_comes_twice():
    small = GeneratorSettings(most_hops=1, distractors=0)
    for settings in (PLAIN, small):
        problems = list(generate(500, settings, seed=3))
        assert len({problem.content_hash for problem in problems}) == 500
        assert len({problem.problem_id for problem in problems}) == 500


def test_no_problem_comes_twice_where_words_are_few(monkeypatch):
    monkeypatch.setattr("sokrates.problems.generator.CONCEPTS", ("wumpus", "yumpus", "zumpus", "dumpus"))
    monkeypatch.setattr("sokrates.problems.generator.PROPERTIES", ("red", "kind", "cold"))
    monkeypatch.setattr("sokrates.problems.generator.NAMES", ("Max",))
    few = GeneratorSettings(most_hops=1, distractors=0)
    assert len({problem.content_hash for problem in generate(400, few, seed=3)}) == 400


def test_no_premise_comes_twice_and_none_is_the_answer():
    for problem in generate(300, RICH, seed=4):
        assert len(set(problem.premises)) == len(problem.premises)
        assert problem.conclusion not in problem.premises


def test_the_seed_decides_all():
    assert list(generate(50, PLAIN, seed=5)) == list(generate(50, PLAIN, seed=5))
    assert list(generate(50, PLAIN, seed=5))[:20] == list(generate(20, PLAIN, seed=5))
    one, other = (list(generate(50, PLAIN, seed=seed)) for seed in (5, 6))
    assert not {problem.content_hash for problem in one} & {problem.content_hash for problem in other}
    assert next(iter(generate(1, PLAIN, seed=5, prefix="other"))).premises != one[0].premises


def test_as_many_names_as_asked_for():
    for problem in generate(50, RICH, seed=7):
        premises = read_sentences(problem.premises, problem.conclusion).theory.premises
        assert len(frozenset().union(*map(constants, premises))) == 3


def test_distractors_make_problems_longer():
    lengths = [
        sum(len(problem.premises) for problem in generate(200, GeneratorSettings(distractors=amount), seed=8))
        for amount in (0, 1, 2)
    ]
    assert lengths == sorted(lengths) and lengths[2] > 1.4 * lengths[0]


def test_neither_words_nor_positions_tell_the_answer():
    """The share of TRUE among decided problems is near one half for negated and for plain conclusions."""
    problems = [p for p in generate(900, PLAIN, seed=9) if p.label is not Answer.UNKNOWN]
    for negated in (True, False):
        some = [p.label is Answer.TRUE for p in problems if (" not " in p.conclusion) is negated]
        assert len(some) > 150
        assert 0.3 < sum(some) / len(some) < 0.7


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"least_hops": 0}, "hops 0 to 5: expected 1 <= least <= most <= 10"),
        ({"least_hops": 6}, "hops 6 to 5"),
        ({"most_hops": 11}, "hops 1 to 11"),
        ({"entities": 0}, "0 entities: expected 1 to 9"),
        ({"entities": 10}, "10 entities"),
        ({"distractors": 4}, "distractors 4: expected 0 to 3"),
        ({"distractors": -1}, "distractors -1"),
        ({"mix": (0, 0, 0)}, "label mix"),
        ({"mix": (1, -1, 1)}, "label mix"),
        ({"mix": (1, 1)}, "label mix"),
    ],
)
def test_settings_that_cannot_be_are_errors(settings, expected):
    with pytest.raises(SokratesError, match=expected):
        GeneratorSettings(**settings)


def test_what_cannot_be_found_is_an_error():
    impossible = GeneratorSettings(least_hops=5, most_hops=5, mix=(0, 0, 1), max_facts=1)
    with pytest.raises(SokratesError, match=r"sokrates-1-0: no new problem with 5 hops and answer UNKNOWN"):
        list(generate(1, impossible, seed=1))


def test_the_second_fact_is_of_the_subject_and_leads_elsewhere():
    def facts(problem):
        premises = read_sentences(problem.premises, problem.conclusion).theory.premises
        return [line for line, premise in enumerate(premises) if constants(premise)]

    counts = Counter(len(facts(problem)) for problem in generate(200, TWOFOLD, seed=8))
    assert set(counts) <= {1, 2} and counts[2] > 150  # some ontologies use up all words
    assert Counter(len(facts(problem)) for problem in generate(200, PLAIN, seed=8)) == {1: 200}
    for problem in generate(100, TWOFOLD, seed=9):
        cited = {line for inference in gold_outline(problem).inferences for line in inference.args}
        if problem.label is not Answer.UNKNOWN and len(facts(problem)) == 2:
            assert len(cited & set(facts(problem))) == 1
