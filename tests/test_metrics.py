"""The figures: counts against the verifier's own summary, intervals against simulation, references against verdicts."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from sokrates import metrics
from sokrates.errors import SokratesError
from sokrates.logic.answer import ANSWERS, Answer
from sokrates.metrics import (
    Lone,
    Row,
    breakdown,
    clustered_mean,
    clustered_rate,
    differences,
    paired_difference,
    reference_rows,
    stage_row,
    wilson,
)
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.building import build_trace
from sokrates.traces.gold import gold_completion, gold_outline, write_outline
from sokrates.traces.sloppy import sloppy_outline
from sokrates.traces.text import render, render_action
from sokrates.traces.trace import Trace
from sokrates.verification.summary import Tally
from sokrates.verification.verify import verify


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return list(generate(60, GeneratorSettings(), seed=11))


def sloppy_traces(problems: Sequence[Problem], rate: float, samples: int = 1) -> list[Trace]:
    rng = random.Random(5)
    return [
        msgspec.structs.replace(verify(build_trace(problem, write_outline(problem, outline))), sample=sample)
        for problem in problems
        for sample in range(samples)
        for outline in [sloppy_outline(problem, gold_outline(problem), rng, rate=rate)]
    ]


def lone_conclude(problem: Problem, answer: Answer) -> Trace:
    action = render_action("CONCLUDE", [ANSWERS.index(answer)])
    return verify(build_trace(problem, render([("", action)], answer)))


@pytest.mark.parametrize(("rate", "size"), [(0.435, 200), (0.9, 10), (0.01, 500.5)])
def test_wilsons_bounds_solve_the_score_equation(rate, size):
    interval = wilson(rate, size)
    for bound in (interval.low, interval.high):
        assert abs(rate - bound) == pytest.approx(1.959964 * (bound * (1 - bound) / size) ** 0.5)
    assert interval.low < interval.value == rate < interval.high


def test_wilson_at_the_ends():
    assert (wilson(0, 10).low, wilson(0, 10).high) == pytest.approx((0.0, 0.27754), abs=1e-5)
    assert (wilson(1, 10).low, wilson(1, 10).high) == pytest.approx((0.72246, 1.0), abs=1e-5)


def test_one_item_a_cluster_is_wilsons_interval_exactly():
    hits = np.arange(50) < 31
    found, expected = clustered_rate(hits, np.ones(50)), wilson(0.62, 50)
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))


def test_repeating_every_item_narrows_nothing():
    hits = np.arange(200) < 130
    once, tenfold = clustered_rate(hits, np.ones(200)), clustered_rate(10 * hits, np.full(200, 10))
    assert tenfold.value == once.value
    assert tenfold.high - tenfold.low == pytest.approx(once.high - once.low, rel=0.02)


def test_a_perfect_rate_over_steps_is_as_sure_as_its_traces_allow():
    assert clustered_rate(np.full(200, 5), np.full(200, 5)).low == pytest.approx(wilson(1, 200).low, abs=0.001)
    one_wrong = clustered_rate([4, *[5] * 199], np.full(200, 5))
    assert one_wrong.low == pytest.approx(wilson(1, 200).low, abs=0.002)


def test_nothing_counted_is_no_rate():
    assert clustered_rate([0, 0], [0, 0]) is None
    assert clustered_rate([], []) is None


@pytest.mark.parametrize(
    ("clusters", "rate", "alike"), [(40, 0.5, 0.3), (40, 0.95, 0.3), (200, 0.8, 0.5), (200, 0.98, 0.5)]
)
def test_rates_over_steps_cover_the_truth_as_often_as_they_say(clusters, rate, alike):
    """Beta-binomial traces of 2 to 9 steps; `alike` is the correlation of two steps of one trace."""
    rng = np.random.default_rng(1)
    simulations, weight = 500, (1 - alike) / alike
    covered = naive = 0
    for _ in range(simulations):
        steps = rng.integers(2, 10, clusters)
        valid = rng.binomial(steps, rng.beta(rate * weight, (1 - rate) * weight, clusters))
        interval, as_independent = clustered_rate(valid, steps), wilson(valid.sum() / steps.sum(), steps.sum())
        covered += interval.low <= rate <= interval.high
        naive += as_independent.low <= rate <= as_independent.high
    assert covered / simulations >= 0.93
    assert naive / simulations < 0.86


def test_the_mean_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(2)
    intervals = [clustered_mean(rng.poisson(5, 60), np.ones(60)) for _ in range(500)]
    assert 0.92 <= np.mean([interval.low <= 5 <= interval.high for interval in intervals]) <= 0.98
    assert clustered_mean([3.0], [1.0]) is None


def test_a_row_agrees_with_the_verifiers_summary(problems):
    traces = sloppy_traces(problems, 0.4)
    tally = Tally()
    for trace in traces:
        tally.add(trace)
    summary, row = tally.summary(1.0, None), stage_row("sft", traces)
    for name in ("accuracy", "step_validity", "inference_step_validity", "entailed_rate", "published_rate"):
        rate = getattr(row, name)
        assert 0 < rate.low < rate.value <= rate.high <= 1, name
        assert rate.value == pytest.approx(summary[name], abs=1e-6), name
    for name in ("undecided_claims", "misquotes", "unused_steps", "repeated_steps"):
        assert getattr(row, name) == summary[name], name
    assert row.n == row.problems == 60 and row.mean_steps == pytest.approx(summary["total_steps"] / 60)
    assert row.trace_validity.value == np.mean([trace.all_steps_valid and trace.correct for trace in traces])
    assert row.parse_failures.value == 0 and row.claims_missing.value == 0


def test_breakdowns_are_the_rows_of_their_parts(problems):
    traces = sloppy_traces(problems, 0.4)
    row = stage_row("sft", traces)
    assert list(row.by_label) == ["TRUE", "FALSE", "UNKNOWN"] and list(row.by_hops) == [1, 2, 3, 4, 5]
    for parts in (row.by_label.values(), row.by_hops.values()):
        assert sum(part.n for part in parts) == row.n
    assert row.decided.n == row.by_label["TRUE"].n + row.by_label["FALSE"].n
    alone = stage_row("sft", [trace for trace in traces if trace.hops == 3])
    assert alone.accuracy == row.by_hops[3].accuracy and alone.step_validity == row.by_hops[3].step_validity
    assert [part.stage for part in breakdown(row)][:5] == ["TRUE/FALSE", "TRUE", "FALSE", "UNKNOWN", "1 hop"]
    assert msgspec.json.decode(msgspec.json.encode(row), type=Row) == row


def test_claims_that_are_absent_or_undecided_do_not_count_as_entailed(problems):
    trace = next(trace for trace in sloppy_traces(problems, 0.0) if len(trace.steps) == 5)
    absent, undecided, refuted = trace.steps[0], trace.steps[1], trace.steps[2]
    absent.claim = absent.entailed = undecided.entailed = None
    refuted.entailed = False
    row = stage_row("a", [trace])
    assert row.entailed_rate.value == row.claims_missing.value == 1 / 4
    assert row.undecided_claims == 1


def test_samples_of_one_problem_are_not_independent(problems):
    traces = sloppy_traces(problems, 0.4)
    copies = [msgspec.structs.replace(trace, sample=sample) for trace in traces for sample in range(5)]
    once, fivefold = stage_row("a", traces), stage_row("a", copies)
    assert (fivefold.n, fivefold.problems) == (300, 60)
    for name in ("accuracy", "trace_validity", "mean_steps_interval"):
        before, after = getattr(once, name), getattr(fivefold, name)
        assert after.high - after.low == pytest.approx(before.high - before.low, rel=0.06), name


def test_what_does_not_parse_or_conclude_is_a_parse_failure(problems):
    problem = problems[0]
    conclude = ("", render_action("CONCLUDE", [0]))
    texts = [
        render([("Max is a cat.", "nonsense"), conclude], Answer.TRUE),
        render([("Max is a cat.", render_action("NO_SUCH_RULE", [0])), conclude], Answer.TRUE),
        render([("Max is a cat.", render_action("MODUS_PONENS", [0, 1]))], Answer.TRUE),
        "",
        render([("Max is a cat.", render_action("MODUS_PONENS", [0, 1])), conclude], Answer.TRUE),
    ]
    traces = [verify(build_trace(problem, text)) for text in texts]
    assert [stage_row("a", [trace]).parse_failures.value for trace in traces] == [1, 1, 1, 1, 0]
    empty = stage_row("a", [traces[3]])
    assert empty.step_validity is empty.entailed_rate is None and empty.mean_steps == 0


def test_valid_with_another_answer_than_the_label_is_not_trace_valid(problems):
    trace = sloppy_traces(problems[:1], 0.0)[0]
    assert stage_row("a", [trace]).trace_validity.value == 1
    wrong = next(answer for answer in ANSWERS if answer is not trace.label)
    mislabelled = verify(msgspec.structs.replace(trace, label=wrong))
    assert mislabelled.all_steps_valid
    assert stage_row("a", [mislabelled]).trace_validity.value == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"all_steps_valid": None}, "not verified"),
        ({"label": None}, "no label"),
        ({}, "there twice"),
    ],
)
def test_traces_that_cannot_be_measured_are_named(problems, change, message):
    traces = sloppy_traces(problems[:2], 0.0)
    traces.append(msgspec.structs.replace(traces[0], **change))
    with pytest.raises(SokratesError, match=rf"sft: {traces[0].problem_id}, sample 0: {message}"):
        stage_row("sft", traces)


def test_no_traces_are_an_error():
    with pytest.raises(SokratesError, match="sft: no traces"):
        stage_row("sft", [])


@pytest.fixture(scope="module")
def with_givens(problems) -> list[Problem]:
    """Problems of which some state their conclusion, or its complement, among their premises."""
    given = Problem(problem_id="given", premises=("Max is a cat.",), conclusion="Max is a cat.", label=Answer.TRUE)
    denied = Problem(
        problem_id="denied", premises=("Max is a cat.",), conclusion="Max is not a cat.", label=Answer.FALSE
    )
    return [*problems, given, denied]


def test_reference_rows_are_what_verifying_those_models_gives(with_givens):
    def verdict(problem: Problem, answer: Answer) -> Lone:
        trace = lone_conclude(problem, answer)
        return Lone(trace.all_steps_valid, trace.proved)

    always, guess = reference_rows(with_givens, verdict)
    asked = {answer: stage_row("", [lone_conclude(p, answer) for p in with_givens]) for answer in ANSWERS}
    for path in ((), ("decided",), *(("by_label", str(answer)) for answer in ANSWERS)):
        for name in ("accuracy", "step_validity", "trace_validity", "proof_rate", "published_rate"):
            seen = {answer: getattr(_at(row, path), name).value for answer, row in asked.items()}
            assert getattr(_at(always, path), name).value == pytest.approx(seen[Answer.UNKNOWN]), (path, name)
            assert getattr(_at(guess, path), name).value == pytest.approx(np.mean(list(seen.values()))), (path, name)
    assert guess.by_label["TRUE"].accuracy.value == pytest.approx(1 / 3)
    assert guess.by_label["TRUE"].trace_validity.value > 0
    assert always.accuracy.low == always.accuracy.high == always.accuracy.value
    assert always.mean_steps == 1 and always.entailed_rate is None


def _at(row: Row, path: Sequence[str]) -> Row:
    part = getattr(row, path[0]) if path else row
    return part[path[1]] if len(path) > 1 else part


def test_an_unknown_is_a_proof_after_a_full_search_alone(problems):
    unknown = [problem for problem in problems if problem.label is Answer.UNKNOWN]
    searched = [verify(build_trace(problem, gold_completion(problem))) for problem in unknown]
    gave_up = [lone_conclude(problem, Answer.UNKNOWN) for problem in unknown]
    rows = stage_row("searched", searched), stage_row("gave up", gave_up)
    assert [row.trace_validity.value for row in rows] == [1.0, 1.0]
    assert [row.proof_rate.value for row in rows] == [1.0, 0.0]


def test_reference_rows_from_labels_alone(problems):
    always, guess = reference_rows(problems)
    share = np.mean([problem.label is Answer.UNKNOWN for problem in problems])
    assert always.accuracy.value == always.trace_validity.value == always.step_validity.value == pytest.approx(share)
    assert guess.trace_validity.value == pytest.approx(share / 3)
    assert guess.decided.trace_validity.value == always.decided.accuracy.value == 0
    assert always.proof_rate.value == guess.proof_rate.value == 0
    with pytest.raises(SokratesError, match="no label"):
        reference_rows([msgspec.structs.replace(problems[0], label=None)])
    with pytest.raises(SokratesError, match="no problems"):
        reference_rows([])


def test_a_paired_difference_resamples_problems_with_both_their_values():
    before = {f"p{index}": float(index % 2) for index in range(40)}
    shifted = {name: value + 0.25 for name, value in reversed(before.items())}
    change = paired_difference(before, shifted, samples=300, seed=1)
    assert (change.value, change.low, change.high) == pytest.approx((0.25, 0.25, 0.25))
    assert change.problems == 40


def test_a_paired_difference_follows_its_seed_and_reverses_its_sign():
    rng = np.random.default_rng(3)
    before, after = ({f"p{i}": float(x) for i, x in enumerate(rng.random(30) < rate)} for rate in (0.4, 0.7))
    change = paired_difference(before, after, samples=500, seed=1)
    back = paired_difference(after, before, samples=500, seed=1)
    assert change == paired_difference(before, after, samples=500, seed=1)
    assert change != paired_difference(before, after, samples=500, seed=2)
    assert (-back.value, -back.high, -back.low) == pytest.approx((change.value, change.low, change.high))
    assert change.low < change.value < change.high


def test_a_paired_difference_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(4)
    covered = []
    for _ in range(200):
        hard = rng.random(80)  # what makes the two values of a problem go together
        before, after = (hard < 0.4), (hard + rng.normal(0, 0.1, 80) < 0.55)
        values = [{f"p{i}": float(x) for i, x in enumerate(side)} for side in (before, after)]
        change = paired_difference(*values, samples=400, seed=5)
        covered.append(change.low <= _TRUE_DIFFERENCE <= change.high)
    assert 0.90 <= np.mean(covered) <= 0.99


_TRUE_DIFFERENCE = 0.15  # the mean of clip(0.55 - noise, 0, 1) is 0.55 to five digits


def test_a_bootstrap_in_parts_has_all_its_samples(monkeypatch):
    values = {f"p{index}": float(index) for index in range(10)}
    doubled = {name: 2 * value for name, value in values.items()}
    whole = paired_difference(values, doubled, samples=250, seed=1)
    monkeypatch.setattr(metrics, "_CELLS", 70)
    in_parts = paired_difference(values, doubled, samples=250, seed=1)
    assert (in_parts.low, in_parts.high) == pytest.approx((whole.low, whole.high))


def test_a_paired_difference_needs_the_same_problems():
    with pytest.raises(SokratesError, match=r"1 only in before \(a\); 4 only in after \(c, d, e, …\)"):
        paired_difference({"a": 1, "b": 1}, {"b": 1, "c": 1, "d": 1, "e": 1, "f": 1})
    with pytest.raises(SokratesError, match="at least one problem"):
        paired_difference({}, {})


def test_differences_of_stages_are_those_of_their_rows(problems):
    old, new = sloppy_traces(problems, 0.7), sloppy_traces(problems, 0.1)
    rows = stage_row("sft", old), stage_row("iter1", new)
    found = {(d.metric, d.subset): d for d in differences("sft", old, "iter1", new[::-1], samples=200, seed=1)}
    assert len(found) == 8
    for (metric, subset), change in found.items():
        before, after = rows if subset == "all" else (rows[0].decided, rows[1].decided)
        assert change.value == pytest.approx(getattr(after, metric).value - getattr(before, metric).value)
        assert change.low <= change.value <= change.high and change.problems == before.n
        assert (change.before, change.after) == ("sft", "iter1")
    assert found["trace_validity", "all"].low > 0


def test_differences_need_the_same_problems_and_leave_out_what_nobody_has(problems):
    traces = sloppy_traces(problems, 0.0)
    with pytest.raises(SokratesError, match=rf"1 only in sft \({traces[0].problem_id}\)"):
        differences("sft", traces, "iter1", traces[1:], samples=100, seed=1)
    unknown = [trace for trace in traces if trace.label is Answer.UNKNOWN]
    assert {d.subset for d in differences("a", unknown, "b", unknown, samples=100, seed=1)} == {"all"}
    silent = [verify(build_trace(problem, "")) for problem in problems]
    assert {d.metric for d in differences("a", silent, "b", traces, samples=100, seed=1)} == {
        "accuracy",
        "trace_validity",
        "proof_rate",
    }
