"""A run folder as the loop would leave it, made without a model: gold traces broken less and less from stage to stage.

Contract: problems, traces and verdicts are real (generated, written out, verified); only who wrote the traces is not.
Traces beyond those of the distinct problems are the same under other ids.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from sokrates import jsonl, metrics
from sokrates.config import PairsConfig
from sokrates.evaluation import reference_rows
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.report.folder import DIFFERENCES, EVALUATION, PAIRS, PAIRS_SUMMARY, REFERENCES, RESULTS
from sokrates.timings import TIMINGS
from sokrates.traces.building import build_trace
from sokrates.traces.gold import gold_outline, write_outline
from sokrates.traces.sloppy import sloppy_outline
from sokrates.traces.trace import Trace
from sokrates.training.preferences import build_pairs
from sokrates.verification.files import TRACES
from sokrates.verification.verify import verify

SLOPPINESS = {"base": 0.3, "sft": 0.2, "iter1": 0.1, "iter2": 0.05}
"""How likely each step is to be broken, at each stage."""


def make_run(folder: Path, *, evaluated: int, sampled: int, samples: int = 4, distinct: int = 0, seed: int = 1) -> int:
    """Write a run folder: `evaluated` problems at each stage, and `samples` traces of `sampled` others to train on.

    They repeat `distinct` generated problems, none of them with 0. Returns how many traces there are.
    """
    number = distinct or max(evaluated, sampled)
    problems = list(generate(number, GeneratorSettings(1, 5), seed, prefix="made"))
    rows, traces = [], {}
    for stage, rate in SLOPPINESS.items():
        written = [_written(problem, rate, seed=f"{stage} {problem.problem_id}") for problem in problems]
        traces[stage] = list(_repeated(written, evaluated, "eval"))
        jsonl.write(folder / EVALUATION / stage / TRACES, traces[stage])
        rows.append(metrics.stage_row(stage, traces[stage]))
    jsonl.write_json(folder / RESULTS, rows)
    jsonl.write_json(folder / REFERENCES, reference_rows(problems))
    stages = [*SLOPPINESS]
    differences = metrics.differences(
        stages[1], traces[stages[1]], stages[-1], traces[stages[-1]], samples=200, seed=seed
    )
    jsonl.write_json(folder / DIFFERENCES, differences)
    jsonl.write_json(folder / TIMINGS, {"data": 4.2, "evaluate": 78.0, "sft": 86.0, "generate": 132.0, "dpo": 105.0})
    _write_samples(folder / "iter1", problems, sampled, samples)
    return len(stages) * evaluated + sampled * samples


def _write_samples(folder: Path, problems: Sequence[Problem], count: int, samples: int) -> None:
    """An iteration's traces to train on, and the pairs that they make."""
    drawn: list[Trace] = []
    for sample in range(samples):
        written = [_written(problem, 0.2, seed=f"{sample} {problem.problem_id}") for problem in problems]
        drawn += (msgspec.structs.replace(trace, sample=sample) for trace in _repeated(written, count, "train"))
    jsonl.write(folder / "traces" / TRACES, drawn)
    pairs, summary = build_pairs(drawn, PairsConfig())
    jsonl.write(folder / PAIRS, pairs)
    jsonl.write_json(folder / PAIRS_SUMMARY, summary)


def _written(problem: Problem, rate: float, *, seed: str) -> Trace:
    outline = sloppy_outline(problem, gold_outline(problem), random.Random(seed), rate=rate)
    trace = verify(build_trace(problem, write_outline(problem, outline)))
    trace.model, trace.finish_reason, trace.completion_tokens = "made", "stop", len(trace.completion) // 4
    return trace


def _repeated(traces: Sequence[Trace], count: int, name: str) -> Iterator[Trace]:
    for index in range(count):
        trace = traces[index % len(traces)]
        yield msgspec.structs.replace(trace, problem_id=f"{name}-{index}")
