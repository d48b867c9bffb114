"""A run folder and its stages, each done once: what the loop and its baselines are told with.

Contract: the run folder says all: the configuration, the splits, each iteration's traces, pairs and adapter, an
evaluation of every stage on the same unseen problems, `results.json` (a row a stage), `references.json` (what always
answering UNKNOWN, and guessing, would score), `differences.json` and `timings.json`; `results.md` and `report.html`
tell it to people. Every stage knows its inputs: one that was done is not done again, one that was killed goes on. It
does not know in which order stages come.

    data/         train.jsonl  gold.jsonl  eval.jsonl  iter1.jsonl …
    sft/          the first adapter
    iter1/        traces/  pairs.jsonl  pairs.json  adapter/
    evaluation/   base/  sft/  iter1/ …
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from sokrates import jsonl, stage
from sokrates.asking import Askers
from sokrates.config import Config, DataConfig, GuideName, Signal
from sokrates.console import say, trace_progress
from sokrates.errors import SokratesError
from sokrates.evaluation import differences, evaluate, measured, reference_rows
from sokrates.generation import HOW_RUN, generate_traces, select
from sokrates.metrics import Difference, Row, breakdown
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings
from sokrates.problems.labels import label_error
from sokrates.problems.readers import read_problems
from sokrates.problems.splits import generated_split, without
from sokrates.report.document import write_report
from sokrates.report.folder import DIFFERENCES, REFERENCES, RESULTS, TIMINGS
from sokrates.report.table import differences_markdown, results_markdown
from sokrates.stale import stale
from sokrates.story import Pick, Splits
from sokrates.traces.trace import Trace
from sokrates.training.preferences import build_pairs
from sokrates.training.stages import fine_tune, fitting, prefer
from sokrates.verification.files import TRACES
from sokrates.verification.validate import validated

REPORT = "results.md"
LOCK = ".lock"

Agree = Callable[[Sequence[str], Sequence[Path]], bool]
"""Whether parts of a run folder may be removed, given what was changed and the parts."""


@dataclass
class Results:
    """What a run found: a row a stage, the reference rows, and the differences between stages."""

    rows: list[Row] = field(default_factory=list)
    references: list[Row] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)


class Run:
    """One run folder and its stages, done: see `story.Stages`."""

    def __init__(self, config: Config, askers: Askers) -> None:
        self.config = config
        self.askers = askers
        self.root = Path(config.oak_loop.output)
        self.results = Results()
        self.timings: dict[str, float] = {}
        self.traces_of: dict[str, list[Trace]] = {}
        """The evaluation traces of each stage, for differences over the same problems."""

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.timings[name] = round(self.timings.get(name, 0.0) + time.monotonic() - started, 2)
        jsonl.write_json(self.root / TIMINGS, self.timings)

    @contextmanager
    def begun(self, agree: Agree) -> Iterator[bool]:
        """Claim the run folder for this process alone, as one of this configuration; whether it is finished already.

        Parts of another configuration, which would come out differently now, are removed if `agree` says so. Errors:
        SokratesError where it does not, where another process is in the folder, and for sampling that makes no pairs.
        """
        check(self.config)
        self.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / LOCK, blocking=False)
        try:
            lock.acquire()
        except Timeout:
            raise SokratesError(f"{self.root}: another process is at work in it; wait for it or end it first") from None
        try:
            yield self._claim(agree)
        finally:
            lock.release()

    def _claim(self, agree: Agree) -> bool:
        settings = settings_of(self.config)
        if changed := stage.changes(self.root, settings):
            parts = stale(self.root, changed)
            if parts and not agree(list(changed.values()), parts):
                named = ", ".join(part.relative_to(self.root).as_posix() for part in parts)
                raise SokratesError(
                    f"{self.root}: begun with other settings ({'; '.join(changed.values())}), by which these parts "
                    f"would have to be made again: {named}. Give --redo to do so, or another --output to keep them"
                )
            for part in parts:
                say(f"removed: {part}")
                shutil.rmtree(part) if part.is_dir() else part.unlink()
            stage.begin_anew(self.root, settings, self.config)
        return stage.begin(self.root, settings, self.config)

    def splits(self) -> Splits:
        """Make the splits, drop what two of them share, check the labels, and write them down; or read them again."""
        files = [self.root / "data" / f"{name}.jsonl" for name in ("train", "eval", *rounds(self.config))]
        if all(file.is_file() for file in files):
            train, evaluation, *iterations = (list(jsonl.read(file, Problem)) for file in files)
            return Splits(train, iterations, evaluation)
        data = self.config.data
        evaluation = _evaluation_problems(data)
        train, sampled = _training_problems(data, self.config.oak_loop.num_iterations)
        train, lost = without(train, evaluation)
        taken = [*evaluation] if data.train_file else [*evaluation, *train]
        iterations = []
        for problems in sampled:
            kept, dropped = without(problems, taken)
            iterations.append(kept)
            lost += dropped
            if not data.train_file:
                taken += kept
        say(f"splits: {len(train)} to train on, {len(evaluation)} to evaluate on, {lost} collisions left out")
        for problem in [*train, *evaluation]:
            if error := label_error(problem):
                say(f"label: {error}")
        jsonl.write(self.root / "data" / "train.jsonl", train)
        jsonl.write(self.root / "data" / "eval.jsonl", evaluation)
        for name, problems in zip(rounds(self.config), iterations, strict=True):
            jsonl.write(self.root / "data" / f"{name}.jsonl", problems)
        return Splits(train, iterations, evaluation)

    def gold(self, problems: Sequence[Problem]) -> list[Trace]:
        """The verified gold traces of the training problems."""
        file = self.root / "data" / "gold.jsonl"
        if file.is_file():
            return list(jsonl.read(file, Trace))
        results = list(validated(problems, max_steps=self.config.trace_generation.max_steps))
        for done in results:
            if done.unsolved:
                say(f"no gold trace: {done.problem_id}: {done.unsolved}")
        traces = [done.gold for done in results if done.gold]
        jsonl.write(file, traces)
        return traces

    def picked(self, pick: Pick, traces: Sequence[Trace]) -> Sequence[Trace]:
        return pick(traces)

    def evaluate(
        self,
        name: str,
        model: str,
        problems: Sequence[Problem],
        *,
        votes: int = 1,
        guide: GuideName | None = None,
        example: bool = False,
    ) -> None:
        folder = self.root / "evaluation" / name
        config = _changed(self.config, "trace_generation", guide=guide) if guide else self.config
        with self.timed("evaluate"), trace_progress(f"evaluate {name}", votes * len(problems)) as on_trace:
            asker = self.askers.get(model)
            if example:
                asker = msgspec.structs.replace(asker, style=msgspec.structs.replace(asker.style, example=True))
            row = evaluate(problems, asker, name, folder, config, votes=votes, on_trace=on_trace)
        self.results.rows.append(row)
        self.traces_of[name] = measured(folder)
        jsonl.write_json(self.root / RESULTS, self.results.rows)

    def sample(self, name: str, model: str, problems: Sequence[Problem], index: int) -> list[Trace]:
        generation = self.config.trace_generation.model_copy(
            update={"seed": self.config.trace_generation.seed + index, "num_problems": 0}
        )
        folder = self.root / name / "traces"
        total = len(problems) * generation.samples_per_problem
        with self.timed("generate"), trace_progress(f"{name}: generate", total) as on_trace:
            asker = self.askers.get(model)
            generate_traces(problems, asker, generation, folder, self.config, on_trace=on_trace)
        return list(jsonl.read(folder / TRACES, Trace))

    def dpo(
        self, name: str, traces: Sequence[Trace], model: str, signal: Signal | None = None
    ) -> tuple[str, int] | None:
        usable = fitting(traces, self.config.dpo.max_length)
        config = _changed(self.config, "preference_pairs", signal=signal) if signal else self.config
        pairs, summary = build_pairs(usable, config.preference_pairs)
        jsonl.write(self.root / name / "pairs.jsonl", pairs)
        jsonl.write_json(self.root / name / "pairs.json", summary)
        say(f"{name}: {len(pairs)} preference pairs; {len(traces) - len(usable)} traces beyond dpo.max_length left out")
        if not pairs:
            return None
        folder = self.root / name / "adapter"
        self.askers.rest()
        with self.timed("dpo"):
            result = prefer(pairs, model, config, folder)
        return str(folder), result.steps

    def sft(self, name: str, traces: Sequence[Trace], model: str, max_steps: int = 0) -> str:
        config = self.config
        if max_steps:
            config = _changed(config, "sft", max_steps=max_steps, early_stopping_patience=0, heldout_fraction=0.0)
        folder = self.root / name
        self.askers.rest()
        with self.timed("sft"):
            result = fine_tune(traces, model, config, folder)
        say(f"{name}: {result.steps} steps on {result.examples} traces")
        return str(folder)

    def found(self) -> Results:
        """What a finished run found."""
        return Results(
            jsonl.read_json(self.root / RESULTS, list[Row]),
            jsonl.read_json(self.root / REFERENCES, list[Row]),
            jsonl.read_json(self.root / DIFFERENCES, list[Difference]),
        )

    def finish(self, problems: Sequence[Problem]) -> Results:
        """Write down what was found; the run folder is whole from here on."""
        self.results.references = reference_rows(problems)
        compared = _comparisons(list(self.traces_of), self.config.oak_loop.baselines)
        self.results.differences = differences(compared, self.traces_of, self.config.evaluation)
        jsonl.write_json(self.root / RESULTS, self.results.rows)
        jsonl.write_json(self.root / REFERENCES, self.results.references)
        jsonl.write_json(self.root / DIFFERENCES, self.results.differences)
        with jsonl.atomic(self.root / REPORT) as file:
            file.write(_report(self.results).encode())
        write_report(self.root)
        jsonl.write_json(self.root / stage.SUMMARY, {"stages": [row.stage for row in self.results.rows]})
        return self.results


def check(config: Config) -> None:
    """Errors: SokratesError for sampling that can make no pairs."""
    if not config.oak_loop.num_iterations:
        return
    if config.trace_generation.samples_per_problem < 2:
        raise SokratesError("trace_generation.samples_per_problem is 1: expected 2 or more, or no pairs can be made")
    if config.trace_generation.temperature == 0:
        raise SokratesError("trace_generation.temperature is 0: all samples would be the same and make no pairs")


def settings_of(config: Config) -> dict[str, Any]:
    """What a run folder's content depends on."""
    return config.model_dump(
        exclude={
            "oak_loop": {"output"},
            "hardware": True,
            "pretrain": True,
            "tracking": True,
            "trace_generation": HOW_RUN,
        }
    )


def rounds(config: Config) -> list[str]:
    """The names of a loop's iterations."""
    return [f"iter{index}" for index in range(1, config.oak_loop.num_iterations + 1)]


def _changed(config: Config, section: str, **changes: Any) -> Config:
    """The configuration with some settings of a section changed."""
    return config.model_copy(update={section: getattr(config, section).model_copy(update=changes)})


def _comparisons(stages: Sequence[str], baselines: Sequence[str]) -> list[tuple[str, str]]:
    """Each stage of the loop with the one before it, its last with SFT, and each baseline with SFT and that last."""
    loop = [stage for stage in stages if stage not in baselines]
    pairs = list(pairwise(loop))
    if len(loop) > 3:
        pairs.append(("sft", loop[-1]))
    return pairs + [(other, baseline) for baseline in baselines for other in ("sft", loop[-1])]


def _report(results: Results) -> str:
    """The tables of a run as one Markdown page."""
    parts = [
        "# Results",
        "Each stage greedily on the same unseen problems, in percent with 95% intervals.",
        results_markdown([*results.rows, *results.references]),
        "## Differences\n\nIn percentage points, paired over the same problems (bootstrap).",
        differences_markdown(results.differences),
    ]
    for row in results.rows:
        parts += [f"## {row.stage}, by label and by hops", results_markdown(breakdown(row))]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _settings(data: DataConfig) -> GeneratorSettings:
    return GeneratorSettings(
        data.hops_min,
        data.hops_max,
        mix=(data.label_mix[0], data.label_mix[1], data.label_mix[2]),
        entities=data.entities,
        distractors=data.distractors,
    )


def _evaluation_problems(data: DataConfig) -> list[Problem]:
    if data.eval_file:
        problems = list(read_problems(data.eval_file))
        return select(problems, min(data.eval_problems, len(problems)), data.seed)
    return generated_split(data.eval_problems, _settings(data), data.seed, name="eval", reserved=True)


def _training_problems(data: DataConfig, rounds: int) -> tuple[list[Problem], list[list[Problem]]]:
    """Problems for SFT, and those of each iteration: new ones, or drawn again from the file."""
    if data.train_file:
        problems = list(read_problems(data.train_file))
        size = min(data.loop_problems, len(problems))
        train = select(problems, min(data.train_problems, len(problems)), data.seed)
        return train, [select(problems, size, data.seed + index) for index in range(1, rounds + 1)]
    settings = _settings(data)
    train = generated_split(data.train_problems, settings, data.seed, name="train", reserved=False)
    sampled = [
        generated_split(data.loop_problems, settings, data.seed, name=f"iter{index}", reserved=False)
        for index in range(1, rounds + 1)
    ]
    return train, sampled
