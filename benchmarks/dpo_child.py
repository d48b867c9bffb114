"""Measures one job of `benchmarks.dpo` in this process; see `benchmarks.processes`.

Jobs: `machine` writes the weights and measures what the machine can do; `load-WAY-DEVICE`, `memory-WAY`, `train-WAY`.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import click
import torch
from transformers import TrainerCallback

from benchmarks.dpo_ways import WAYS, Way, fill, load, make_trainer
from benchmarks.dpo_work import lengths, long_pairs, operations, preference_pairs, ready, warm
from benchmarks.generation_child import installed
from benchmarks.generation_shapes import SHAPES, Bench
from benchmarks.gpu import describe_gpu, measure_rates, meter
from benchmarks.machine import describe
from sokrates import jsonl, models
from sokrates.config import DPOConfig
from sokrates.training.data import PairIds

MACHINE = "machine"
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "triton", "flash-attn")
WARM_UP = 3
"""Steps at the beginning of a training that are not timed: kernels are compiled in them."""
LOADS, LOAD_SECONDS = 3, 60.0
"""Most repetitions of loading, the first not counted, and the time after which no other is begun."""
LONG_PAIRS = 8


class Clock(TrainerCallback):
    """The time at the end of each step, when the device is done with it."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())


def measure_loading(way: Way, bench: Bench, device: str, dtype: str) -> dict[str, Any]:
    """The median seconds of each step, with the weights in the page cache."""
    gib = warm(bench)
    until = time.monotonic() + LOAD_SECONDS
    found: list[dict[str, float]] = []
    while len(found) < 2 or (len(found) < LOADS and time.monotonic() < until):
        found.append(load(way, bench, device, dtype).seconds)
        gc.collect()
    counted = found[1:]
    steps = {name: round(median(run[name] for run in counted), 3) for name in counted[0]}
    total = median(sum(run.values()) for run in counted)
    return {
        "seconds": steps, "total_seconds": round(total, 3), "repetitions": counted, "page_cache": "warm",
        "weights_gib": round(gib, 2),
    }  # fmt: skip


def measure_training(
    way: Way, bench: Bench, pairs: Sequence[PairIds], config: DPOConfig, device: str, dtype: str
) -> dict[str, Any]:
    """One epoch: losses, speed after the first steps, memory, and the share of the machine's arithmetic in use."""
    made = load(way, bench, device, dtype)
    cuda = device.startswith("cuda")
    with tempfile.TemporaryDirectory() as name, meter() as measured:
        trainer = make_trainer(way, made, models.load_tokenizer(bench.model), pairs, config, Path(name))
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        cache_seconds = fill(trainer, pairs, made, Path(name)) if way.cached else 0.0
        clock = Clock()
        trainer.add_callback(clock)
        trainer.train()
        peak = torch.cuda.max_memory_allocated() / 2**30 if cuda else None
    history = [entry for entry in trainer.state.log_history if "loss" in entry]
    skipped = min(WARM_UP, len(clock.ends) - 2)
    timed = len(clock.ends) - 1 - skipped
    step = (clock.ends[-1] - clock.ends[skipped]) / timed
    a_step = config.batch_size * config.gradient_accumulation_steps
    training_seconds = step * len(pairs) / a_step
    epoch = training_seconds + cache_seconds
    return {
        "attention": made.attention,
        "pairs": len(pairs),
        "step_pairs": a_step,
        "batch_pairs": trainer.args.per_device_train_batch_size,
        "learning_rate": config.learning_rate,
        "lengths": lengths(pairs),
        "seconds_a_step": round(step, 4),
        "timed_steps": timed,
        "cache_seconds": round(cache_seconds, 3),
        "epoch_seconds": round(epoch, 3),
        "pairs_per_second": round(len(pairs) / epoch, 3),
        "operations": operations(bench.architecture, pairs, way.passes, made.rank),
        "peak_memory_gib": round(peak, 3) if peak is not None else None,
        "device_memory_gib": measured.peak_memory,
        "gpu_utilisation": measured.utilisation,
        "checkpointing": bool(trainer.args.gradient_checkpointing),
        "losses": [entry["loss"] for entry in history],
        "margins": [entry["rewards/margins"] for entry in history],
    }


def measure(job: str, bench: Bench, config: DPOConfig, device: str, dtype: str) -> dict[str, Any]:
    """The figures of a job other than `machine`."""
    kind, _, name = job.partition("-")
    if kind == "load":
        name, _, place = name.rpartition("-")
        return {"kind": kind, "way": name, "place": place, **measure_loading(WAYS[name], bench, place, dtype)}
    if kind == "memory":
        pairs, config = (
            long_pairs(bench, LONG_PAIRS),
            config.model_copy(update={"batch_size": 2, "gradient_accumulation_steps": 1}),
        )
    else:
        pairs = preference_pairs(bench)
        a_step = config.batch_size * config.gradient_accumulation_steps
        pairs = pairs[: len(pairs) // a_step * a_step]
    return {"kind": kind, "way": name, **measure_training(WAYS[name], bench, pairs, config, device, dtype)}


@click.command()
@click.option("--shape", required=True)
@click.option("--job", required=True)
@click.option("--work", type=Path, required=True)
@click.option("--parts", type=Path, required=True)
@click.option("--device", required=True)
@click.option("--dtype", required=True)
@click.option("--pairs", type=int, required=True)
@click.option("--learning-rate", type=float, required=True)
@click.option("--commit")
def main(
    shape: str, job: str, work: Path, parts: Path, device: str, dtype: str, pairs: int, learning_rate: float,
    commit: str | None,
) -> None:  # fmt: skip
    """Measure a job and write its figures."""
    bench = ready(SHAPES[shape], work, pairs)
    common = {"row": job, "shape": shape, "device": device, "dtype": dtype}
    common["machine"] = describe(*installed(*PACKAGES), commit=commit) | {"gpu": describe_gpu()}
    if job == MACHINE:
        warm(bench)
        rates = measure_rates(device, dtype)
        figures: dict[str, Any] = {"kind": MACHINE, "operations": rates.operations, "bytes": rates.bytes}
    else:
        config = DPOConfig(
            batch_size=8, gradient_accumulation_steps=2, learning_rate=learning_rate, logging_steps=1, seed=1
        )
        figures = measure(job, bench, config, device, dtype)
    jsonl.write_json(parts / f"{job}.json", common | figures)


if __name__ == "__main__":
    main()
