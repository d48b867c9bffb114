"""What a loop would do, stage by stage, and what of it is done: told the same story as a run, and doing nothing.

Contract: it reads the run folder and writes nothing. Counts are those that the folder or the settings fix, else upper
bounds: how many gold traces, pairs and steps there will be is not known before. It looks whether a stage is whole as
the stage itself does, but not into its inputs' weights: an adapter that was replaced by hand is not noticed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sokrates import jsonl, stage
from sokrates.config import Config, GuideName, Signal
from sokrates.generation import JOURNAL
from sokrates.pace import Estimate, Pace
from sokrates.problems import Problem
from sokrates.report.folder import EVALUATION, PAIRS, TRAINING, TRANSFER, Training
from sokrates.report.planned import Planned, State
from sokrates.run import check, evaluation_name, rounds, settings_of
from sokrates.stale import stale
from sokrates.story import Pick, Splits
from sokrates.traces.trace import Trace
from sokrates.verification.files import TRACES


class Unseen(Sequence[Any]):
    """So many problems or traces that are not there yet, or were not read; `exact`, or at most so many."""

    def __init__(self, size: int, *, exact: bool) -> None:
        self.size, self.exact = size, exact

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        raise TypeError("a plan has no problems and no traces: what looks into them goes through `picked`")

    def __str__(self) -> str:
        return f"{self.size:,}" if self.exact else f"up to {self.size:,}"


class Plan:
    """The stages that a run would do, noted: see `story.Stages`.

    Errors: SokratesError for settings that the loop refuses, a file of problems or a model folder that is not there.
    """

    def __init__(self, config: Config) -> None:
        check(config)
        self.config = config
        self.root = Path(config.oak_loop.output)
        self._changed = list((changes := stage.changes(self.root, settings_of(config))).values())
        self.stages: list[Planned] = []
        self._stale = stale(self.root, changes)
        self._pace = Pace(config)
        self._loaded: str | None = None
        """The model in the engine."""
        self._sets: dict[str, Sequence[Problem]] = {}
        """The problems to evaluate on, and by their names the further sets."""

    def remarks(self) -> list[str]:
        """What the table does not say: why parts are stale, and why there is no figure."""
        lines = []
        if self._stale:
            lines.append(
                f"{self.root}: begun with other settings ({'; '.join(self._changed)}); --redo makes again what is stale"
            )
        if self._pace.parameters is None:
            lines.append(f"no figures: how large {self.config.model} is, is not known, for it is not on this disk")
        return lines

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        yield

    def splits(self) -> Splits:
        data = self.config.data
        learned = _lines(data.train_file) if data.train_file else None
        unseen = _lines(data.eval_file) if data.eval_file else None
        train = self._split("train", data.train_problems, learned)
        evaluation = self._split("eval", data.eval_problems, unseen)
        sampled = [self._split(name, data.loop_problems, learned) for name in rounds(self.config)]
        each = f"; {sampled[0]} to sample in each iteration" if sampled else ""
        names = [f"{name}.jsonl" for name in ("train", "eval", *rounds(self.config), "gold")]
        there = [(self.root / "data" / name).is_file() for name in names]
        part = next((f"data/{name}" for name in names if self._is_stale(f"data/{name}")), "data")
        state = self._state(part, done=all(there), begun=any(there))
        what = f"{train} problems to train on, {evaluation} to evaluate on{each}"
        self.stages.append(Planned("data", "data", len(train), what, state))
        return Splits(train, sampled, evaluation)

    def _split(self, name: str, wanted: int, there: int | None) -> Unseen:
        """A split as it was written, or as large as it can become: what two splits share is left out."""
        file = self.root / "data" / f"{name}.jsonl"
        if file.is_file() and not self._is_stale(f"data/{name}.jsonl"):
            return Unseen(_lines(file), exact=True)
        if there is None:
            return Unseen(wanted, exact=name in ("train", "eval"))
        return Unseen(min(wanted, there), exact=name == "eval")

    def gold(self, problems: Sequence[Problem]) -> Sequence[Trace]:
        file = self.root / "data" / "gold.jsonl"
        if file.is_file() and not self._is_stale("data/gold.jsonl"):
            return Unseen(_lines(file), exact=True)
        return Unseen(len(problems), exact=False)

    def picked(self, pick: Pick, traces: Sequence[Trace]) -> Sequence[Trace]:
        return Unseen(len(traces), exact=False)

    def examine(self, problems: Sequence[Problem]) -> None:
        evaluation = self.config.evaluation
        self._sets = {"": problems}
        for file in evaluation.transfer_files:
            there = _lines(file)
            self._sets[Path(file).stem] = Unseen(min(there, evaluation.transfer_problems or there), exact=False)

    def evaluate(
        self, name: str, model: str, *, votes: int = 1, guide: GuideName | None = None, example: bool = False
    ) -> None:
        for which, problems in self._sets.items():
            part = f"{TRANSFER}/{which}/{EVALUATION}/{name}" if which else f"{EVALUATION}/{name}"
            self._sampled(evaluation_name(name, which), part, model, problems, votes)

    def sample(self, name: str, model: str, problems: Sequence[Problem], index: int) -> Sequence[Trace]:
        samples = self.config.trace_generation.samples_per_problem
        return self._sampled(f"{name}: generate", f"{name}/traces", model, problems, samples)

    def _sampled(self, name: str, part: str, model: str, problems: Sequence[Problem], samples: int) -> Unseen:
        folder = self.root / part
        journal = jsonl.partial_path(folder / JOURNAL)
        begun = journal.is_file() or (folder / TRACES).is_file()
        state = self._state(part, done=(folder / stage.SUMMARY).is_file(), begun=begun)
        traces = Unseen(samples * len(problems), exact=getattr(problems, "exact", True))
        if any(planned.part == part for planned in self.stages):
            return traces
        there = _lines(folder / TRACES if (folder / TRACES).is_file() else journal) if state is State.GOES_ON else 0
        estimate = None
        if state is not State.DONE:
            starts = self._loaded is None or (self._loaded != model and not self._pace.engine_stays)
            self._loaded = model
            estimate = self._pace.generate(max(0, len(traces) - there), starts=starts)
        what = f"{traces} traces" + (f", {there:,} of them there" if there else "")
        self._note(name, part, len(traces), what, state, estimate)
        return traces

    def dpo(
        self, name: str, traces: Sequence[Trace], model: str, signal: Signal | None = None
    ) -> tuple[str, int] | None:
        self._rest()
        generation, dpo = self.config.trace_generation, self.config.dpo
        wanted = self.config.preference_pairs
        samples = generation.samples_per_problem - (signal is not None or wanted.compared != "correction")
        of_each = min(wanted.max_pairs_per_problem, samples)
        pairs = Unseen(len(traces) // generation.samples_per_problem * of_each, exact=False)
        part, file = f"{name}/adapter", self.root / name / PAIRS
        if file.is_file() and not self._is_stale(f"{name}/{PAIRS}") and not self._is_stale(part):
            pairs = Unseen(_lines(file), exact=True)
        state = self._trained(part) if pairs.size else State.DONE
        epochs = _epochs(dpo.num_epochs)
        self._note(f"{name}: dpo", part, pairs.size, f"{pairs} pairs{epochs}", state, self._pace.dpo(pairs.size))
        if not pairs.size:
            return None
        steps = math.ceil(pairs.size / (dpo.batch_size * dpo.gradient_accumulation_steps)) * dpo.num_epochs
        if state is State.DONE:
            steps = jsonl.read_json(self.root / part / TRAINING, Training).steps
        return str(self.root / part), steps

    def sft(self, name: str, traces: Sequence[Trace], model: str, max_steps: int = 0) -> str:
        self._rest()
        heldout = 0 if max_steps else round(len(traces) * self.config.sft.heldout_fraction)
        examples = Unseen(len(traces) - heldout, exact=getattr(traces, "exact", True))
        state = self._trained(name)
        least = f", up to {max_steps:,} steps" if max_steps else _epochs(self.config.sft.num_epochs, most=True)
        estimate = self._pace.sft(examples.size, max_steps)
        shown = f"{name.removesuffix('/adapter')}: sft" if "/" in name else name
        self._note(shown, name, examples.size, f"{examples} examples{least}", state, estimate)
        return str(self.root / name)

    def _note(self, name: str, part: str, count: int, what: str, state: State, estimate: Estimate | None) -> None:
        if state is State.DONE or estimate is None:
            self.stages.append(Planned(name, part, count, what, state))
        else:
            self.stages.append(Planned(name, part, count, what, state, estimate.seconds, estimate.bases))

    def _rest(self) -> None:
        """As `Askers.rest`: an engine that does not stay is ended before training."""
        if not self._pace.engine_stays:
            self._loaded = None

    def _trained(self, part: str) -> State:
        folder = self.root / part
        begun = any((folder / ".training").glob("checkpoint-*"))
        return self._state(part, done=(folder / TRAINING).is_file(), begun=begun)

    def _state(self, part: str, *, done: bool, begun: bool) -> State:
        if self._is_stale(part):
            return State.STALE
        return State.DONE if done else State.GOES_ON if begun else State.TO_DO

    def _is_stale(self, part: str) -> bool:
        path = self.root / part
        return any(path.is_relative_to(other) for other in self._stale)


def _lines(path: str | Path) -> int:
    """The records of a file. Errors: SokratesError where there is none."""
    return sum(1 for _ in jsonl.read_raw(path))


def _epochs(count: int, *, most: bool = False) -> str:
    return "" if count == 1 else f", {'up to ' if most else ''}{count} epochs"
