"""What `benchmarks.dpo` trains on: a model whose weights lie in a real file, an adapter, and preference pairs.

Contract: the shapes of `generation_shapes`, with random weights written once as safetensors, so that loading is
loading. Pairs are gold traces over the same with sloppy steps; for the memory figure, random ids of an exact length.
Everything follows from fixed seeds. Also what a training must compute, by arithmetic.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.generation_shapes import RANK, Bench, Shape, prepare, qwen3_config
from benchmarks.roofline import Architecture
from sokrates import models
from sokrates.traces.gold import gold_outline, write_outline
from sokrates.traces.prompt import encode_completion
from sokrates.traces.sloppy import sloppy_outline
from sokrates.training.data import PairIds

LONG = 1024
"""Tokens of each sequence behind the memory figure, half of them prompt."""
_STAND_IN = 1 << 20
"""Bytes; the stand-in for weights that the generation benchmark makes do with is smaller."""


def ready(shape: Shape, folder: Path, count: int) -> Bench:
    """The shape's folders, weights included, and `count` problems."""
    bench = prepare(shape, folder, count)
    weights = Path(bench.model) / "model.safetensors"
    if not shape.real and weights.stat().st_size < _STAND_IN:
        _write_weights(shape, weights)
    return bench


def warm(bench: Bench) -> float:
    """Read the weights once, so that every way finds them in the page cache; GiB."""
    folder = Path(models.resolve(bench.model).base)
    size = 0
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            while block := file.read(1 << 26):
                size += len(block)
    return size / 2**30


def _write_weights(shape: Shape, path: Path) -> None:
    """Random bfloat16 weights, of a size that training stays finite with."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM

    place = "cuda" if torch.cuda.is_available() else "cpu"
    source = torch.Generator(place).manual_seed(0)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(qwen3_config(shape))
    weights = {}
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            weights[name] = torch.ones(parameter.shape, dtype=torch.bfloat16)
        else:
            numbers = torch.empty(parameter.shape, dtype=torch.bfloat16, device=place)
            weights[name] = numbers.normal_(std=0.02, generator=source).cpu()
    partial = path.with_suffix(".partial")
    save_file(weights, partial, {"format": "pt"})
    partial.replace(path)


def preference_pairs(bench: Bench) -> list[PairIds]:
    """A gold trace over one with sloppy steps, for every problem whose two texts differ."""
    tokenizer = models.load_tokenizer(bench.model)
    source = random.Random(3)
    found = []
    for task in bench.tasks:
        outline = gold_outline(task.problem)
        chosen, rejected = (
            write_outline(task.problem, steps)
            for steps in (outline, sloppy_outline(task.problem, outline, source, rate=0.5))
        )
        if chosen != rejected:
            completions = (tuple(encode_completion(tokenizer, text)) for text in (chosen, rejected))
            found.append(PairIds(task.problem.problem_id, task.prompt_ids, *completions))
    return found


def long_pairs(bench: Bench, count: int) -> list[PairIds]:
    """Pairs of random ids, each sequence of exactly `LONG` tokens."""
    source, half = random.Random(4), LONG // 2

    def ids() -> tuple[int, ...]:
        return tuple(source.randrange(3, bench.architecture.vocabulary) for _ in range(half))

    return [PairIds(f"long-{index}", ids(), ids(), ids()) for index in range(count)]


def lengths(pairs: Sequence[PairIds]) -> dict[str, float]:
    """Mean tokens."""
    total = len(pairs)
    return {
        "prompt": round(sum(len(pair.prompt_ids) for pair in pairs) / total, 1),
        "chosen": round(sum(len(pair.chosen_ids) for pair in pairs) / total, 1),
        "rejected": round(sum(len(pair.rejected_ids) for pair in pairs) / total, 1),
        "longest_sequence": max(pair.length for pair in pairs),
    }


@dataclass(frozen=True, slots=True)
class Passes:
    """How often a way computes a pair, and whether it reads a pair's prompt once for both completions."""

    shared: bool
    forward: int
    """Passes without a gradient beside the one with: 1 for the reference, whether at every step or once."""


def operations(model: Architecture, pairs: Sequence[PairIds], passes: Passes, rank: int = RANK) -> float:
    """Operations of one epoch without padding and without what checkpointing computes again.

    A forward pass is two operations a parameter and token. The backward pass of frozen weights is two more (gradients
    of activations alone), that of the adapter four. The output matrix sees completion tokens only.
    """
    frozen, adapter = model.layer_parameters, model.adapter_parameters(rank)
    total = 0.0
    for pair in pairs:
        completions = len(pair.chosen_ids), len(pair.rejected_ids)
        prompt = len(pair.prompt_ids)
        tokens = sum(completions) + prompt * (1 if passes.shared else 2)
        attended = sum(_below(prompt + length) for length in completions) - (_below(prompt) if passes.shared else 0)
        forward = 2 * (frozen + adapter) * tokens + model.attention_operations * attended
        forward += 2 * model.output_parameters * sum(completions)
        backward = forward + 2 * adapter * tokens + model.attention_operations * attended
        total += forward * (1 + passes.forward) + backward
    return total


def _below(length: float) -> float:
    """Positions that the tokens of a text attend to."""
    return length * (length + 1) / 2
