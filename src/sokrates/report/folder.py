"""What a run folder holds, read for people: its stages and their traces, its figures, its settings.

Contract: it reads a folder of `sokrates loop` or `demo` that is whole or not yet, or any folder with a `traces.jsonl`,
and changes nothing. What is not there is empty. It does not read traces: `Stage` says where they lie.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from sokrates import jsonl, stage, timings
from sokrates.errors import SokratesError
from sokrates.metrics import Difference, Row
from sokrates.timings import Timing
from sokrates.training.preferences import PairsSummary
from sokrates.verification.files import TRACES

EVALUATION = "evaluation"
TRANSFER = "transfer"
SAMPLES = " samples"
RESULTS, REFERENCES, DIFFERENCES = "results.json", "references.json", "differences.json"
PAIRS, PAIRS_SUMMARY, TRAINING = "pairs.jsonl", "pairs.json", "training.json"


@dataclass(frozen=True)
class Stage:
    """A file of traces by the name that people know it by."""

    name: str
    path: Path
    sampled: bool = False
    """Its traces were sampled to train on, not to measure."""


class Point(msgspec.Struct, frozen=True):
    """A figure of a training after so many optimizer steps."""

    step: int
    loss: float
    margin: float | None = None


class Training(msgspec.Struct, frozen=True):
    """The losses in a `training.json`: of SFT (`train_losses`, `heldout_losses`) or of DPO (`history`)."""

    steps: int
    seconds: float = 0.0
    train_losses: tuple[Point, ...] = ()
    heldout_losses: tuple[Point, ...] = ()
    history: tuple[Point, ...] = ()


@dataclass(frozen=True)
class PairsOf:
    """The preference pairs of an iteration: their summary, and by how much each chosen trace is the better."""

    name: str
    summary: PairsSummary
    gaps: list[float]


@dataclass
class RunFolder:
    """A run as a report tells it."""

    root: Path
    stages: list[Stage]
    rows: list[Row] = field(default_factory=list)
    references: list[Row] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    timings: dict[str, Timing] = field(default_factory=dict)
    trainings: dict[str, Training] = field(default_factory=dict)
    pairs: list[PairsOf] = field(default_factory=list)
    config: str = ""
    """The resolved configuration as it lies in the folder."""
    digest: str = ""
    """Its hash, by which two runs are told apart."""
    baselines: frozenset[str] = frozenset()
    timestamps: list[str] = field(default_factory=list)
    """When stages were finished, the earliest first."""
    transfer: dict[str, RunFolder] = field(default_factory=dict)
    """The same stages on further sets of problems, by their names: folders of the same shape."""

    @property
    def evaluated(self) -> list[Stage]:
        """The stages that measure, or all where none does."""
        return [stage for stage in self.stages if not stage.sampled] or self.stages


def read_run(folder: str | Path) -> RunFolder:
    """Read a run folder. Errors: SokratesError for a folder without traces, and for a file that cannot be read."""
    root = Path(folder)
    run = RunFolder(root, stages_of(root))
    run.rows = _list(root / RESULTS, Row)
    run.references = _list(root / REFERENCES, Row)
    run.differences = _list(root / DIFFERENCES, Difference)
    run.timings = timings.read(root)
    if (root / TRACES).is_file():  # one stage, whose row calls it "model"
        run.rows = [msgspec.structs.replace(row, stage=run.stages[0].name) for row in run.rows]
    order = [row.stage for row in run.rows]
    if order:  # what is not among the results was left behind by a longer run
        run.stages = [item for item in run.stages if item.sampled or item.name in order]
    run.stages.sort(key=lambda item: (item.sampled, _rank(item.name.removesuffix(SAMPLES), order)))
    trained = {_short(path.parent.relative_to(root)): path for path in _found(root, TRAINING)}
    run.trainings = {
        name: jsonl.read_json(trained[name], Training) for name in sorted(trained, key=lambda name: _rank(name, order))
    }
    run.pairs = [_pairs(path.parent, root) for path in _found(root, PAIRS_SUMMARY)]
    if (root / stage.CONFIG).is_file():
        run.config = (root / stage.CONFIG).read_text(encoding="utf-8")
        run.digest = stage.file_hash(root / stage.CONFIG)
        run.baselines = _baselines(run.config)
    run.timestamps = sorted(filter(None, (_timestamp(item.path.parent / stage.SUMMARY) for item in run.stages)))
    run.transfer = {path.parent.name: read_run(path.parent) for path in sorted((root / TRANSFER).glob(f"*/{RESULTS}"))}
    return run


def stages_of(root: Path) -> list[Stage]:
    """Where the traces of a folder lie: those that were measured, and then those that were sampled to train on.

    Errors: SokratesError where there are none.
    """
    if not root.is_dir():
        raise SokratesError(f"{root}: no such folder; expected what `sokrates loop` or `sokrates generate` wrote")
    if (root / TRACES).is_file():
        return [Stage(root.resolve().name or "traces", root / TRACES)]
    measured = [Stage(_under(path, root / EVALUATION), path) for path in _found(root / EVALUATION, TRACES)]
    sampled = [
        Stage(f"{_short(path.parent.relative_to(root))}{SAMPLES}", path, sampled=True)
        for path in _found(root, TRACES)
        if not {root / EVALUATION, root / TRANSFER} & {*path.parents}
    ]
    if not measured and not sampled:
        raise SokratesError(f"{root}: no {TRACES} in it; expected a run folder or one that `sokrates generate` wrote")
    return measured + sampled


def stage_named(root: Path, name: str | None) -> Stage:
    """A stage of a run, the last that was measured where no name is given. Errors: SokratesError naming those there."""
    run = read_run(root)
    if name is None:
        return run.evaluated[-1]
    for found in run.stages:
        if found.name == name:
            return found
    raise SokratesError(f"{root}: no stage {name!r}; expected one of {', '.join(item.name for item in run.stages)}")


def _found(folder: Path, name: str) -> list[Path]:
    """The files of this name, iter2 before iter10."""
    return sorted((path for path in folder.rglob(name) if path.is_file()), key=lambda path: _natural(str(path)))


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]


def _rank(name: str, order: list[str]) -> tuple[int, list[tuple[int, str]]]:
    """Stages in the order in which they were run; the parts of one (`rft/iter1`) where it stands."""
    first = name.partition("/")[0]
    return (order.index(first) if first in order else len(order)), _natural(name)


def _under(path: Path, root: Path) -> str:
    return path.parent.relative_to(root).as_posix()


def _short(path: Path) -> str:
    """A stage's folder without what each iteration calls its parts."""
    return path.as_posix().removesuffix("/adapter").removesuffix("/traces") or "."


def _list(path: Path, kind: type[Any]) -> list[Any]:
    return jsonl.read_json(path, list[kind]) if path.is_file() else []  # type: ignore[valid-type]


def _pairs(folder: Path, root: Path) -> PairsOf:
    class Scores(msgspec.Struct):
        chosen_score: float
        rejected_score: float

    summary = jsonl.read_json(folder / PAIRS_SUMMARY, PairsSummary)
    scores = jsonl.read(folder / PAIRS, Scores) if (folder / PAIRS).is_file() else ()
    gaps = [pair.chosen_score - pair.rejected_score for pair in scores]
    return PairsOf(folder.relative_to(root).as_posix(), summary, gaps)


def _baselines(config: str) -> frozenset[str]:
    import yaml

    settings = yaml.safe_load(config)
    loop = settings.get("oak_loop") if isinstance(settings, dict) else None
    return frozenset(loop.get("baselines") or ()) if isinstance(loop, dict) else frozenset()


def _timestamp(path: Path) -> str:
    summary = jsonl.read_json(path) if path.is_file() else {}
    return str(summary.get("timestamp", "")) if isinstance(summary, dict) else ""
