"""The work that the ways of `benchmarks.loop` have to do, made ready for them, and what each has done of it.

Contract: problems are made once and copied to every way. What was done is counted from the files that a way leaves,
not from what it was told to do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.loop_ways import ACCUMULATION, BATCH, EVALUATION, GOLD, TRAIN, Stage
from sokrates import jsonl, models, timings
from sokrates.asking import Askers
from sokrates.config import Config
from sokrates.run import Run
from sokrates.traces.trace import Trace
from sokrates.verification.files import TRACES


def prepare(config: Config) -> int:
    """Write the problems into the configured run folder; the length of a packed row that holds as many examples as an
    optimizer step of the plain SFT."""
    from sokrates.training.examples import examples
    from sokrates.training.stages import default_style

    run = Run(config, Askers(config, rank=1))
    gold = run.gold(run.splits().train)
    style = models.style(models.resolve(config.model), default_style(config))
    lengths = [example.length for example in examples(gold, models.load_tokenizer(config.model), style)]
    return row_tokens(lengths, math.ceil(len(lengths) / (BATCH * ACCUMULATION)))


def row_tokens(lengths: Sequence[int], rows: int) -> int:
    """The shortest packed row, or nearly, with which examples of these lengths fill no more than so many rows."""
    length = max(*lengths, -(-sum(lengths) // rows))
    while packed_rows(lengths, length) > rows:
        length += max(1, length // 200)
    return length


def packed_rows(lengths: Sequence[int], length: int) -> int:
    """How many rows of a length the trainer packs examples into."""
    import datasets
    from trl.data_utils import pack_dataset

    datasets.disable_progress_bars()
    found = pack_dataset(datasets.Dataset.from_dict({"input_ids": [[0] * number for number in lengths]}), length, "bfd")
    return len(found)


def own_seconds(folder: Path, stage: Stage) -> float | None:
    """What a stage says itself that its work took, without what came before: imports, a model's or an engine's start.

    None for a stage that does not say; one that comes first in a loop says it when the next has begun.
    """
    beside = (folder / stage.mark).parent
    if stage.mark == GOLD:
        data = timings.read(folder).get("data")
        return data.seconds if data else None
    if stage.kind in ("evaluate", "generate"):
        seconds = jsonl.read_json(beside / "summary.json")["seconds"]
        return sum(seconds.values()) - seconds.get("load", 0.0)
    if stage.kind in ("sft", "dpo"):
        return jsonl.read_json(folder / stage.mark)["seconds"]
    return None


def work_done(folder: Path, iterations: int) -> dict[str, Any]:
    """What was done in a finished run folder, and how good the last adapter is."""
    names = [f"iter{index}" for index in range(1, iterations + 1)]
    sft = jsonl.read_json(folder / "sft" / "training.json")
    trained = [jsonl.read_json(folder / name / "adapter" / "training.json") for name in names]
    last = jsonl.read_json(folder / "evaluation" / (names[-1] if names else "sft") / "results.json")[0]
    return {
        "problems": {
            "train": _lines(folder / TRAIN),
            "evaluation": _lines(folder / EVALUATION),
            **{name: _lines(folder / "data" / f"{name}.jsonl") for name in names},
        },
        "gold_traces": _lines(folder / GOLD),
        "evaluations": {
            name: _lines(folder / "evaluation" / name / TRACES) for name in ("base", "sft", *names)
        },
        "sft": {name: sft[name] for name in ("examples", "tokens", "epochs", "rows", "steps")},
        "sampled_traces": {name: _lines(folder / name / "traces" / TRACES) for name in names},
        "pairs": {name: _lines(folder / name / "pairs.jsonl") for name in names},
        "dpo": {
            name: {key: done[key] for key in ("pairs", "tokens", "epochs", "steps")}
            for name, done in zip(names, trained, strict=True)
        },
        "last": {key: last[key] for key in ("stage", "n", "trace_validity", "accuracy", "step_validity")},
    }  # fmt: skip


def _lines(path: Path) -> int:
    return sum(1 for _ in jsonl.read_raw(path))


def equal_texts(folder: Path, other: Path, planned: Sequence[Stage]) -> dict[str, float]:
    """The share of the traces, stage by stage, whose text is the same in both folders."""
    shares = {}
    for stage in planned:
        if stage.kind in ("evaluate", "generate"):
            here, there = (_texts((each / stage.mark).parent / TRACES) for each in (folder, other))
            same = sum(there.get(key) == text for key, text in here.items())
            shares[stage.name] = round(same / max(len(here | there), 1), 4)
    return shares


def _texts(path: Path) -> dict[tuple[str, int], str | None]:
    return {(trace.problem_id, trace.sample): trace.completion for trace in jsonl.read(path, Trace)}
