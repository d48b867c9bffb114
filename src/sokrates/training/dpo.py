"""Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290) of the adapter that SFT made.

Contract: the adapter `default` is trained on (`continue`), or frozen with a new one on top of it (`stack`). Either way
the reference is the model as it is before the first update, scored once; so the loss at the first step is ln 2, and no
copy is held. Base weights do not move, nothing is merged, and the folder that is written holds one adapter. It knows
token ids, not problems or traces.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import datasets
import msgspec
import torch
import trl
from peft import PeftModel
from transformers import PreTrainedTokenizerBase, TrainerState

from sokrates.config import DPOConfig
from sokrates.errors import SokratesError
from sokrates.training import adapters, figures, processes, reference, stacking
from sokrates.training.attention import Attention, choose
from sokrates.training.data import PairIds, check_pairs
from sokrates.training.figures import Figures
from sokrates.training.shared import SharedPrefix, sharable
from sokrates.training.trainer import AdapterTrainer, announce, arguments, join, no_dataset_bars, publish, run

SORTED = {"aot", "aot_unpaired"}
"""Losses that sort the pairs of a batch: of joined batches they would be others."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Means over the steps since the last entry; those of step 1 are taken before the first update."""

    step: int
    epoch: float
    loss: float
    accuracy: float
    """Share of the pairs whose chosen completion has the higher reward."""
    margin: float
    chosen_reward: float
    rejected_reward: float
    chosen_logp_per_token: float
    rejected_logp_per_token: float


class DPOResult(msgspec.Struct, frozen=True, kw_only=True):
    """What `training.json` of a preference-trained adapter says."""

    pairs: int
    tokens: int
    """Of both sequences of all pairs, prompts included, in one epoch."""
    steps: int
    epochs: float
    loss_at_start: float
    """Before the first update: ln 2 for the sigmoid loss."""
    loss_at_end: float
    seconds: float
    """Of this process: a resumed training does not count what came before."""
    resumed_at_step: int
    reference: str
    """Where the reference's log-probabilities are from."""
    reference_seconds: float
    """To compute or to read them, within `seconds`."""
    history: list[Progress]
    figures: Figures
    fingerprint: str
    shared_prompts: bool
    """Whether a prompt was computed once for both its completions."""
    attention: Attention


LEAST_FALL = 1.0
"""Nats by which a chosen trace may become less likely before it is worth a warning."""


class DPOTrainer(AdapterTrainer, trl.DPOTrainer):
    """TRL's trainer on pairs of token ids. TRL's own preparation takes text only, so it is left out."""

    shares_prompts = False

    def _prepare_dataset(self, dataset: datasets.Dataset, *args: Any, **kwargs: Any) -> datasets.Dataset:
        return dataset

    def row_lengths(self, rows: datasets.Dataset) -> list[int]:
        ids = (rows["prompt_ids"], rows["chosen_ids"], rows["rejected_ids"])
        return [len(prompt) + max(len(chosen), len(rejected)) for prompt, chosen, rejected in zip(*ids, strict=True)]

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
        """TRL's, and the completions' lengths beside its log-probabilities, which are sums over tokens."""
        chosen, rejected = inputs["completion_mask"].sum(dim=1).float().chunk(2)
        metrics = self._metrics["train" if self.model.training else "eval"]
        metrics["tokens/chosen"].append(self.accelerator.gather(chosen).mean().item())
        metrics["tokens/rejected"].append(self.accelerator.gather(rejected).mean().item())
        return super()._compute_loss(self._scorer(model), inputs, return_outputs)

    def counts(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """As of the plain layout, but a shared prompt is computed once, and nothing is padded then: of p tokens, with c
        and r of the completions, p + c + r in place of 2p + c + r, and (p + c)² + (p + r)² - p² for attention."""
        tokens, _, squares = plain = figures.counts(batch)
        if not self.shares_prompts:
            return plain
        prompts = (batch["attention_mask"].sum(dim=1) - batch["completion_mask"].sum(dim=1)).chunk(2)[0]
        return torch.stack([tokens - prompts.sum(), tokens - prompts.sum(), squares - (prompts * prompts).sum()])

    def score(self, indices: Sequence[int]) -> reference.Scores:
        """The log-probabilities of pairs under the model as it is now, with what training computes them."""
        return self.sums(self._prepare_inputs(self.data_collator([self.train_dataset[index] for index in indices])))

    def sums(self, inputs: dict[str, Any]) -> reference.Scores:
        """The log-probabilities of a batch as TRL's collator makes it, without gradients or dropout."""
        labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
        ids = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        training = self.model.training
        self.model.eval()
        with torch.no_grad(), self.accelerator.autocast(), self.uncast():
            output = self._scorer(self.model)(**ids, use_cache=False, labels=labels, fused_lm_head=True)
        self.model.train(training)
        chosen, rejected = output.log_probs.float().sum(dim=1).chunk(2)
        return chosen, rejected

    def _scorer(self, model: Any) -> Any:
        """What is called as the model."""
        return SharedPrefix(model) if self.shares_prompts else model

    def use(self, found: reference.Reference) -> None:
        """Take the reference's log-probabilities from these instead of computing them at every step."""
        for name, values in (("ref_chosen_logps", found.chosen), ("ref_rejected_logps", found.rejected)):
            self.train_dataset = self.train_dataset.add_column(name, values)
        self.precompute_ref_logps = True


def train_dpo(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[PairIds],
    config: DPOConfig,
    output: Path,
    *,
    base_name: str,
    extras: Mapping[str, bytes] = MappingProxyType({}),
    require_flash: bool = False,
    resume: bool = True,
    label: str = "dpo",
    progress: bool = True,
    trackers: Sequence[str] = (),
) -> DPOResult:
    """Train the adapter `default` on `pairs` and write adapter, tokenizer and `training.json` into `output`.

    `model` is used up: load the result from `output`. `base_name` is what the folder says its base model is.
    `extras` are more files to publish with the adapter, by name. With `resume`, the same training (same pairs,
    hyper-parameters and starting adapter) goes on from its last checkpoint, or is not repeated where it is finished.
    Errors: SokratesError for a pair with an empty completion or longer than `config.max_length`, for an adapter that
    cannot be copied, for a loss that is no finite number, and where `require_flash` asks for flash attention and
    another kernel would be used.
    """
    if not pairs:
        raise SokratesError("no preference pairs to train on; expected at least one")
    check_pairs(pairs, config.max_length)
    adapters.check_trainable(model)
    adapters.check_copyable(model)
    identity = adapters.fingerprint(model, "dpo", base_name, config.model_dump(), pairs)
    if resume and (done := adapters.finished(output, identity, DPOResult)):
        return done
    attention = choose(model, require_flash=require_flash)
    reference_key = reference.key(model, base_name, pairs)
    processes.join(model.device.type)
    staging = adapters.prepare(output, identity, resume=resume)
    start = time.perf_counter()
    if config.adapter_mode == "stack":
        stacking.stack(model, config.lora, config.seed)
    trainer = make_trainer(model, tokenizer, pairs, config, staging)
    _check_whole(trainer, config)
    if progress:
        announce(f"{attention}\nprompts: computed {'once a pair' if trainer.shares_prompts else 'for each completion'}")
    file = reference.path(output, reference_key)
    found = reference.log_probabilities(
        pairs, trainer.score, model.dtype, model.device.type, file, reference_key, progress=progress
    )
    trainer.use(found)
    if progress:
        announce(f"reference: {found.origin}, in {found.seconds:.1f} s")
    checkpoint = adapters.last_checkpoint(staging)
    shown = label if progress else None
    run(trainer, checkpoint, output, save_steps=config.save_steps, label=shown, trackers=trackers)
    history = _history(trainer.state)
    if progress and (warning := displacement(history, config.beta)):
        announce(f"{label}: {warning}")
    result = DPOResult(
        pairs=len(pairs),
        tokens=sum(2 * len(pair.prompt_ids) + len(pair.chosen_ids) + len(pair.rejected_ids) for pair in pairs),
        steps=trainer.state.global_step,
        epochs=trainer.state.epoch or 0.0,
        loss_at_start=history[0].loss,
        loss_at_end=history[-1].loss,
        seconds=round(time.perf_counter() - start, 3),
        resumed_at_step=adapters.step(checkpoint) if checkpoint else 0,
        reference=found.origin,
        reference_seconds=found.seconds,
        history=history,
        figures=trainer.figures(reference=not trainer.precompute_ref_logps),
        fingerprint=identity,
        shared_prompts=trainer.shares_prompts,
        attention=attention,
    )
    stacking.flatten(trainer.accelerator.unwrap_model(trainer.model))
    publish(trainer, tokenizer, result, output, base_name=base_name, extras=extras)
    return result


def make_trainer(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[PairIds],
    config: DPOConfig,
    staging: Path,
) -> DPOTrainer:
    """TRL's trainer for these pairs, ready to be given its reference and to train.

    Prompts are shared where `attention.choose` gave the model an attention that can.
    """
    shares = config.share_prompts and sharable(model)
    args = training_arguments(model, config, staging)
    args.per_device_train_batch_size, args.gradient_accumulation_steps = join(
        config.batch_size,
        config.gradient_accumulation_steps,
        max(pair.shared_length if shares else 2 * pair.length for pair in pairs),
        model.device.type,
        0 if SORTED & {*config.loss_type} else config.batch_tokens,
    )
    with no_dataset_bars():
        trainer = DPOTrainer(model=model, args=args, train_dataset=columns(pairs), processing_class=tokenizer)
    model.delete_adapter("ref")  # TRL's copy for a reference that is computed at every step
    trainer.shares_prompts = shares
    trainer.like = config.batch_size
    trainer.known = pairs
    return trainer


def _check_whole(trainer: DPOTrainer, config: DPOConfig) -> None:
    """Errors: SokratesError where two adapters are to be made one whose parts lie in several processes."""
    deepspeed = trainer.accelerator.state.deepspeed_plugin
    if config.adapter_mode == "stack" and (trainer.is_fsdp_enabled or (deepspeed and deepspeed.zero_stage == 3)):
        raise SokratesError(
            "dpo.adapter_mode = stack: the adapters would be in parts when they are made one; under FSDP and ZeRO 3 "
            "use adapter_mode = continue, or train with DDP or ZeRO 2"
        )


def training_arguments(model: PeftModel, config: DPOConfig, staging: Path) -> trl.DPOConfig:
    """The configuration as TRL takes it."""
    return trl.DPOConfig(
        **arguments(model, staging),
        save_strategy="epoch",
        num_train_epochs=config.num_epochs,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup_ratio,  # below 1 it is a share of all steps
        beta=config.beta,
        loss_type=config.loss_type,
        loss_weights=config.loss_weights,
        max_length=config.max_length,
        logging_steps=config.logging_steps,
        seed=config.seed,
    )


def columns(pairs: Sequence[PairIds]) -> datasets.Dataset:
    """What TRL's collator reads."""
    return datasets.Dataset.from_dict(
        {name: [list(getattr(pair, name)) for pair in pairs] for name in ("prompt_ids", "chosen_ids", "rejected_ids")}
    )


def displacement(history: Sequence[Progress], beta: float) -> str:
    """What to say where the chosen traces ended less likely than the reference has them, by over a nat each; "" else.

    Both sides fall together where the sigmoid term, a sum over a trace's tokens, outweighs the SFT term, which is a
    mean of them; most where the two are alike (Razin et al. 2024, "Unintentional Unalignment", arXiv:2410.08847).
    """
    chosen, rejected = (-reward / beta for reward in (history[-1].chosen_reward, history[-1].rejected_reward))
    if chosen <= LEAST_FALL:
        return ""
    return (
        f"the chosen traces became less likely too, by {chosen:.1f} nats each (the rejected ones by {rejected:.1f}): "
        "more weight for the SFT term (dpo.loss_type, dpo.loss_weights) or a lower learning rate holds them"
    )


def _history(state: TrainerState) -> list[Progress]:
    return [
        Progress(
            step=entry["step"],
            epoch=entry["epoch"],
            loss=entry["loss"],
            accuracy=entry["rewards/accuracies"],
            margin=entry["rewards/margins"],
            chosen_reward=entry["rewards/chosen"],
            rejected_reward=entry["rewards/rejected"],
            chosen_logp_per_token=entry["logps/chosen"] / entry["tokens/chosen"],
            rejected_logp_per_token=entry["logps/rejected"] / entry["tokens/rejected"],
        )
        for entry in state.log_history
        if "loss" in entry
    ]
