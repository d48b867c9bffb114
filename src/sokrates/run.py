"""A run folder and its stages, each done once: what the loop and its baselines are told with.

Contract: the run folder says all: the configuration, the splits, each iteration's traces, pairs and adapter, an
evaluation of every stage on the same unseen problems, `results.json` (a row a stage), `references.json` (what always
answering UNKNOWN, and guessing, would score), `differences.json` and `timings.json`; `results.md` and `report.html`
tell it to people. Every stage knows its inputs: one that was done is not done again, one that was killed goes on. It
does not know in which order stages come.

    runs/         TensorBoard's curve of the evaluations
    data/         train.jsonl  gold.jsonl  eval.jsonl  iter1.jsonl …
    sft/          the first adapter
    iter1/        traces/  pairs.jsonl  pairs.json  adapter/
    evaluation/   base/  sft/  iter1/ …
    transfer/     a folder for each further set of problems, with its evaluation/ and its figures
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from sokrates import jsonl, models, stage, timings
from sokrates.asking import Askers
from sokrates.config import Config, DataConfig, EvaluationConfig, GuideName, Signal
from sokrates.console import say, trace_progress
from sokrates.errors import SokratesError
from sokrates.generation import HOW_RUN, Asker, generate_traces, prompt_length, select
from sokrates.gpu import Meter
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings
from sokrates.problems.labels import label_error
from sokrates.problems.readers import read_problems
from sokrates.problems.splits import generated_split, without
from sokrates.report.folder import TRANSFER
from sokrates.scores import Results, Scores
from sokrates.stale import stale
from sokrates.story import Pick, Splits
from sokrates.timings import TIMINGS, Timing
from sokrates.traces.trace import Trace
from sokrates.training import curve, trackers
from sokrates.training.stages import fine_tune, fitting_pairs, prefer
from sokrates.verification.files import TRACES
from sokrates.verification.looking import look_around
from sokrates.verification.validate import validated

Agree = Callable[[Sequence[str], Sequence[Path]], bool]
"""Whether parts of a run folder may be removed, given what was changed and the parts."""


class Run:
    """One run folder and its stages, done: see `story.Stages`."""

    def __init__(self, config: Config, askers: Askers) -> None:
        self.config = config
        self.askers = askers
        self.root = Path(config.oak_loop.output)
        self.timings: dict[str, Timing] = {}
        self.scores: list[Scores] = []
        """On the problems to evaluate on, and on each further set."""

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add what the block costs to the timings of that name, also where it is ended by an error."""
        started = time.monotonic()
        meter = Meter()
        try:
            with meter:
                yield
        finally:
            self.timings[name] = _timing(time.monotonic() - started, meter) + self.timings.get(name, Timing(0.0))
            with suppress(OSError):  # it would hide the block's own error; a full disk stops the next stage anyway
                jsonl.write_json(self.root / TIMINGS, self.timings)

    @contextmanager
    def begun(self, agree: Agree) -> Iterator[bool]:
        """Claim the run folder for this process alone, as one of this configuration; whether it is finished already.

        Parts of another configuration, which would come out differently now, are removed if `agree` says so. Errors:
        SokratesError where it does not, where another process is in the folder, and as `check`.
        """
        check(self.config)
        with stage.claimed(self.root):
            yield self._claim(agree)

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
        self.timings = timings.read(self.root)
        return stage.begin(self.root, settings, self.config)

    def splits(self) -> Splits:
        """Make the splits, drop what two of them share, check the labels, and write them down; or read them again."""
        further = further_sets(self.config.evaluation)
        files = [self.root / "data" / f"{name}.jsonl" for name in ("train", "eval", *rounds(self.config))]
        if all(file.is_file() for file in files):
            train, evaluation, *iterations = (list(jsonl.read(file, Problem)) for file in files)
            _check_unseen(further, [train, *iterations])
            return Splits(train, iterations, evaluation)
        data = self.config.data
        evaluation = _evaluation_problems(data)
        held = [*evaluation, *(problem for problems in further.values() for problem in problems)]
        train, sampled = _training_problems(data, self.config.oak_loop.num_iterations)
        train, lost = without(train, held)
        taken = held if data.train_file else [*held, *train]
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
        data, max_steps = self.config.data, self.config.trace_generation.max_steps
        golden = (done.gold for done in results if done.gold)
        traces = list(look_around(golden, data.wander, data.seed, max_steps=max_steps))
        jsonl.write(file, traces)
        return traces

    def examine(self, problems: Sequence[Problem]) -> None:
        self.scores = [Scores(self.root, problems)]
        if not self.config.evaluation.transfer_files:
            return
        asker = self.askers.get(self.config.model)
        if "example" in self.config.oak_loop.baselines:
            asker = _with_example(asker)
        window = models.window(models.load_config(self.config.model))
        for name, found in further_sets(self.config.evaluation).items():
            kept = [problem for problem in found if prompt_length(problem, asker) < window]
            if len(kept) < len(found):
                say(f"{name}: {len(found) - len(kept)} of {len(found)} problems do not fit the model's window")
            self.scores.append(Scores(self.root / TRANSFER / name, kept))

    def picked(self, pick: Pick, traces: Sequence[Trace]) -> Sequence[Trace]:
        return pick(traces)

    def evaluate(
        self, name: str, model: str, *, votes: int = 1, guide: GuideName | None = None, example: bool = False
    ) -> None:
        config = _changed(self.config, "trace_generation", guide=guide) if guide else self.config
        asker = _with_example(self.askers.get(model)) if example else self.askers.get(model)
        baselines, tracked = self.config.oak_loop.baselines, self.config.tracking.trackers
        for part, scores in zip(["evaluate", *[TRANSFER] * len(self.scores)], self.scores, strict=False):
            label = evaluation_name(name, "" if part == "evaluate" else scores.root.name)
            with self.timed(part), trace_progress(label, votes * len(scores.problems)) as on_trace:
                scores.measure(name, asker, config, votes=votes, on_trace=on_trace)
            if name not in baselines:
                curve.add_point(tracked, scores.root, scores.curve(baselines))

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
        config = _changed(self.config, "preference_pairs", signal=signal, compared="whole") if signal else self.config
        pairs, summary, left_out = fitting_pairs(traces, model, config)
        jsonl.write(self.root / name / "pairs.jsonl", pairs)
        jsonl.write_json(self.root / name / "pairs.json", summary)
        say(f"{name}: {len(pairs)} preference pairs; {left_out} beyond dpo.max_length left out")
        if not pairs:
            return None
        folder = self.root / name / "adapter"
        self.askers.rest()
        with self.timed("dpo"):
            result = prefer(pairs, model, config, folder, label=f"{name}: dpo")
        return str(folder), result.steps

    def sft(self, name: str, traces: Sequence[Trace], model: str, max_steps: int = 0) -> str:
        config = self.config
        if max_steps:
            config = _changed(config, "sft", max_steps=max_steps, early_stopping_patience=0, heldout_fraction=0.0)
        folder = self.root / name
        self.askers.rest()
        with self.timed("sft"):
            fine_tune(traces, model, config, folder, label=name.removesuffix("/adapter"))
        return str(folder)

    def finish(self) -> Results:
        """Write down what was found; the run folder is whole from here on."""
        config, baselines = self.config.evaluation, self.config.oak_loop.baselines
        transfer = {scores.root.name: scores.finish(baselines, config) for scores in self.scores[1:]}
        results = replace(self.scores[0].finish(baselines, config), transfer=transfer)
        jsonl.write_json(self.root / stage.SUMMARY, {"stages": [row.stage for row in results.rows]})
        curve.send(self.config.tracking.trackers, self.root, self.scores[0].curve(baselines))
        return results


def _with_example(asker: Asker) -> Asker:
    return msgspec.structs.replace(asker, style=msgspec.structs.replace(asker.style, example=True))


def check(config: Config) -> None:
    """Errors: SokratesError for sampling that can make no pairs, and trackers that are not installed."""
    trackers.check(config.tracking.trackers)
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


def evaluation_name(stage: str, further_set: str = "") -> str:
    """What the evaluation of a stage is called."""
    return f"evaluate {stage} on {further_set}" if further_set else f"evaluate {stage}"


def rounds(config: Config) -> list[str]:
    """The names of a loop's iterations."""
    return [f"iter{index}" for index in range(1, config.oak_loop.num_iterations + 1)]


def _timing(seconds: float, meter: Meter) -> Timing:
    peak = meter.peak_memory or None
    gpu, process = (peak, None) if meter.of_gpu else (None, peak)
    return Timing(round(seconds, 2), meter.utilisation, gpu, process)


def _changed(config: Config, section: str, **changes: Any) -> Config:
    """The configuration with some settings of a section changed."""
    return config.model_copy(update={section: getattr(config, section).model_copy(update=changes)})


def _settings(data: DataConfig) -> GeneratorSettings:
    return GeneratorSettings(
        data.hops_min,
        data.hops_max,
        mix=(data.label_mix[0], data.label_mix[1], data.label_mix[2]),
        entities=data.entities,
        distractors=data.distractors,
        second_facts=data.second_facts,
    )


def further_sets(config: EvaluationConfig) -> dict[str, list[Problem]]:
    """The further sets to evaluate on, by their files' names. Errors: as `read_problems`."""
    sets = {Path(file).stem: list(read_problems(file)) for file in config.transfer_files}
    return {
        name: select(problems, min(config.transfer_problems or len(problems), len(problems)), config.seed)
        for name, problems in sets.items()
    }


def _check_unseen(further: dict[str, list[Problem]], learned: Sequence[Sequence[Problem]]) -> None:
    """Errors: SokratesError for a further set, added to a run that has its splits, of which a problem is in those."""
    seen = {problem.content_hash for problems in learned for problem in problems}
    for name, problems in further.items():
        if known := [problem.problem_id for problem in problems if problem.content_hash in seen]:
            raise SokratesError(
                f"evaluation.transfer_files: {name}: {len(known)} of its problems are trained on in this run, such as "
                f"{known[0]}; expected none. Leave the set out, or give another --output: a new run trains on none"
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
