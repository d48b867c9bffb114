"""Several runs of one configuration with different seeds, taken together: means, and intervals that know of both.

Contract: it reads finished run folders and changes none. A figure is the mean over the runs; its 95% interval is the
percentile interval of a bootstrap that draws runs and problems, both with replacement (two crossed factors: Owen 2007,
"The pigeonhole bootstrap"). Problems that several runs share are drawn together, for they are hard or easy together.
With few runs, what another seed would give is known only roughly: three runs give three values to draw from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from sokrates import jsonl, stage
from sokrates.errors import SokratesError
from sokrates.evaluation import measured
from sokrates.metrics import COMPARED, DECIDED, Difference, Floats, Interval, counts
from sokrates.report.folder import DIFFERENCES, EVALUATION, RESULTS, TRANSFER
from sokrates.report.table import markdown, percent, points
from sokrates.traces.trace import Trace

_DECIDED = "decided_trace_validity"
METRICS = {
    "accuracy": "accuracy",
    "step validity": "step_validity",
    "action validity": "action_validity",
    "trace validity": "trace_validity",
    "proof rate": "proof_rate",
    "on TRUE/FALSE": _DECIDED,
    "entailed claims": "entailed_rate",
    "published rule": "published_rate",
}
"""The columns of a table, and the rate behind each; "on TRUE/FALSE" is the trace validity on those problems alone."""
_CHANGES = (*COMPARED, _DECIDED)

Counts = Mapping[str, tuple[float, float]]
"""Of one run and stage: what a rate counts in each problem, and out of how many."""


class Line(msgspec.Struct, frozen=True):
    """A stage over all runs."""

    stage: str
    problems: int
    """Of all runs, each counted once."""
    rates: dict[str, Interval | None]
    by_run: dict[str, list[float | None]]
    """Each run's own figures, in the order of the folders."""


class Change(msgspec.Struct, frozen=True):
    """The differences between two stages over all runs."""

    before: str
    after: str
    rates: dict[str, Interval | None]


class Comparison(msgspec.Struct, frozen=True):
    """All stages on one set of problems; `name` is "" for the set that the runs are about."""

    name: str
    lines: list[Line]
    changes: list[Change]


def compare(folders: Sequence[Path], *, samples: int = 2000, seed: int = 42) -> list[Comparison]:
    """A table for each set of problems that all runs were measured on.

    Errors: SokratesError for a folder that is no finished run, and for runs that differ in more than their seeds.
    """
    _check(folders)
    names = sorted(set.intersection(*({path.name for path in (f / TRANSFER).glob("*")} for f in folders)))
    names.insert(0, "")
    return [_compared(name, [f / TRANSFER / name if name else f for f in folders], samples, seed) for name in names]


def _check(folders: Sequence[Path]) -> None:
    for folder in folders:
        if not (folder / stage.SUMMARY).is_file() or not (folder / RESULTS).is_file():
            raise SokratesError(f"{folder}: no finished run; expected a folder that `sokrates loop` has finished")
    settings: list[Any] = [jsonl.read_json(folder / stage.STAGE) for folder in folders]
    for folder, other in zip(folders[1:], settings[1:], strict=True):
        differing = {key: said for key, said in stage.changed(settings[0], other).items() if not key.endswith("seed")}
        if differing:
            raise SokratesError(
                f"{folders[0]} and {folder} differ in more than their seeds: {'; '.join(differing.values())}"
            )


def _compared(name: str, folders: Sequence[Path], samples: int, seed: int) -> Comparison:
    stages = _in_all([[row["stage"] for row in jsonl.read_json(folder / RESULTS)] for folder in folders])
    pairs = _in_all([_pairs(folder) for folder in folders])
    traces = {stage: [measured(folder / EVALUATION / stage) for folder in folders] for stage in stages}
    counted = {
        (stage, metric): [_counts(of, metric) for of in traces[stage]]
        for stage in stages
        for metric in METRICS.values()
    }
    problem_ids = sorted({trace.problem_id for of in traces.values() for run in of for trace in run})
    draws = _Draws(problem_ids, len(folders), samples, np.random.default_rng(seed))
    lines = [
        Line(
            of,
            len({trace.problem_id for run in traces[of] for trace in run}),
            {metric: draws.interval(counted[of, metric]) for metric in METRICS.values()},
            {metric: [_rate(run) for run in counted[of, metric]] for metric in METRICS.values()},
        )
        for of in stages
    ]
    changes = [
        Change(
            before,
            after,
            {metric: draws.interval(counted[after, metric], counted[before, metric]) for metric in _CHANGES},
        )
        for before, after in pairs
        if before in traces and after in traces
    ]
    return Comparison(name, lines, changes)


def _counts(traces: Sequence[Trace], metric: str) -> Counts:
    if metric == _DECIDED:
        return counts([trace for trace in traces if trace.label in DECIDED], "trace_validity")
    return counts(traces, metric)


def _pairs(folder: Path) -> list[tuple[str, str]]:
    found = jsonl.read_json(folder / DIFFERENCES, list[Difference])
    return list(dict.fromkeys((difference.before, difference.after) for difference in found))


def _in_all(lists: Sequence[list[Any]]) -> list[Any]:
    """What is in every list, in the order of the first."""
    return [item for item in lists[0] if all(item in other for other in lists[1:])]


def _rate(counted: Counts) -> float | None:
    wholes = sum(whole for _, whole in counted.values())
    return sum(part for part, _ in counted.values()) / wholes if wholes else None


class _Draws:
    """The resamples of one comparison: how often each problem was drawn, and which runs, the same for all figures."""

    def __init__(self, problem_ids: Sequence[str], runs: int, samples: int, random: np.random.Generator) -> None:
        size = len(problem_ids)
        self._place = {problem_id: place for place, problem_id in enumerate(problem_ids)}
        self._weights: Floats = random.multinomial(size, np.full(size, 1 / size), samples).astype(np.float64)
        self._drawn = random.integers(runs, size=(samples, runs))

    def interval(self, after: Sequence[Counts], before: Sequence[Counts] | None = None) -> Interval | None:
        """The mean over runs of a rate, or of its change; None where a run has nothing to count for."""
        value = self._change(after, before, np.ones((1, len(self._place))))
        rates = self._change(after, before, self._weights)
        if np.isnan(value).any():
            return None
        drawn = np.take_along_axis(rates, self._drawn, axis=1).mean(axis=1)
        bounds = np.nanquantile(drawn, [0.025, 0.975])
        return Interval(float(value.mean()), float(bounds[0]), float(bounds[1]))

    def _change(self, after: Sequence[Counts], before: Sequence[Counts] | None, weights: Floats) -> Floats:
        rates = self._rates(after, weights)
        return rates if before is None else rates - self._rates(before, weights)

    def _rates(self, runs: Sequence[Counts], weights: Floats) -> Floats:
        """Shape (resamples, runs); NaN where a resample drew nothing to count."""
        parts, wholes = np.zeros((2, len(self._place), len(runs)))
        for run, counted in enumerate(runs):
            for problem_id, (part, whole) in counted.items():
                parts[self._place[problem_id], run] = part
                wholes[self._place[problem_id], run] = whole
        counted_in, out_of = weights @ parts, weights @ wholes
        rates: Floats = np.divide(counted_in, out_of, out=np.full_like(out_of, np.nan), where=out_of > 0)
        return rates


def comparison_markdown(comparisons: Sequence[Comparison], runs: int) -> str:
    """All tables as Markdown, in percent and percentage points."""
    parts = []
    for found in comparisons:
        parts.append(f"## {found.name or 'The problems of the runs'}")
        parts.append(f"Mean of {runs} runs, in percent; 95% intervals over runs and problems.")
        shown = [title for title, metric in METRICS.items() if any(line.rates[metric] for line in found.lines)]
        rows = [
            [line.stage, str(line.problems), *(percent(line.rates[METRICS[title]]) for title in shown)]
            for line in found.lines
        ]
        parts.append(markdown(["stage", "problems", *shown], rows).strip())
        if found.changes:
            compared = [(title, metric) for title, metric in METRICS.items() if metric in _CHANGES]
            body = [
                [f"{of.before} → {of.after}", *(points(of.rates[metric]) for _, metric in compared)]
                for of in found.changes
            ]
            parts.append("Differences in percentage points, paired within each run.")
            parts.append(markdown(["stages", *(title for title, _ in compared)], body).strip())
    return "\n\n".join(parts) + "\n"
