"""Figures about verified traces, each with a 95% interval: a row a stage, reference rows, and differences of stages.

Contract: pure statistics. It reads verdicts and never makes one; every trace must be verified and labelled. A rate is
over traces or over steps, and both come in clusters: the steps of a trace rise and fall together, and so do several
samples of one problem. Problems are what is independent, so every interval treats the problem as the sampling unit.
Intervals speak of other problems of the same kind; they do not know about other seeds of training or sampling.

Trace validity is `all_steps_valid` with the answer equal to the label. Sound verdicts make the second follow wherever
the label is right, so the two can differ only where a label is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from sokrates.errors import SokratesError
from sokrates.logic.answer import ANSWERS, Answer
from sokrates.logic.rules import CONCLUDE
from sokrates.logic.verdict import Reason
from sokrates.problems import Problem
from sokrates.traces.trace import Step, Trace

Floats = npt.NDArray[np.float64]

Z = 1.959963984540054
"""The 97.5% point of the normal distribution: all intervals are two-sided 95% ones."""
DECIDED = (Answer.TRUE, Answer.FALSE)
ALL_PROBLEMS, DECIDED_PROBLEMS = "all", "TRUE/FALSE"
_UNPARSED = (Reason.UNREADABLE_ACTION, Reason.UNKNOWN_RULE)
_CELLS = 4_000_000
"""Most numbers that a bootstrap holds at once (32 MB)."""


class Interval(msgspec.Struct, frozen=True):
    """A figure and its 95% interval. An exact figure has `low == high == value`."""

    value: float
    low: float
    high: float


class PairedInterval(Interval, frozen=True):
    """A difference over the same problems, and how many they are."""

    problems: int


class Difference(PairedInterval, frozen=True, kw_only=True):
    """How a rate changed from one stage to another, `subset` of the problems: all, or TRUE and FALSE alone."""

    before: str
    after: str
    metric: str
    subset: str


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One stage's figures. Rates are shares of 1; None where there was nothing to count."""

    stage: str
    n: int
    """Traces."""
    problems: int
    accuracy: Interval
    step_validity: Interval | None
    """Over all steps, CONCLUDE included."""
    inference_step_validity: Interval | None
    """Over the steps that are not CONCLUDE."""
    trace_validity: Interval
    entailed_rate: Interval | None
    """Inference steps whose claim follows from all premises; a claim that is absent or undecided does not count."""
    published_rate: Interval | None
    """Steps that the weak published rule accepts."""
    mean_steps: float
    mean_steps_interval: Interval | None
    """Normal, by problems; None for a single problem, which shows no spread."""
    parse_failures: Interval
    """Traces with an unreadable action or unknown rule, or without CONCLUDE."""
    claims_missing: Interval | None
    """Inference steps that state no readable claim."""
    undecided_claims: int
    misquotes: int
    unused_steps: int
    repeated_steps: int
    proof_rate: Interval | None = None
    """Traces that are right and prove it: see `Trace.proved`."""
    action_validity: Interval | None = None
    """Actions that some claim would make a valid step; one that the token limit cut off does not count."""
    decided: Row | None = None
    """The TRUE and FALSE problems alone."""
    by_label: dict[str, Row] = {}
    by_hops: dict[int, Row] = {}
    """Traces whose problem does not say its hops are in none of these."""


def stage_row(stage: str, traces: Iterable[Trace]) -> Row:
    """The row of a stage, with its breakdowns.

    Errors: SokratesError for no traces, a trace that is unverified or has no label, or one (problem_id, sample) twice.
    """
    checked = _checked(stage, traces)
    return _with_parts(checked, lambda part: _flat_row(stage, part))


Item = TypeVar("Item", Trace, Problem)


def _with_parts(items: Sequence[Item], flat: Callable[[Sequence[Item]], Row]) -> Row:
    """The row of all items, with those of its parts: TRUE and FALSE, each label, each number of hops."""
    labels = [label for label in ANSWERS if any(item.label is label for item in items)]
    hops = sorted({item.hops for item in items if item.hops is not None})
    decided = [item for item in items if item.label in DECIDED]
    return msgspec.structs.replace(
        flat(items),
        decided=flat(decided) if decided else None,
        by_label={str(label): flat([item for item in items if item.label is label]) for label in labels},
        by_hops={count: flat([item for item in items if item.hops == count]) for count in hops},
    )


def breakdown(row: Row) -> list[Row]:
    """The parts of a row as rows of their own, named by what they cover: by label, then by hops."""
    parts = {**row.by_label, **{f"{hops} hop{'s' * (hops != 1)}": part for hops, part in row.by_hops.items()}}
    if row.decided is not None:
        parts = {DECIDED_PROBLEMS: row.decided, **parts}
    return [msgspec.structs.replace(part, stage=name) for name, part in parts.items()]


def _flat_row(stage: str, traces: Sequence[Trace]) -> Row:
    clusters = _Clusters(traces)
    rates = {name: clusters.rate(*counts) for name, counts in _RATES.items()}
    steps = clusters.totals(lambda trace: len(trace.steps))
    return Row(
        stage=stage,
        n=len(traces),
        problems=len(clusters.problem_ids),
        mean_steps=float(steps.sum() / len(traces)),
        mean_steps_interval=clustered_mean(steps, clusters.totals(_one)),
        undecided_claims=sum(
            step.claim is not None and step.entailed is None for t in traces for step in inferences(t)
        ),
        misquotes=sum(trace.misquotes or 0 for trace in traces),
        unused_steps=sum(trace.unused_steps or 0 for trace in traces),
        repeated_steps=sum(trace.repeated_steps or 0 for trace in traces),
        **rates,  # type: ignore[arg-type]  # every trace counts 1, so the rates over traces are never None
    )


def inferences(trace: Trace) -> list[Step]:
    """The steps of a trace that are not CONCLUDE."""
    return [step for step in trace.steps if step.option_type != CONCLUDE]


def _one(_: Trace) -> int:
    return 1


def _parse_failure(trace: Trace) -> bool:
    unparsed = any(step.reason in _UNPARSED for step in trace.steps)
    return unparsed or all(step.option_type != CONCLUDE for step in trace.steps)


Count = Callable[[Trace], int]  # a bool counts as 0 or 1
_RATES: dict[str, tuple[Count, Count]] = {
    "accuracy": (lambda t: t.correct, _one),
    "trace_validity": (lambda t: t.all_steps_valid is True and t.correct, _one),
    "proof_rate": (lambda t: t.proved and t.correct, _one),
    "parse_failures": (_parse_failure, _one),
    "step_validity": (lambda t: sum(s.solver_valid is True for s in t.steps), lambda t: len(t.steps)),
    "action_validity": (lambda t: sum(s.action_valid is True for s in t.emitted), lambda t: len(t.emitted)),
    "published_rate": (lambda t: sum(s.published_valid is True for s in t.steps), lambda t: len(t.steps)),
    "inference_step_validity": (
        lambda t: sum(s.solver_valid is True for s in inferences(t)),
        lambda t: len(inferences(t)),
    ),
    "entailed_rate": (lambda t: sum(s.entailed is True for s in inferences(t)), lambda t: len(inferences(t))),
    "claims_missing": (lambda t: sum(s.claim is None for s in inferences(t)), lambda t: len(inferences(t))),
}
"""Each rate as what is counted in a trace, and out of how many."""
COMPARED = ("accuracy", "step_validity", "trace_validity", "proof_rate")
"""The rates whose differences between stages are reported."""


class _Clusters:
    """Traces grouped by problem, in the order of the ids."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self.problem_ids = sorted({trace.problem_id for trace in traces})
        position = {problem_id: index for index, problem_id in enumerate(self.problem_ids)}
        self._index = [position[trace.problem_id] for trace in traces]
        self._traces = traces

    def totals(self, count: Count) -> Floats:
        """A count summed over each problem's traces, shape (problems,)."""
        return np.bincount(self._index, [count(trace) for trace in self._traces]).astype(np.float64)

    def rate(self, part: Count, whole: Count) -> Interval | None:
        return clustered_rate(self.totals(part), self.totals(whole))


def counts(traces: Sequence[Trace], metric: str) -> dict[str, tuple[float, float]]:
    """By problem: what a rate (a name in Row) counts in its traces, and out of how many."""
    clusters = _Clusters(traces)
    parts, wholes = (clusters.totals(count) for count in _RATES[metric])
    return dict(zip(clusters.problem_ids, zip(parts.tolist(), wholes.tolist(), strict=True), strict=True))


def _checked(stage: str, traces: Iterable[Trace]) -> list[Trace]:
    checked: dict[tuple[str, int], Trace] = {}
    for trace in traces:
        where = f"{stage}: {trace.problem_id}, sample {trace.sample}"
        if trace.all_steps_valid is None:
            raise SokratesError(f"{where}: not verified; expected a trace as `sokrates verify` writes it")
        if trace.label is None:
            raise SokratesError(f"{where}: no label; expected one of {', '.join(ANSWERS)} to measure against")
        if (trace.problem_id, trace.sample) in checked:
            raise SokratesError(f"{where}: there twice; expected each sample of a problem once")
        checked[trace.problem_id, trace.sample] = trace
    if not checked:
        raise SokratesError(f"{stage}: no traces; expected at least one to measure")
    return list(checked.values())


def wilson(rate: float, size: float) -> Interval:
    """Wilson's 95% score interval (1927) of a rate in [0, 1] seen in `size` > 0 independent trials.

    `size` need not be whole: it may be an effective sample size.
    """
    squared = Z * Z / size
    centre = (rate + squared / 2) / (1 + squared)
    radius = Z / (1 + squared) * math.sqrt(rate * (1 - rate) / size + squared / (4 * size))
    return Interval(rate, min(rate, max(0.0, centre - radius)), max(rate, min(1.0, centre + radius)))


def clustered_rate(parts: npt.ArrayLike, wholes: npt.ArrayLike) -> Interval | None:
    """The rate sum(parts) / sum(wholes) of counts by cluster, with 0 <= part <= whole; None where nothing was counted.

    Wilson's interval with the effective sample size: the number of items divided by the design effect (Kish 1965;
    Korn and Graubard 1998 use it for score-like intervals of survey proportions). Counting 1,000 steps of 200 traces as
    1,000 independent trials would make the interval too narrow; counting clusters of one item it is Wilson's exactly.
    """
    part, whole = np.asarray(parts, dtype=float), np.asarray(wholes, dtype=float)
    size = float(whole.sum())
    if size == 0:
        return None
    return wilson(float(part.sum()) / size, size / _design_effect(part[whole > 0], whole[whole > 0]))


def _design_effect(part: Floats, whole: Floats) -> float:
    """How many times larger the variance of the rate is than with independent items, at least 1.

    The linearised variance of a ratio over that of simple sampling. Where nearly all items are right, or nearly none,
    the data cannot tell how alike the items of a cluster are; so two clusters of mean size join the estimate, one
    wholly right and one wholly wrong. They make it cautious there (at 0 and 1, about one trial a cluster) and matter
    little elsewhere.
    """
    part = np.append(part, [whole.mean(), 0.0])
    whole = np.append(whole, [whole.mean(), whole.mean()])
    clusters, size = len(whole), whole.sum()
    rate = part.sum() / size
    clustered = clusters / (clusters - 1) * np.square(part - rate * whole).sum() / size**2
    return max(1.0, float(clustered / (rate * (1 - rate) / (size - 1))))


def clustered_mean(totals: npt.ArrayLike, sizes: npt.ArrayLike) -> Interval | None:
    """The mean sum(totals) / sum(sizes) over independent clusters, with a normal 95% interval; None for one cluster."""
    total, size = np.asarray(totals, dtype=float), np.asarray(sizes, dtype=float)
    clusters = len(total)
    if clusters < 2:
        return None
    mean = float(total.sum() / size.sum())
    variance = clusters / (clusters - 1) * np.square(total - mean * size).sum() / size.sum() ** 2
    return Interval(mean, mean - Z * math.sqrt(variance), mean + Z * math.sqrt(variance))


class Lone(NamedTuple):
    """What a trace of nothing but CONCLUDE is worth."""

    valid: bool
    proved: bool


LoneConclude = Callable[[Problem, Answer], Lone]
"""The verdict on a lone CONCLUDE with this answer to the problem."""


def unknown_only(problem: Problem, answer: Answer) -> Lone:
    """The verdict where no premise states the conclusion or its complement: valid is UNKNOWN, where that is right; and
    as it tries nothing it is no proof."""
    return Lone(valid=answer is problem.label is Answer.UNKNOWN, proved=False)


def reference_rows(problems: Sequence[Problem], lone_conclude: LoneConclude = unknown_only) -> list[Row]:
    """The rows of two models that do not read: one always answers UNKNOWN, one guesses among the three answers.

    Both write a lone CONCLUDE and nothing else. Their figures are expectations on exactly these problems, without
    error: `low == high == value`. Such a trace is valid when its answer needs no step before it: UNKNOWN where that is
    right, TRUE or FALSE where a premise states the conclusion or its complement. So always-UNKNOWN has the share of
    UNKNOWN problems, and the guesser a third of the share of problems where the right answer needs no step. The
    published rule accepts every right answer. Such a trace proves UNKNOWN only where no step derives anything.

    Errors: SokratesError for no problems, or one without a label.
    """
    strategies = {
        "always UNKNOWN": {Answer.UNKNOWN: 1.0},
        "random guess": dict.fromkeys(ANSWERS, 1 / len(ANSWERS)),
    }

    def row(stage: str) -> Row:
        return _with_parts(problems, lambda part: _blind_row(stage, part, strategies[stage], lone_conclude))

    return [row(stage) for stage in strategies]


def _blind_row(
    stage: str, problems: Sequence[Problem], chances: Mapping[Answer, float], lone_conclude: LoneConclude
) -> Row:
    """A model that answers with fixed chances and a lone CONCLUDE, averaged over the problems and the chances."""
    if not problems:
        raise SokratesError(f"{stage}: no problems; expected at least one to measure on")
    right = steps = whole = proved = 0.0
    for problem in problems:
        if problem.label is None:
            raise SokratesError(f"{stage}: {problem.problem_id}: no label; expected one of {', '.join(ANSWERS)}")
        for answer, chance in chances.items():
            verdict, correct = lone_conclude(problem, answer), answer is problem.label
            right += chance * correct
            steps += chance * verdict.valid
            whole += chance * (verdict.valid and correct)
            proved += chance * (verdict.proved and correct)
    count = len(problems)
    return Row(
        stage=stage,
        n=count,
        problems=len({problem.problem_id for problem in problems}),
        accuracy=_exact(right / count),
        step_validity=_exact(steps / count),
        inference_step_validity=None,
        trace_validity=_exact(whole / count),
        proof_rate=_exact(proved / count),
        entailed_rate=None,
        published_rate=_exact(right / count),
        mean_steps=1.0,
        mean_steps_interval=_exact(1.0),
        parse_failures=_exact(0.0),
        claims_missing=None,
        undecided_claims=0,
        misquotes=0,
        unused_steps=0,
        repeated_steps=0,
    )


def _exact(value: float) -> Interval:
    return Interval(value, value, value)


def paired_difference(
    before: Mapping[str, float], after: Mapping[str, float], samples: int = 2000, seed: int = 42
) -> PairedInterval:
    """Mean of `after` less mean of `before`, values by problem id, with a paired bootstrap over the problems.

    Percentile interval (Efron 1979) of `samples` resamples; problems are drawn, and both values of one with it.
    Errors: SokratesError where the problems differ, naming some of those that are missing, or where there are none.
    """
    _same_problems("before", before, "after", after)
    ids = sorted(before)
    ones = np.ones(len(ids))
    pairs = (np.array([before[name] for name in ids]), ones), (np.array([after[name] for name in ids]), ones)
    return _paired_bootstrap(*pairs, samples, seed)


def differences(
    before: str, before_traces: Iterable[Trace], after: str, after_traces: Iterable[Trace], *, samples: int, seed: int
) -> list[Difference]:
    """What changed between two stages on the same problems: each compared rate, on all problems and on TRUE and FALSE.

    Rates over steps stay ratios of totals in every resample, so each difference is exactly that of the two rows. A rate
    that one side has nothing to count for is left out. Errors: as `stage_row` and `paired_difference`.
    """
    sides = _checked(before, before_traces), _checked(after, after_traces)
    found = []
    for subset, labels in ((ALL_PROBLEMS, ANSWERS), (DECIDED_PROBLEMS, DECIDED)):
        clusters = [_Clusters([trace for trace in side if trace.label in labels]) for side in sides]
        if not any(len(cluster.problem_ids) for cluster in clusters):
            continue
        _same_problems(before, clusters[0].problem_ids, after, clusters[1].problem_ids)
        for metric in COMPARED:
            old, new = [tuple(cluster.totals(count) for count in _RATES[metric]) for cluster in clusters]
            if old[1].sum() == 0 or new[1].sum() == 0:
                continue
            change = _paired_bootstrap((old[0], old[1]), (new[0], new[1]), samples, seed)
            found.append(
                Difference(**msgspec.structs.asdict(change), before=before, after=after, metric=metric, subset=subset)
            )
    return found


def _paired_bootstrap(
    before: tuple[Floats, Floats], after: tuple[Floats, Floats], samples: int, seed: int
) -> PairedInterval:
    """Bootstrap of a difference of ratios; each side is (parts, wholes), shape (problems,), in the same order."""
    columns = np.stack([*before, *after], axis=1)
    count = len(columns)
    random = np.random.default_rng(seed)
    sizes = [min(max(1, _CELLS // count), samples - start) for start in range(0, samples, max(1, _CELLS // count))]
    drawn = [random.multinomial(count, np.full(count, 1 / count), size) @ columns for size in sizes]
    value = _ratio_difference(columns.sum(axis=0, keepdims=True))[0]
    low, high = np.nanquantile(_ratio_difference(np.concatenate(drawn)), [0.025, 0.975])
    return PairedInterval(float(value), float(low), float(high), count)


def _ratio_difference(sums: Floats) -> Floats:
    """Of sums by resample, shape (resamples, 4); NaN where a resample drew nothing to count."""
    parts, wholes = sums[:, [0, 2]], sums[:, [1, 3]]
    ratios = np.divide(parts, wholes, out=np.full_like(parts, np.nan), where=wholes > 0)
    return np.asarray(ratios[:, 1] - ratios[:, 0])


def _same_problems(before: str, old_ids: Iterable[str], after: str, new_ids: Iterable[str]) -> None:
    old, new = set(old_ids), set(new_ids)
    missing = [
        f"{len(ids)} only in {where} ({_some(ids)})" for where, ids in ((before, old - new), (after, new - old)) if ids
    ]
    if missing:
        raise SokratesError(f"a paired difference needs the same problems on both sides: {'; '.join(missing)}")
    if not old:
        raise SokratesError("a paired difference needs at least one problem")


def _some(ids: Iterable[str], most: int = 3) -> str:
    listed = sorted(ids)
    return ", ".join(listed[:most]) + (", …" if len(listed) > most else "")
