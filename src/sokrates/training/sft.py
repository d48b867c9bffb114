"""Supervised fine-tuning: a LoRA adapter learns completions, until its held-out loss stops falling.

Contract: the loss counts completion tokens only. Packed documents do not see each other: attention is told where each
begins. The adapter that is kept is the one with the lowest held-out loss, or the last where nothing is held out. What
attends and how long the examples are is said before training and recorded. It knows token ids, not problems or traces.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import datasets
import msgspec
import trl
from peft import LoraConfig, PeftModel
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from sokrates.config import SFTConfig
from sokrates.errors import SokratesError
from sokrates.training import adapters, lengths, processes, sharding
from sokrates.training.attention import Attention, attends_by_segments, choose
from sokrates.training.data import Example, check_examples
from sokrates.training.figures import Figures
from sokrates.training.lengths import Lengths
from sokrates.training.trainer import (
    AdapterTrainer,
    LikeLengthSampler,
    announce,
    arguments,
    join,
    no_dataset_bars,
    publish,
    run,
)


class Loss(msgspec.Struct, frozen=True):
    """Mean loss per completion token, in nats: over the steps since the last entry, or over the held-out rows."""

    step: int
    epoch: float
    loss: float


class SFTResult(msgspec.Struct, frozen=True, kw_only=True):
    """What `training.json` of a fine-tuned adapter says."""

    examples: int
    heldout: int
    tokens: int
    """Of prompts and completions, in one epoch."""
    completion_tokens: int
    rows: int
    """Of the packed data; as many as examples where it is not packed."""
    steps: int
    epochs: float
    best_epoch: float
    seconds: float
    """Of this process: a resumed training does not count what came before."""
    resumed_at_step: int
    train_losses: list[Loss]
    heldout_losses: list[Loss]
    figures: Figures
    fingerprint: str
    attention: Attention | None = None
    """What attended; none in results of before it was recorded, and so for lengths."""
    lengths: Lengths | None = None


class SFTTrainer(AdapterTrainer, trl.SFTTrainer):
    """TRL's trainer on pre-tokenised examples."""


class EarlyStopping(TrainerCallback):
    """Ends training after `patience` measurements without a new lowest held-out loss; 0 never ends it.

    It reads the history and keeps no count of its own, so that a resumed training stops where the other would have.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.exhausted(state):
            control.should_training_stop = True

    def exhausted(self, state: TrainerState) -> bool:
        losses = [entry.loss for entry in _losses(state, "eval_loss")]
        return bool(self.patience and losses) and len(losses) - 1 - losses.index(min(losses)) >= self.patience


def train_sft(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    config: SFTConfig,
    output: Path,
    *,
    base_name: str,
    extras: Mapping[str, bytes] = MappingProxyType({}),
    heldout: Sequence[Example] = (),
    require_flash: bool = False,
    resume: bool = True,
    label: str = "sft",
    progress: bool = True,
    trackers: Sequence[str] = (),
) -> SFTResult:
    """Fine-tune on `examples` and write adapter, tokenizer and `training.json` into `output`.

    A plain `model` gets a new adapter from `config.lora`; a PeftModel is trained on from its adapter `default`. Either
    is used up: load the result from `output`. `base_name` is what the folder says its base model is.
    `extras` are more files to publish with the adapter, by name. With `resume`, the same training (same inputs,
    hyper-parameters and starting adapter) goes on from its last checkpoint, or is not repeated where it is finished.
    Errors: SokratesError for an example that is empty or longer than `config.max_length`, for a loss that is no finite
    number, and where `require_flash` asks for flash attention and another kernel would be used.
    """
    if not examples:
        raise SokratesError("no examples to fine-tune on; expected at least one")
    check_examples([*examples, *heldout], config.max_length)
    if isinstance(model, PeftModel):
        adapters.check_trainable(model)
    identity = adapters.fingerprint(model, "sft", base_name, config.model_dump(), examples, heldout)
    if resume and (done := adapters.finished(output, identity, SFTResult)):
        return done
    attention = choose(model, require_flash=require_flash)
    processes.join(model.device.type)
    staging = adapters.prepare(output, identity, resume=resume)
    seen = _lengths(examples, config)
    if progress:
        announce(f"{attention}\n{seen}")
    start = time.perf_counter()
    trainer = make_trainer(model, tokenizer, examples, config, staging, heldout=heldout)
    resumed_at = _train(trainer, config, output, staging, label if progress else None, trackers)
    result = SFTResult(
        examples=len(examples),
        heldout=len(heldout),
        tokens=sum(example.length for example in examples),
        completion_tokens=sum(len(example.completion_ids) for example in examples),
        rows=len(trainer.train_dataset),
        steps=trainer.state.global_step,
        epochs=trainer.state.epoch or 0.0,
        best_epoch=_best_epoch(trainer.state),
        seconds=round(time.perf_counter() - start, 3),
        resumed_at_step=resumed_at,
        train_losses=_losses(trainer.state, "loss"),
        heldout_losses=_losses(trainer.state, "eval_loss"),
        figures=trainer.figures(),
        fingerprint=identity,
        attention=attention,
        lengths=seen,
    )
    publish(trainer, tokenizer, result, output, base_name=base_name, extras=extras)
    return result


def make_trainer(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    config: SFTConfig,
    staging: Path,
    *,
    heldout: Sequence[Example] = (),
) -> SFTTrainer:
    """TRL's trainer for these examples, ready to train."""
    rows, accumulation = _batch(model, examples, config)
    evaluation = _evaluation(config) if heldout else {"save_strategy": "epoch"}
    args = trl.SFTConfig(
        **arguments(model, staging),
        **evaluation,
        num_train_epochs=config.num_epochs,
        max_steps=config.max_steps or -1,
        per_device_train_batch_size=rows,
        per_device_eval_batch_size=rows,
        gradient_accumulation_steps=accumulation,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup_ratio,  # below 1 it is a share of all steps
        weight_decay=config.weight_decay,
        max_length=config.max_length,
        packing=config.packing,
        packing_strategy="bfd",
        completion_only_loss=True,
        logging_steps=config.logging_steps,
        seed=config.seed,
    )
    with no_dataset_bars():
        trainer = SFTTrainer(
            model=model,
            args=args,
            train_dataset=_columns(examples),
            eval_dataset=_columns(sorted(heldout, key=lambda example: example.length)) if heldout else None,
            processing_class=tokenizer,
            peft_config=None if isinstance(model, PeftModel) else _lora(config),
        )
    trainer.like = config.batch_size
    trainer.known = [*examples, *heldout]
    return trainer


def _train(
    trainer: SFTTrainer, config: SFTConfig, output: Path, staging: Path, label: str | None, trackers: Sequence[str]
) -> int:
    """Train until the epochs are over or the held-out loss has stopped falling, and put the best adapter in place."""
    stopping = EarlyStopping(config.early_stopping_patience)
    checkpoint = adapters.last_checkpoint(staging)
    before = TrainerState.load_from_json(str(checkpoint / "trainer_state.json")) if checkpoint else TrainerState()
    resumed_at = adapters.step(checkpoint) if checkpoint else 0
    if stopping.exhausted(before):
        trainer.state = before  # it had stopped, and was killed before it published
    else:
        trainer.add_callback(stopping)
        run(trainer, checkpoint, output, save_steps=config.save_steps, label=label, trackers=trackers)
    if trainer.state.best_global_step:
        best = staging / f"checkpoint-{trainer.state.best_global_step}"
        sharding.restore(trainer.adapter_weights(), adapters.read(best))
    return resumed_at


def _batch(model: PreTrainedModel | PeftModel, examples: Sequence[Example], config: SFTConfig) -> tuple[int, int]:
    """Rows that go through the model together, and how often before one optimizer step.

    Packed rows of a batch are laid end to end. Attention that is not told where documents end would then cost the
    square of the whole batch, so they go one by one; the loss, a mean over the tokens of the step, is the same.
    """
    ragged = attends_by_segments(model) or "flash" in (model.config._attn_implementation or "")
    if config.packing and not ragged:
        return 1, config.batch_size * config.gradient_accumulation_steps
    tokens = config.max_length if config.packing else max(example.length for example in examples)
    return join(config.batch_size, config.gradient_accumulation_steps, tokens, model.device.type, config.batch_tokens)


def _lengths(examples: Sequence[Example], config: SFTConfig) -> Lengths:
    """The lengths, beside the padding of the batches that training without packing would make of them."""
    tokens = [example.length for example in examples]
    order = list(LikeLengthSampler(tokens, config.batch_size, config.seed))
    batches = [order[start : start + config.batch_size] for start in range(0, len(order), config.batch_size)]
    return lengths.measure(tokens, config.max_length, batches, packed=config.packing)


def _evaluation(config: SFTConfig) -> dict[str, Any]:
    """When to measure the held-out loss; a checkpoint is kept at each measurement, so that the best can be."""
    when: dict[str, Any] = {"eval_strategy": "epoch", "save_strategy": "epoch"}
    if config.evals_per_epoch > 1:
        share = 1 / (config.num_epochs * config.evals_per_epoch)  # below 1 it is a share of all steps
        when = {"eval_strategy": "steps", "eval_steps": share, "save_strategy": "steps", "save_steps": share}
    return {**when, "metric_for_best_model": "loss", "greater_is_better": False, "prediction_loss_only": True}


def _lora(config: SFTConfig) -> LoraConfig:
    lora = config.lora
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules,
        task_type="CAUSAL_LM",
    )


def _columns(examples: Sequence[Example]) -> datasets.Dataset:
    """The pre-tokenised form that TRL takes: ids, and which of them are to be learned."""
    return datasets.Dataset.from_dict(
        {
            "input_ids": [[*example.prompt_ids, *example.completion_ids] for example in examples],
            "completion_mask": [
                [0] * len(example.prompt_ids) + [1] * len(example.completion_ids) for example in examples
            ],
        }
    )


def _losses(state: TrainerState, key: str) -> list[Loss]:
    return [Loss(entry["step"], entry["epoch"], entry[key]) for entry in state.log_history if key in entry]


def _best_epoch(state: TrainerState) -> float:
    """The epoch of the adapter that is kept."""
    heldout = _losses(state, "eval_loss")
    return min(heldout, key=lambda entry: entry.loss).epoch if heldout else state.epoch or 0.0
