"""The evaluation stage: a model on problems it has not seen, measured with intervals.

Contract: each problem is asked once, greedily unless configured otherwise, or several times and its samples vote; the
folder gets the verified traces, their summary, and `results.json` with the one row, over one trace a problem.
Differences between stages are paired over the same problems.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from sokrates import jsonl, metrics
from sokrates.clock import Clock
from sokrates.config import Config, EvaluationConfig
from sokrates.errors import SokratesError
from sokrates.generation import Asker, OnTrace, generate_traces
from sokrates.logic.answer import ANSWERS, Answer
from sokrates.logic.rules import CONCLUDE
from sokrates.metrics import Difference, Row
from sokrates.problems import Problem
from sokrates.traces.building import build_trace
from sokrates.traces.text import render, render_action
from sokrates.traces.trace import Trace
from sokrates.verification.files import TRACES
from sokrates.verification.verify import verify

RESULTS = "results.json"


def evaluate(
    problems: Sequence[Problem],
    asker: Asker,
    stage: str,
    output: Path,
    config: Config,
    *,
    votes: int = 1,
    on_trace: OnTrace | None = None,
    clock: Clock | None = None,
) -> Row:
    """The row of one model on these problems. With `votes` above 1 so many samples, drawn at the temperature of
    generation, vote on each answer.

    `clock`, errors: as `generate_traces`; SokratesError for a problem without a label.
    """
    unlabelled = [problem.problem_id for problem in problems if problem.label is None]
    if unlabelled or not problems:
        raise SokratesError(
            f"{unlabelled[0]}: no label to measure against (and {len(unlabelled) - 1} more)"
            if unlabelled
            else "no problems to evaluate on; expected at least one"
        )
    temperature = config.evaluation.temperature if votes == 1 else config.trace_generation.temperature
    asked = {"samples_per_problem": votes, "num_problems": 0, "temperature": temperature}
    generation = config.trace_generation.model_copy(update=asked)
    generate_traces(problems, asker, generation, output, config, on_trace=on_trace, clock=clock)
    row = metrics.stage_row(stage, measured(output))
    jsonl.write_json(output / RESULTS, [row])
    return row


def measured(output: Path) -> list[Trace]:
    """The traces of an evaluation that its row is about: one a problem, which the samples voted for where there are
    several."""
    samples: dict[str, list[Trace]] = {}
    for trace in jsonl.read(output / TRACES, Trace):
        samples.setdefault(trace.problem_id, []).append(trace)
    return [vote(group) for group in samples.values()]


def vote(samples: Sequence[Trace]) -> Trace:
    """The first sample with the answer that most have (self-consistency, Wang et al. 2022, arXiv 2203.11171); a sample
    without an answer does not vote, and of answers with as many votes the one that came first is taken."""
    votes = Counter(trace.final_answer for trace in samples if trace.final_answer is not None)
    if not votes:
        return samples[0]
    winner = votes.most_common(1)[0][0]
    return next(trace for trace in samples if trace.final_answer == winner)


def reference_rows(problems: Sequence[Problem]) -> list[Row]:
    """What a model that always answers UNKNOWN, and one that guesses, would score on these problems."""
    return metrics.reference_rows(problems, _lone_conclude)


def _lone_conclude(problem: Problem, answer: Answer) -> metrics.Lone:
    action = render_action(CONCLUDE, [ANSWERS.index(answer)])
    trace = verify(build_trace(problem, render([("", action)], answer)))
    return metrics.Lone(trace.all_steps_valid is True, trace.proved)


def differences(
    compared: Sequence[tuple[str, str]], traces_of: Mapping[str, Sequence[Trace]], config: EvaluationConfig
) -> list[Difference]:
    """The differences between stages, given as (before, after), over the same problems."""
    return [
        difference
        for before, after in compared
        for difference in metrics.differences(
            before, traces_of[before], after, traces_of[after], samples=config.bootstrap_samples, seed=config.seed
        )
    ]
