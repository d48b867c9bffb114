"""What the two trainers share: TRL's loop with nothing sent out, nothing printed, and checkpoints that resume.

Contract: the arguments follow the model: it trains on the device where it lies, under bfloat16 autocast iff its weights
are bfloat16. A training that was killed and resumed equals one that was not, on the same machine. A loss that is no
finite number ends it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import datasets
import msgspec
import torch
from peft import PeftModel
from peft.helpers import disable_input_dtype_casting
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Sampler
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import SaveStrategy

from sokrates import ranks
from sokrates.bar import Bar
from sokrates.console import bar
from sokrates.disk import Writing
from sokrates.training import adapters, figures, finite, sharding
from sokrates.training.tracking import Tracking

POOL = 16
"""Batches among whose examples one batch is made of like lengths."""


class AdapterTrainer:
    """Goes before a TRL trainer among the bases; the attributes are that trainer's."""

    args: Any
    accelerator: Any
    model: Any
    train_dataset: Any
    optimizer: Any
    lr_scheduler: Any
    state: Any
    add_callback: Any

    uncasts = True
    """Whether it trains within `uncast`."""
    like: int = 0
    """How many consecutive rows have like lengths; 0 is a batch. It fixes the order, whatever a batch is joined of."""
    known: Sequence[finite.Named] = ()
    """The examples or pairs that it trains and measures on: by them it names what is in a batch."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.meter = figures.Meter()
        self.shape = figures.Shape.of(self.model, adapters.ADAPTER)
        self._step_batches: list[dict[str, Any]] = []

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The trainer's. Errors: SokratesError for one that is no finite number, with the ids in the batch."""
        batch = dict(inputs)
        result = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)  # type: ignore[misc]
        loss = result[0] if return_outputs else result
        if not self.model.training:
            finite.check(loss, "held-out loss", f"after step {self.state.global_step}", [batch], self.known)
            return result
        finite.check(loss, "loss", f"step {self.state.global_step + 1}", [batch], self.known)
        self._step_batches.append(batch)
        self.meter.add(self.counts(batch))
        return result

    def counts(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """What a batch gives the model to do: see `figures.counts`."""
        return figures.counts(batch)

    def evaluate(self, *args: Any, **options: Any) -> dict[str, float]:
        with self.meter.paused():
            return super().evaluate(*args, **options)  # type: ignore[misc]

    def _save_checkpoint(self, *args: Any, **options: Any) -> None:
        with self.meter.paused():
            super()._save_checkpoint(*args, **options)  # type: ignore[misc]

    def figures(self, *, reference: bool = False) -> figures.Figures:
        """What the training cost; `reference` where each step computes a reference model too."""
        dtype = torch.bfloat16 if self.args.bf16 else torch.float32
        return figures.measured(self.meter, self.shape, self.args.device, dtype, reference=reference)

    def training_step(self, *args: Any, **options: Any) -> Any:
        """The trainer's: forward and backward pass of one batch."""
        with self.uncast():
            return super().training_step(*args, **options)  # type: ignore[misc]

    def uncast(self) -> AbstractContextManager[None]:
        """Within it PEFT does not cast an adapter's input to its float32, which autocast would cast back at once.

        The numbers are the same; at 0.6B on an H100 copies from one format to another took a fifth of the GPU's time.
        """
        context: AbstractContextManager[None] = disable_input_dtype_casting(
            self.model, active=self.uncasts and self.args.bf16
        )
        return context

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        """The trainer's; it is asked before the weights move. Errors: SokratesError where it is no finite number."""
        norm = super()._get_grad_norm(model, grad_norm)  # type: ignore[misc]
        batches, self._step_batches = self._step_batches, []
        if norm is not None:
            whole = norm.full_tensor() if hasattr(norm, "full_tensor") else norm  # FSDP spreads even a scalar out
            value = torch.as_tensor(whole, device=self.args.device)
            finite.check(value, "size of the gradient", f"step {self.state.global_step + 1}", batches, self.known)
        return norm

    def row_lengths(self, rows: datasets.Dataset) -> list[int]:
        """Tokens of each row, by which rows are put together in batches."""
        return [len(ids) for ids in rows["input_ids"]]

    def _send_telemetry(self) -> None:
        """Nothing: training reports to no one."""

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: a checkpoint is not for publishing."""

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Only the trained adapter. With the reference's copy in a sub-folder beside it, resuming would load that
        and silently leave the trained one at its start; PEFT would ask the hub about the base model; and the usual way
        gathers all of a model that the processes share."""
        state = sharding.whole(self.adapter_weights())
        if self.args.should_save:
            model = self.accelerator.unwrap_model(self.model)
            adapters.save(model, Path(output_dir or self.args.output_dir), state)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """What `save_model` wrote, put where it belongs, in parts or whole."""
        sharding.restore(self.adapter_weights(), adapters.read(Path(resume_from_checkpoint)))

    def adapter_weights(self) -> dict[str, torch.nn.Parameter]:
        """The trained adapter's parameters by name."""
        named = self.accelerator.unwrap_model(self.model).named_parameters()
        return {name: parameter for name, parameter in named if f".{adapters.ADAPTER}." in name}

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> LambdaLR:
        """The rate rises and falls linearly, counted from 1: the usual schedule takes its first step at rate 0, and
        a training of one step would learn nothing."""
        if self.lr_scheduler is None:
            warmup = self.args.get_warmup_steps(num_training_steps)
            share = partial(learning_rate_share, warmup=warmup, total=num_training_steps)
            self.lr_scheduler = LambdaLR(optimizer or self.optimizer, share)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def _get_train_sampler(self, train_dataset: datasets.Dataset | None = None) -> Sampler[int]:
        rows = self.train_dataset if train_dataset is None else train_dataset
        like = self.like or self.args.per_device_train_batch_size
        sampler = LikeLengthSampler(self.row_lengths(rows), like, self.args.seed)
        self.add_callback(OrderOfEpoch(sampler))
        return sampler


def join(rows: int, accumulation: int, tokens: int, device: str, most: int) -> tuple[int, int]:
    """Rows of a batch and batches of an optimizer step, joined as far as a GPU should take them.

    Batches of `rows` rows, each of at most `tokens` tokens, become one where they have at most `most` together; the
    step stays the same. A small model's small batch leaves a GPU waiting for the next operation to be launched: at 0.6B
    one of 7,000 tokens takes half a second, of which the GPU works 0.2.
    """
    if not device.startswith("cuda"):
        return rows, accumulation
    times = max(
        k for k in range(1, accumulation + 1) if accumulation % k == 0 and (k == 1 or k * rows * tokens <= most)
    )
    return rows * times, accumulation // times


def learning_rate_share(done: int, *, warmup: int, total: int) -> float:
    """Share of the peak rate at which a step is taken, after `done` others."""
    return min((done + 1) / (warmup + 1), max(total - done, 0) / max(total - warmup, 1))


class LikeLengthSampler(Sampler[int]):
    """Indices whose consecutive runs of `batch_size` have like lengths, so that padding is small.

    The order is drawn from (seed, epoch) alone: a resumed training goes on in the order of the one that was killed.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths, self.batch_size, self.seed, self.epoch = lengths, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        order = torch.randperm(len(self.lengths), generator=generator).tolist()
        batches = []
        for pool in _chunks(order, POOL * self.batch_size):
            batches += _chunks(sorted(pool, key=self.lengths.__getitem__), self.batch_size)
        full = [batch for batch in batches if len(batch) == self.batch_size]
        rest = [batch for batch in batches if len(batch) < self.batch_size]  # last, or it would shift the others
        for index in torch.randperm(len(full), generator=generator).tolist():
            yield from full[index]
        for batch in rest:
            yield from batch


def _chunks(items: Sequence[int], size: int) -> list[Sequence[int]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


class OrderOfEpoch(TrainerCallback):
    """Tells the sampler its epoch. accelerate does too, but not through the wrappers that skip the batches before a
    checkpoint and deal the others out to several processes: a resumed epoch would come in the order of the first."""

    def __init__(self, sampler: LikeLengthSampler) -> None:
        self.sampler = sampler

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.sampler.set_epoch(int(state.epoch or 0))


class LogLastStep(TrainerCallback):
    """So that the history ends where training does, whatever `logging_steps` is."""

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.global_step == state.max_steps:
            control.should_log = True


class SaveEvery(TrainerCallback):
    """A checkpoint, and before it a log entry, at every multiple of some number of steps.

    What was not logged is not in a checkpoint: without the entry a resumed history would leave a part out. The last
    step of an epoch is left to the epoch's own checkpoint, which would be written over this one.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        ends = args.save_strategy == SaveStrategy.EPOCH and (
            state.global_step == state.max_steps or state.epoch == int(state.epoch or 0)
        )
        if state.global_step % self.steps == 0 and not ends:
            control.should_save = True
        control.should_log |= control.should_save

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        control.should_log |= control.should_save


class ShowProgress(TrainerCallback):
    """Moves a bar with training, and tells what was logged last: the losses, DPO's rewards, tokens a second."""

    SHOWN = MappingProxyType(
        {
            "loss": "loss {:.3f}",
            "eval_loss": "held-out {:.3f}",
            "rewards/accuracies": "preferred {:.0%}",
            "rewards/margins": "margin {:.2f}",
        }
    )

    def __init__(self, meter: figures.Meter) -> None:
        self.pace = figures.Pace(meter)
        self.bar: Bar | None = None
        self._latest: dict[str, float] = {}
        self._tokens = 0.0

    def facts(self) -> list[str]:
        """The latest figures in words."""
        return self._told(self._tokens)

    def told(self) -> list[str]:
        """The figures at the end of training, tokens a second over all of it."""
        return self._told(self.pace.overall())

    def _told(self, rate: float) -> list[str]:
        latest = self._latest.copy()
        words = [text.format(latest[name]) for name, text in self.SHOWN.items() if name in latest]
        return [*words, f"{rate:,.0f} tokens/s"] if rate else words

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.bar:
            self.bar.begin(state.global_step, state.max_steps)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.bar:
            self.bar.advance()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float],
        **kwargs: Any,
    ) -> None:
        self._latest |= {name: value for name, value in logs.items() if name in self.SHOWN}
        if "loss" in logs:
            self._tokens = self.pace.tokens_per_second()


def arguments(model: PreTrainedModel | PeftModel, staging: Path) -> dict[str, Any]:
    """The arguments that both trainers take: where, on what, in which precision, and quietly."""
    device = model.device.type
    return {
        "output_dir": str(staging),
        "use_cpu": device == "cpu",
        "bf16": next(model.parameters()).dtype == torch.bfloat16,
        "gradient_checkpointing": device != "cpu",  # memory is what runs out on an accelerator, time on a CPU
        "dataloader_pin_memory": device == "cuda",
        "ddp_find_unused_parameters": False,  # every trainable weight takes part in every step
        "report_to": "none",
        "disable_tqdm": True,
        "logging_first_step": True,
        "logging_nan_inf_filter": False,  # a loss that is not a number is shown as such
        "save_total_limit": 2,  # the newest, and the best or the one before; at 1 the newest is deleted at the end
    }


def publish(
    trainer: Any,
    tokenizer: PreTrainedTokenizerBase,
    result: msgspec.Struct,
    output: Path,
    *,
    base_name: str,
    extras: Mapping[str, bytes],
) -> None:
    """`adapters.publish` of a trainer's adapter, gathered where the processes hold parts of it."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    state = sharding.whole(trainer.adapter_weights())
    with Writing(output):
        adapters.publish(model, tokenizer, result, output, base_name, extras, state)


def run(
    trainer: Any,
    checkpoint: Path | None,
    output: Path,
    *,
    save_steps: int,
    label: str | None,
    trackers: Sequence[str] = (),
) -> None:
    """Train to the end, from `checkpoint` where there is one, with a bar of this `label` if there is one.

    A checkpoint is written every `save_steps` optimizer steps besides those that the arguments ask for. `trackers` get
    the curves, and may put files of their own into `output`.
    """
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(LogLastStep())
    trainer.add_callback(SaveEvery(save_steps))
    trainer.add_callback(Tracking(trackers, output, trainer.meter))
    figures.reset_memory(trainer.args.device)
    with Writing(output), _bar(trainer, label) if label and ranks.is_main() else nullcontext():
        trainer.meter.start()
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        trainer.meter.stop()


@contextmanager
def _bar(trainer: Any, label: str) -> Iterator[None]:
    progress = ShowProgress(trainer.meter)
    with bar(label, None, "steps", progress.facts, told=progress.told, metered=True) as progress.bar:
        trainer.add_callback(progress)
        yield


def announce(text: str) -> None:
    """What a training says of itself before it starts, on standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextmanager
def no_dataset_bars() -> Iterator[None]:
    """TRL prepares its data in several passes, each with a bar of its own that says nothing to the user."""
    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()
