"""Fine-tuning steps by one way after another of laying examples into batches, with the trainer's own loss.

Contract: every way takes the same examples in the same optimizer steps, from the same model and adapter, so that its
losses are those of the others up to rounding, and a step is the same work. A step is what the trainer does: its
collator's batches, its loss and backward pass on each, clipping, AdamW. The first steps, which compile and allocate,
are not counted; figures are medians over the others.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any, Literal

import torch

from benchmarks.generation_shapes import Shape, random_model, tokenizer
from benchmarks.roofline import Architecture
from sokrates import models
from sokrates.config import SFTConfig
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.gold import gold_completion
from sokrates.traces.prompt import PromptStyle, encode_completion, encode_prompt
from sokrates.training import sft
from sokrates.training.attention import choose
from sokrates.training.data import Example
from sokrates.training.trainer import no_dataset_bars

MAX_LENGTH = 2048
BATCH = 8
"""Examples of a padded batch."""
ROWS = 8
"""Most packed rows of a batch: as many tokens as a batch padded to `MAX_LENGTH` holds."""
JOINED = 16
"""Most packed rows of a batch where the trainer joins batches on a GPU, by its defaults."""
WARM_UP = 2
"""Steps before any is counted."""
LEARNING_RATE = 2e-4

Layout = Literal["max_length", "longest", "packed"]


@dataclass(frozen=True, slots=True)
class Way:
    """How examples become batches. `rows`: most of a batch; `segments`: attention by segments; `like`: batches of like
    lengths; `liger`: its kernels for norms, rotation and activation."""

    name: str
    title: str
    layout: Layout
    rows: int = ROWS
    segments: bool = False
    like: bool = False
    liger: bool = False


WAYS = {
    way.name: way
    for way in (
        Way("plain", "each example padded to 2048, 8 to a batch", "max_length"),
        Way("longest", "padded to the longest of a batch of 8", "longest"),
        Way("like-lengths", "the same, batches of like lengths", "longest", like=True),
        Way("packed-mask", "packed, rows one by one under a mask", "packed"),
        Way("packed", "packed, attention by segments (ours)", "packed", segments=True),
        Way("packed-joined", "ours, batches joined to 16 rows", "packed", rows=JOINED, segments=True),
        Way("packed-liger", "ours with liger's kernels", "packed", segments=True, liger=True),
    )
}


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step: `tokens` of examples, `computed` with padding, `batches` through the model."""

    seconds: float
    loss: float
    examples: int
    tokens: int
    computed: int
    batches: int


def make_examples(shape: Shape, count: int, distractors: float) -> tuple[Any, list[Example]]:
    """The shape's tokenizer, and `count` gold traces behind their prompts, without the worked example."""
    spelling = models.load_tokenizer(models.EMBEDDED) if shape.real else tokenizer(_architecture(shape).vocabulary)
    style = PromptStyle(instructions=not shape.real)
    settings = GeneratorSettings(least_hops=1, most_hops=5, distractors=distractors)
    made = []
    for problem in generate(count, settings, seed=1, prefix="benchmark"):
        prompt = tuple(encode_prompt(spelling, problem, style))
        completion = tuple(encode_completion(spelling, gold_completion(problem, max_steps=40)))
        made.append(Example(problem.problem_id, prompt, completion))
    return spelling, made


def describe_lengths(examples: Sequence[Example]) -> dict[str, Any]:
    """Tokens of prompts, completions and both, over all examples."""
    parts = {
        "prompt": [len(example.prompt_ids) for example in examples],
        "completion": [len(example.completion_ids) for example in examples],
        "together": [example.length for example in examples],
    }
    return {
        name: {"least": min(tokens), "median": median(tokens), "mean": round(mean(tokens), 1), "most": max(tokens)}
        for name, tokens in parts.items()
    }


def measure(
    way: Way,
    shape: Shape,
    device: str,
    dtype: str,
    *,
    group: int,
    steps: int,
    seconds: float,
    distractors: float,
    folder: Path,
    profile: bool,
) -> dict[str, Any]:
    """One way's figures: at most `steps` steps of `group` examples, ended sooner after `seconds`, at least one."""
    spelling, examples = make_examples(shape, group * (WARM_UP + steps), distractors)
    groups = [examples[start : start + group] for start in range(0, len(examples), group)]
    bench = Bench(way, shape, device, dtype, spelling, examples, folder)
    bench.reset_peak()
    taken: list[Step] = []
    began = time.perf_counter()
    for members in groups:
        taken.append(bench.step(members))
        print(f"{way.name}: step {len(taken)}: {taken[-1].seconds:.3f} s, loss {taken[-1].loss:.4f}", flush=True)
        if len(taken) > WARM_UP and time.perf_counter() - began > seconds:
            break
    counted = taken[WARM_UP:]
    figures = {
        "row": way.name,
        "title": way.title,
        "attention": bench.attention,
        "counted_steps": len(counted),
        "examples_per_step": group,
        "distractors": distractors,
        "examples_per_second": median(step.examples / step.seconds for step in counted),
        "tokens_per_second": median(step.tokens / step.seconds for step in counted),
        "padding": round(1 - sum(step.tokens for step in counted) / sum(step.computed for step in counted), 4),
        "computed_per_batch": round(mean(step.computed / step.batches for step in counted), 1),
        "step_seconds": [round(step.seconds, 4) for step in counted],
        "losses": [step.loss for step in taken],
        "peak_memory_gib": bench.peak(),
        "lengths": describe_lengths(examples),
    }
    labels = [sum(len(each.completion_ids) for each in members) for members in groups[WARM_UP : len(taken)]]
    rate = median(
        operations(bench.architecture, members, count) / step.seconds
        for members, count, step in zip(groups[WARM_UP : len(taken)], labels, counted, strict=True)
    )
    figures["operations_per_second"] = rate
    if profile:
        figures["profile"] = bench.profile(groups[WARM_UP])
    return figures


def operations(sizes: Architecture, examples: Sequence[Example], labels: int, rank: int = 64) -> float:
    """What training an adapter must compute at least on these examples: no padding, nothing computed twice.

    A frozen matrix multiplies in the forward pass and in the backward pass for its input; an adapter's also for its
    own gradient; attention costs twice its forward pass again; the output matrix counts where there is a label.
    """
    tokens = sum(example.length for example in examples)
    positions = sum(example.length * (example.length + 1) / 2 for example in examples)
    linear = 4 * sizes.layer_parameters + 6 * sizes.adapter_parameters(rank)
    return tokens * linear + 4 * labels * sizes.output_parameters + 3 * sizes.attention_operations * positions


class Bench:
    """A way made ready on a device: its model, its trainer, and the batches it makes of a step's examples."""

    def __init__(
        self, way: Way, shape: Shape, device: str, dtype: str, spelling: Any, examples: list[Example], folder: Path
    ) -> None:
        self.way, self._device = way, device
        model = self._model(shape, dtype)
        if way.liger:
            _apply_liger(model)
        attention = choose(model) if way.segments else None
        self.attention = str(attention) if attention else f"transformers {model.config._attn_implementation}"
        self.architecture = _architecture(shape, model.config)
        config = SFTConfig(
            batch_size=way.rows if way.layout == "packed" else BATCH,
            gradient_accumulation_steps=1,
            learning_rate=LEARNING_RATE,
            max_length=MAX_LENGTH,
            packing=way.layout == "packed",
        )
        torch.manual_seed(0)
        self._trainer = sft.make_trainer(model, spelling, examples[:BATCH], config, folder)
        self._trainer.uncasts = way.segments
        self._spelling = spelling
        if way.layout == "max_length":
            self._trainer.data_collator.pad_to_multiple_of = MAX_LENGTH
        self._rows = self._trainer.args.per_device_train_batch_size
        if self._trainer.args.gradient_checkpointing:
            self._trainer.model.gradient_checkpointing_enable(self._trainer.args.gradient_checkpointing_kwargs)
        self._trainer.current_gradient_accumulation_steps = 1
        self._prepared = self._trainer.accelerator.prepare_model(self._trainer.model)
        self._trainer.model_wrapped = self._prepared
        self._optimizer = self._trainer.create_optimizer()

    def _model(self, shape: Shape, dtype: str) -> Any:
        if shape.real:
            return models.load_model(models.EMBEDDED, device=self._device, dtype=dtype)
        return random_model(shape, torch.device(self._device), getattr(torch, dtype))

    def step(self, examples: Sequence[Example]) -> Step:
        """One optimizer step, from token ids to new weights."""
        trainer = self._trainer
        rows = self._rows_of(examples)
        labels = sum(len(example.completion_ids) for example in examples)
        self._wait()
        began = time.perf_counter()
        losses, computed = [], 0
        for batch in self._batches(rows):
            computed += batch["input_ids"].numel()
            losses.append(trainer.training_step(self._prepared, batch, num_items_in_batch=labels))
        trainer.accelerator.clip_grad_norm_(trainer.model.parameters(), trainer.args.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        loss = float(torch.stack(losses).sum())
        self._wait()
        tokens = sum(example.length for example in examples)
        return Step(time.perf_counter() - began, loss, len(examples), tokens, computed, len(losses))

    def profile(self, examples: Sequence[Example], most: int = 25) -> dict[str, Any]:
        """The operations of one step that took longest by themselves, on the device, else on the CPU.

        Where `busy_milliseconds` is well below the step's seconds without the profiler, the device waits for launches.
        """
        on_gpu = self._device.startswith("cuda")
        activities = [torch.profiler.ProfilerActivity.CPU]
        if on_gpu:
            activities.append(torch.profiler.ProfilerActivity.CUDA)
        with torch.profiler.profile(activities=activities) as seen:
            self.step(examples)

        def milliseconds(event: Any) -> float:
            return (event.self_device_time_total if on_gpu else event.self_cpu_time_total) / 1000

        # Operators carry their kernels' time too, and so do annotations: kernels alone are counted.
        events = [
            event
            for event in seen.key_averages()
            if not on_gpu or ("CUDA" in str(event.device_type) and not getattr(event, "is_user_annotation", False))
        ]
        busy = sum(map(milliseconds, events)) or 1.0
        return {
            "busy_milliseconds": round(busy, 2),
            "launches": sum(event.count for event in events),
            "operations": [
                {
                    "operation": event.key[:120],
                    "calls": event.count,
                    "milliseconds": round(milliseconds(event), 3),
                    "share": round(milliseconds(event) / busy, 4),
                }
                for event in sorted(events, key=milliseconds, reverse=True)[:most]
            ],
        }

    def reset_peak(self) -> None:
        """Forget what building the model took."""
        if self._device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats()

    def peak(self) -> float:
        """GiB: the most that tensors held on the GPU; on a CPU, the most that the process held."""
        if self._device.startswith("cuda"):
            return round(torch.cuda.max_memory_allocated() / 2**30, 2)
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)

    def _rows_of(self, examples: Sequence[Example]) -> list[dict[str, Any]]:
        """As the trainer prepares its data, which is done once before training and not part of a step."""
        ordered = sorted(examples, key=lambda example: example.length) if self.way.like else examples
        trainer = self._trainer
        with no_dataset_bars():
            columns, packing = sft._columns(ordered), trainer.args.packing
            return list(trainer._prepare_dataset(columns, self._spelling, trainer.args, packing, None, "step"))

    def _batches(self, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """As few batches as hold the rows, of like numbers: the last of a step is not left with one row."""
        count = -(-len(rows) // self._rows)
        edges = [number * len(rows) // count for number in range(count + 1)]
        for start, end in pairwise(edges):
            yield self._trainer.data_collator(rows[start:end])

    def _wait(self) -> None:
        if self._device.startswith("cuda"):
            torch.cuda.synchronize()


def missing(way: Way, device: str) -> str:
    """Why a way cannot be measured here; empty where it can."""
    if not way.liger:
        return ""
    if find_spec("liger_kernel") is None:
        return "liger_kernel is not installed"
    return "" if device.startswith("cuda") else "liger's kernels need a GPU"


def _apply_liger(model: Any) -> None:
    """All of liger's kernels for this architecture but those of the loss, where TRL's fused head stands."""
    from transformers.integrations.liger import apply_liger_kernel

    apply_liger_kernel(model, {"cross_entropy": False, "fused_linear_cross_entropy": False})


def _architecture(shape: Shape, config: Any = None) -> Architecture:
    if shape.architecture is not None:
        return shape.architecture
    found = config or models.load_config(models.EMBEDDED)
    return Architecture(
        found.num_hidden_layers,
        found.hidden_size,
        found.num_attention_heads,
        found.num_key_value_heads,
        found.head_dim,
        found.intermediate_size,
        found.vocab_size,
    )
