"""The ways to train with DPO that `benchmarks.dpo` sets side by side: TRL's plain ones, and ours with its parts apart.

Contract: a way makes a model ready (each step of it timed) and a trainer of that model, on the same pairs, learning
rate and batch size. The plain ways are TRL as it comes: padded batches in random order, PyTorch's attention, and the
reference computed again at every step. `plain-ordered` has our order of pairs, so that its losses are those that our
ways must have.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import peft
import torch
import trl
from transformers import AutoModelForCausalLM
from trl.trainer.utils import use_adapter

from benchmarks.dpo_work import Passes
from benchmarks.generation_shapes import RANK, Bench
from sokrates import models
from sokrates.config import DPOConfig
from sokrates.training import attention, dpo, reference, stacking
from sokrates.training.data import PairIds


@dataclass(frozen=True, slots=True)
class Way:
    """One way; `exact`: its losses must be those of TRL on the same order of pairs."""

    name: str
    title: str
    exact: bool = False
    merged: bool = False
    rank: int = 16
    """Of the new adapter after a merge; the plan's."""
    copied: bool = False
    ordered: bool = True
    """Batches of like length, in our order."""
    stacked: bool = False
    cached: bool = False
    shared: bool = False

    @property
    def ours(self) -> bool:
        """Whether it attends by segments."""
        return self.cached or self.shared

    @property
    def passes(self) -> Passes:
        """What it computes; all compute the reference once an epoch."""
        return Passes(self.shared, 1)


WAYS = {
    way.name: way
    for way in (
        Way("plain-merge", "TRL after merge, unload and a new LoRA", merged=True, ordered=False),
        Way("plain-merge-same", "the same, new LoRA of SFT's rank", merged=True, rank=RANK, ordered=False),
        Way("plain-copy", "TRL with a reference copy of the model", copied=True, ordered=False),
        Way("plain-trl", "TRL on the adapter", ordered=False),
        Way("plain-ordered", "TRL on the adapter, our order of pairs", exact=True),
        Way("cache", "reference kept", exact=True, cached=True),
        Way("sharing", "prompts shared", exact=True, shared=True),
        Way("ours", "continue: reference kept, prompts shared", exact=True, cached=True, shared=True),
        Way("stack", "stack: reference kept, prompts shared", stacked=True, cached=True, shared=True),
    )
}


@dataclass(slots=True)
class Ready:
    """A model ready for DPO, and the seconds of each step that made it so."""

    model: Any = None
    copy: Any = None
    attention: str = "sdpa"
    rank: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


class Plain(trl.DPOTrainer):
    """TRL's trainer on token ids, which its own preparation does not take; in TRL's order."""

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset

    def _send_telemetry(self) -> None:
        """Nothing: a benchmark reports to no one."""


class SharedAtEveryStep(dpo.DPOTrainer):
    """Prompts are shared, but the reference is the adapter's copy, computed again at every step."""

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
        with use_adapter(self.accelerator.unwrap_model(self.model), "ref"):
            chosen, rejected = self.sums(inputs)
        inputs |= {"ref_chosen_logps": chosen, "ref_rejected_logps": rejected}
        return super()._compute_loss(model, inputs, return_outputs)


def load(way: Way, bench: Bench, device: str, dtype: str) -> Ready:
    """The model ready for DPO, as the way has it."""
    ready = Ready()
    lora = DPOConfig().lora
    with _clock(ready, "load", device):
        ready.model = (
            _plain_model(bench, device, dtype)
            if way.merged
            else models.load_model(bench.adapter, device=device, dtype=dtype, trainable=True)
        )
    if way.merged:
        with _clock(ready, "merge", device):
            merged = ready.model.merge_and_unload()
        with _clock(ready, "new_adapter", device):
            new = peft.LoraConfig(r=way.rank, lora_alpha=2 * way.rank, target_modules="all-linear")
            ready.model = peft.get_peft_model(merged, new)
    if way.copied:
        with _clock(ready, "copy", device):
            # Merged: TRL's fused head does not take a reference with an adapter.
            ready.copy = models.load_model(bench.adapter, device=device, dtype=dtype).merge_and_unload()
    if way.ours:
        with _clock(ready, "attention", device):
            ready.attention = str(attention.choose(ready.model))
    if way.stacked:
        with _clock(ready, "new_adapter", device):
            stacking.stack(ready.model, lora, seed=0)
    ready.rank = sum(adapter.r for adapter in ready.model.peft_config.values())
    return ready


def _plain_model(bench: Bench, device: str, dtype: str) -> Any:
    """The model with SFT's adapter by the libraries alone, as the plan loads it: read straight to its device."""
    place = torch.device(device)
    model = AutoModelForCausalLM.from_pretrained(bench.model, dtype=getattr(torch, dtype), device_map=place)
    vars(model).pop("hf_device_map", None)  # a trainer would take it for a model spread over devices
    return peft.PeftModel.from_pretrained(model, bench.adapter)


def make_trainer(
    way: Way, ready: Ready, tokenizer: Any, pairs: Sequence[PairIds], config: DPOConfig, folder: Path
) -> Any:
    """A trainer of a model that is ready; where the reference is kept, `reference.fill` comes before training."""
    if way.cached:
        settings = config.model_copy(update={"share_prompts": way.shared})
        trainer = dpo.make_trainer(ready.model, tokenizer, pairs, settings, folder)
        assert trainer.shares_prompts == way.shared
    else:
        kind: Any = SharedAtEveryStep if way.shared else dpo.DPOTrainer if way.ordered else Plain
        arguments = dpo.training_arguments(ready.model, config, folder)
        # A merged model's reference is the model without its adapter; TRL, given the new adapter, would copy it.
        trainer = kind(
            model=ready.model,
            ref_model=ready.copy,
            args=arguments,
            train_dataset=dpo.columns(pairs),
            processing_class=tokenizer,
        )
        trainer.uncasts = way.ours
        if way.merged:
            ready.model.delete_adapter("ref")
        if way.shared:
            trainer.shares_prompts = trainer.precompute_ref_logps = True
    trainer.args.save_strategy = "no"
    return trainer


def fill(trainer: Any, pairs: Sequence[PairIds], ready: Ready, folder: Path) -> float:
    """Score the reference as our training does, with its kernels compiled before; seconds."""
    trainer.score(reference.batches(pairs)[-1])
    file = folder / "reference.safetensors"
    model = ready.model
    found = reference.log_probabilities(pairs, trainer.score, model.dtype, model.device.type, file, "benchmark")
    trainer.use(found)
    return found.seconds


@contextmanager
def _clock(ready: Ready, step: str, device: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    ready.seconds[step] = round(time.perf_counter() - began, 3)
