"""The ways to generate that are compared, and measuring one of them.

Contract: `measure` runs in a process that has done nothing but prepare this row or others of its group, which share an
engine. Every repetition has problems of its own, so that no cache has seen them; what the first runs compile or fill is
filled before by other problems. A model with random weights writes exactly `TRACE_TOKENS` tokens a trace, or, where a
row is dictated, the gold trace: then rows with and without a guide write the same text, and the difference is the
guide's.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from benchmarks.generation_shapes import RANK, TRACE_TOKENS, Bench, Task, random_model
from benchmarks.gpu import meter
from sokrates import models
from sokrates.config import GenerationConfig, GuideName
from sokrates.engines.engine import Completion, Engine, Request, Sampling
from sokrates.engines.sampling import stream
from sokrates.generation import sampling as usual_sampling

SAMPLES = 2
WARM_UP = 256
"""Problems set apart to be run before any is measured."""
STEP_TOKENS = 25
"""Tokens of a step where the model has random weights: 6 steps a trace."""
DICTATED_SEED = 2
GOLD = "SOKRATES_BENCHMARK_GOLD"
"""Environment variable: the file with what is dictated."""
LARGEST = (512, 384, 256, 192, 128, 96)
"""Batches that are tried for the largest that fits."""


@dataclass(frozen=True, slots=True)
class Row:
    """One way to generate. `problems`: how many are measured at a time; `batch`: most rows at a time, 0 for the largest
    that fits; `real`: whether it is for the embedded model's real text (True), for random weights (False) or both;
    `gpus`: those that share one copy of the model (tensor parallelism)."""

    name: str
    letter: str
    title: str
    engine: Literal["plain", "transformers", "vllm"]
    batch: int
    problems: int
    keep_cache: bool = True
    adapter: bool = False
    guide: GuideName = "none"
    dictated: bool = False
    real: bool | None = None
    repetitions: int = 2
    gpus: int = 1

    @property
    def warm_up(self) -> int:
        """Most problems that are run before measuring. vLLM compiles kernels for a shape when it first meets it: less
        than a full batch would leave some of that to the first measurement."""
        return {"plain": 1, "transformers": 32, "vllm": WARM_UP}[self.engine]

    @property
    def group(self) -> str:
        """Rows of one group share a process and a loaded model."""
        if self.engine != "vllm":
            return "transformers"
        shared = f"-tp{self.gpus}" if self.gpus > 1 else ""
        return f"vllm-{self.batch}" + ("-lora" if self.adapter else "") + shared


def _guided(adapter: bool) -> list[Row]:
    suffix, beside = ("-lora", ", LoRA") if adapter else ("", "")
    names: tuple[GuideName, ...] = ("none", "grammar", "solver")
    return [
        Row(
            name=f"{'dictated' if guide == 'none' else guide}{suffix}",
            letter="f",
            title=f"vLLM{beside}, gold text, guide {guide}",
            engine="vllm",
            batch=512,
            problems=256,
            adapter=adapter,
            guide=guide,
            dictated=True,
            real=False,
        )
        for guide in names
    ]


_PLAIN = "one problem at a time, "
ROWS = {
    row.name: row
    for row in (
        Row("vllm", "d", "vLLM", "vllm", 512, 256, repetitions=3),
        *_guided(adapter=False),
        Row("vllm-lora", "e", f"vLLM, LoRA of rank {RANK}", "vllm", 512, 256, adapter=True, repetitions=3),
        *_guided(adapter=True),
        Row("vllm-tp2", "d", "vLLM, on two GPUs", "vllm", 512, 256, real=False, repetitions=3, gpus=2),
        Row(
            "vllm-lora-tp2",
            "e",
            f"vLLM, LoRA of rank {RANK}, on two GPUs",
            "vllm",
            512,
            256,
            adapter=True,
            real=False,
            repetitions=3,
            gpus=2,
        ),
        Row("vllm-256", "d", "vLLM, 256 traces at a time", "vllm", 256, 256),
        Row("vllm-lora-256", "e", f"vLLM, LoRA of rank {RANK}, 256 traces at a time", "vllm", 256, 256, adapter=True),
        Row("batch-64", "c", "transformers, batch of 64", "transformers", 64, 32),
        Row("plain", "a", _PLAIN + "re-encoded each step", "plain", 2, 2, keep_cache=False, repetitions=1),
        Row("cached", "b", _PLAIN + "cache kept", "plain", 2, 2, repetitions=1),
        Row(
            "batch-max", "c", "transformers, largest batch that fits", "transformers", 0, 256, real=False, repetitions=1
        ),
        Row("grammar-text", "f", "transformers, guide grammar", "transformers", 64, 32, guide="grammar", real=True),
        Row("solver-text", "f", "transformers, guide solver", "transformers", 64, 32, guide="solver", real=True),
    )
}
"""In the order in which they are measured."""

TASKS = WARM_UP + 3 * 256


def choose_rows(wanted: str, real: bool, *, vllm: bool, gpus: int) -> list[Row]:
    """The rows of a comma-separated list of names and letters, in the order of `ROWS`; `all` for all.

    Errors: ValueError naming what is unknown, or named and cannot be run here: without vLLM, with fewer GPUs than it
    needs. Of a letter or of all, such rows are left out.
    """
    names = [name for name in wanted.split(",") if name]
    known = {"all", *ROWS, *(row.letter for row in ROWS.values())}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"rows {', '.join(unknown)}: expected names or letters of {', '.join(sorted(known))}")
    found = [row for row in ROWS.values() if {"all", row.name, row.letter} & {*names} and row.real in (None, real)]
    unfit = {row.name for row in found if (row.engine == "vllm" and not vllm) or row.gpus > max(gpus, 1)}
    if asked := sorted(unfit & {*names}):
        raise ValueError(
            f"rows {', '.join(asked)}: expected vLLM, and as many GPUs as a row has; there are {gpus} GPUs"
        )
    return [row for row in found if row.name not in unfit]


def requests(tasks: Sequence[Task]) -> list[Request]:
    """Two samples of each task."""
    return [
        Request(task.prompt_ids, task.problem.problem_id, sample, task.problem)
        for task in tasks
        for sample in range(SAMPLES)
    ]


def sampling_of(row: Row, real: bool) -> Sampling:
    """The settings that all rows of a shape share, with the row's guide."""
    if real:
        return usual_sampling(GenerationConfig(guide=row.guide))
    seed = DICTATED_SEED if row.dictated else 1
    longest = 2 * TRACE_TOKENS if row.dictated else TRACE_TOKENS
    return Sampling(temperature=1.0, top_p=1.0, max_tokens=longest, max_steps=10**6, seed=seed, guide=row.guide)


class Engines:
    """The engines of one group, made when they are first needed. `seconds`: where the start went."""

    def __init__(self, bench: Bench, device: str, dtype: str, work: Path) -> None:
        self._bench, self._device, self._dtype, self._work = bench, device, dtype, work
        self._model: Any = None
        self._vllm: Any = None
        self.seconds: dict[str, float] = {}

    def get(self, row: Row, batch: int) -> Engine:
        if row.engine == "vllm":
            self._vllm = self._vllm or self._start_vllm(row)
            engine: Engine = self._vllm
            return engine
        tokenizer = models.load_tokenizer(self._bench.model)
        if self._model is None:
            self._model = self._load(row)
        if row.engine == "plain":
            from benchmarks.plain import PlainEngine

            steps = {} if self._bench.shape.real else {"step_tokens": STEP_TOKENS}
            return PlainEngine(self._model, tokenizer, keep_cache=row.keep_cache, **steps)
        from sokrates.engines.transformers import TransformersEngine

        return TransformersEngine(self._model, tokenizer, max_batch=batch, batch_tokens=2**31)

    def forget(self) -> bool:
        """Empty vLLM's prefix cache of what the rows before had, the same problems; whether it could be."""
        for _ in range(20):
            if self._vllm is None or self._vllm._llm.reset_prefix_cache():
                return True
            time.sleep(0.1)  # the engine may still be putting away what was aborted last
        return False

    def _load(self, row: Row) -> Any:
        """The model, with real weights or with random ones made where they are needed."""
        began = time.perf_counter()
        import torch
        import transformers  # noqa: F401

        self.seconds["import"] = round(time.perf_counter() - began, 2)
        began = time.perf_counter()
        name = self._bench.adapter if row.adapter else self._bench.model
        if self._bench.shape.real:
            model = models.load_model(name, device=self._device, dtype=self._dtype)
        else:
            model = random_model(self._bench.shape, torch.device(self._device), getattr(torch, self._dtype))
        self.seconds["model"] = round(time.perf_counter() - began, 2)
        return model

    def _start_vllm(self, row: Row) -> Any:
        """vLLM with random weights of its own making; the sampler dictates where the seed says so."""
        from sokrates.engines.vllm import VllmEngine

        gold = self._work / "gold.json"
        table = {
            stream(DICTATED_SEED, task.problem.problem_id, sample): task.gold_ids
            for task in self._bench.tasks
            for sample in range(SAMPLES)
        }
        gold.write_text(json.dumps(table))
        os.environ[GOLD] = str(gold)
        engine = VllmEngine(
            self._bench.adapter if row.adapter else self._bench.model,
            device=self._device,
            dtype=self._dtype,
            max_batch=row.batch,
            tensor_parallel_size=row.gpus,
            sampler="benchmarks.generation_dictation:Dictator",  # by name: vLLM is not imported yet
            **({} if self._bench.shape.real else {"check": False, "load_format": "dummy"}),
        )
        self.seconds = dict(engine.seconds)
        return engine


def measure(row: Row, bench: Bench, engines: Engines, problems: int = 0) -> dict[str, Any]:
    """One row's figures; `problems` overrides how many are measured at a time."""
    if row.batch:
        return _measured(row, row.batch, bench, engines, problems or row.problems)
    import torch

    for batch in LARGEST:
        try:
            return _measured(row, batch, bench, engines, batch // SAMPLES)
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
    raise MemoryError(f"not even a batch of {LARGEST[-1]} fits")


def _measured(row: Row, batch: int, bench: Bench, engines: Engines, problems: int) -> dict[str, Any]:
    engine = engines.get(row, batch)
    forgotten = engines.forget()
    sampling = sampling_of(row, bench.shape.real)
    began = time.perf_counter()
    for _ in engine.generate(_warm_up(row, batch, bench), sampling):
        pass
    warm_up = time.perf_counter() - began
    repetitions: list[dict[str, Any]] = []
    completions: list[Completion] = []
    before = _counted(engine)
    with meter() as measured:
        for tasks in _portions(bench.tasks[WARM_UP:], problems, row.repetitions):
            began = time.perf_counter()
            new = list(engine.generate(requests(tasks), sampling))
            seconds = time.perf_counter() - began
            tokens = sum(len(completion.token_ids) for completion in new)
            repetitions.append({"seconds": round(seconds, 4), "traces": len(new), "tokens": tokens})
            completions += new
    prompt_tokens, cached = (now - then for now, then in zip(_counted(engine), before, strict=True))
    return {
        "row": row.name,
        "letter": row.letter,
        "title": row.title,
        "guide": row.guide,
        "adapter_rank": RANK if row.adapter else 0,
        "batch": batch,
        "gpus": row.gpus,
        "problems": problems,
        "samples_per_problem": SAMPLES,
        "sampling": {"temperature": sampling.temperature, "top_p": sampling.top_p},
        "traces_per_second": round(median(part["traces"] / part["seconds"] for part in repetitions), 3),
        "tokens_per_second": round(median(part["tokens"] / part["seconds"] for part in repetitions), 1),
        "tokens_per_trace": round(sum(part["tokens"] for part in repetitions) / len(completions), 2),
        "prompt_tokens": round(sum(len(c.request.prompt_ids) for c in completions) / len(completions), 1),
        "shared_tokens": bench.shared,
        "repetitions": repetitions,
        "peak_memory_gib": measured.peak_memory,
        "gpu_utilisation": measured.utilisation,
        "prefix_cache_was_emptied": forgotten,
        "prefix_cache_hit_rate": round(cached / prompt_tokens, 4) if prompt_tokens else None,
        "start_seconds": {**engines.seconds, "first_batch": round(warm_up, 2)},
        "finish_reasons": dict(Counter(completion.finish_reason for completion in completions)),
        **(_dictation(row, bench, completions) if row.dictated else {}),
        "architecture": asdict(bench.architecture),
    }


def _warm_up(row: Row, batch: int, bench: Bench) -> list[Request]:
    """What is run first, of problems that are not measured."""
    return requests(bench.tasks[: min(row.warm_up, batch // SAMPLES or 1)])


def _portions(tasks: Sequence[Task], size: int, most: int) -> Iterator[Sequence[Task]]:
    """Up to `most` portions of `size` tasks; the first is short where there are not enough."""
    for index in range(most):
        portion = tasks[index * size : (index + 1) * size]
        if index == 0 or len(portion) == size:
            yield portion


def _counted(engine: Any) -> tuple[int, int]:
    """(prompt tokens, those that the prefix cache had) so far; zeros for an engine without such a cache."""
    return getattr(engine, "prompt_tokens", 0), getattr(engine, "cached_tokens", 0)


def _dictation(row: Row, bench: Bench, completions: Sequence[Completion]) -> dict[str, Any]:
    """Whether the text was the dictated one, and how many of its tokens the guide would have refused."""
    gold = {task.problem.problem_id: task.gold_ids for task in bench.tasks}
    said = sum(c.token_ids == gold[c.request.problem_id][: len(c.token_ids)] for c in completions)
    return {
        "as_dictated": round(said / len(completions), 4),
        "dictated_tokens_refused": 0 if row.guide == "none" else _refused(row.guide, bench, completions[:20]),
    }


def _refused(guide: GuideName, bench: Bench, completions: Sequence[Completion]) -> int:
    from sokrates.guides import make_guide

    tokenizer = models.load_tokenizer(bench.model)
    made = make_guide(guide, tokenizer, {tokenizer.eos_token_id})
    refused = 0
    for completion in completions:
        follower = made.follow(completion.request.problem, 0)
        for token in completion.token_ids:
            mask = follower.mask()
            refused += mask is not None and (token in mask.token_ids) is not mask.allow
            follower.feed(token)
    return refused
