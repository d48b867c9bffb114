"""What a training cost: tokens a second, padding, memory, and the share of the device's arithmetic that it used.

Contract: only real tokens count as work, padding does not, and neither does what is computed twice (recomputed
activations). Evaluations and checkpoints are left out of the time. Figures are of this process's run: a resumed
training does not count what came before; of several processes they are sums, memory the most of any one.

Floating-point operations of a token, after Kaplan et al. 2020 (arXiv 2001.08361), for frozen weights with an adapter:
2N forward and 2N backward through the activations, N being the weights of all linear layers, the output layer's
included; no gradient of the N weights is made. 6A for the A weights of the adapter. Attention over a document of n
tokens: 2n² times the heads' width forward in each layer (half of the square, for it is causal), twice that backward.
Where a reference model is computed in each step, its forward pass counts too.
"""

from __future__ import annotations

import re
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import torch

from sokrates import ranks
from sokrates.training import processes

PEAKS = {
    "B200": 2250e12,  # NVIDIA Blackwell architecture brief, 2024: 4.5 PFLOP/s with sparsity
    "H200": 989e12,  # NVIDIA H200 data sheet, 2024: 1,979 TFLOP/s with sparsity
    "H100 PCIe": 756e12,  # NVIDIA H100 data sheet, 2023: 1,513 with sparsity
    "H100 NVL": 835e12,  # the same: 1,671 with sparsity
    "H100": 989e12,  # the same, SXM: 1,979 with sparsity
    "A100": 312e12,  # NVIDIA A100 data sheet, 2021
    "L4": 121e12,  # NVIDIA L4 data sheet, 2023: 242 with sparsity
    "RTX 4090": 165e12,  # NVIDIA Ada GPU architecture, 2022, with float32 accumulation
}
"""Most dense bfloat16 operations a second, by what a device's name holds; more special names first."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A training's figures, as `training.json` keeps them."""

    device: str
    processes: int
    seconds: float
    """Of training alone, without loading, evaluations and checkpoints."""
    tokens: int
    """That went through the model in this time, padding not counted."""
    tokens_per_second: float
    padding_share: float
    """Share of the places in the batches that held padding."""
    peak_memory_gib: float
    """Of the device (allocated by torch), on a CPU of the process."""
    model_tflops_per_second: float
    """Of all processes together."""
    mfu: float | None
    """Model FLOP/s as a share of the devices' dense bfloat16 peak; none where the peak or the format is another."""


class Shape(msgspec.Struct, frozen=True):
    """What a model's arithmetic depends on."""

    weights: int
    """Of its linear layers, the output layer's included, without adapters."""
    adapter_weights: int
    layers: int
    attention_width: int
    """Attention heads times their size."""

    @classmethod
    def of(cls, model: Any, adapter: str) -> Shape:
        """The shape of a transformers model with a PEFT adapter of that name."""
        linear = {
            id(module.weight): module.weight.numel()
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and "lora_" not in name
        }
        config = model.config.get_text_config()
        heads = config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // heads
        trained = sum(parameter.numel() for name, parameter in model.named_parameters() if f".{adapter}." in name)
        return cls(sum(linear.values()), trained, config.num_hidden_layers, heads * size)


def operations(shape: Shape, tokens: float, squares: float, *, reference: bool) -> float:
    """Floating-point operations of training on documents of n tokens: `tokens` is the sum of n, `squares` of n²."""
    attention = 2 * squares * shape.layers * shape.attention_width
    forward = 2 * (shape.weights + shape.adapter_weights) * tokens + attention
    backward = (2 * shape.weights + 4 * shape.adapter_weights) * tokens + 2 * attention
    return forward + backward + (forward if reference else 0)


def peak(device: str) -> float | None:
    """Most dense bfloat16 operations a second of a device, by its name."""
    return next((value for name, value in PEAKS.items() if re.search(rf"\b{name}\b", device)), None)


def counts(inputs: Mapping[str, Any]) -> torch.Tensor:
    """(real tokens, places, sum of the documents' squared lengths) of a batch, as a tensor on its device."""
    ids = inputs["input_ids"]
    if (mask := inputs.get("attention_mask")) is not None:
        lengths = mask.sum(dim=-1)
        tokens, squares = lengths.sum(), (lengths * lengths).sum()
    elif (positions := inputs.get("position_ids")) is not None:
        tokens, squares = torch.as_tensor(ids.numel(), device=ids.device), (2 * positions + 1).sum()
    else:
        tokens, squares = (
            torch.as_tensor(size, device=ids.device) for size in (ids.numel(), ids.numel() * len(ids[0]))
        )
    return torch.stack([tokens, torch.as_tensor(ids.numel(), device=ids.device), squares]).double()


class Meter:
    """Counts batches and time as training goes; nothing is fetched from the device until it is asked."""

    def __init__(self) -> None:
        self._counted: torch.Tensor | None = None
        self._seconds, self._since = 0.0, 0.0

    def add(self, batch: torch.Tensor) -> None:
        """One batch's `counts`."""
        self._counted = batch if self._counted is None else self._counted + batch

    def start(self) -> None:
        self._since = time.perf_counter()

    def stop(self) -> None:
        self._seconds += time.perf_counter() - self._since

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.stop()
        yield
        self.start()

    @property
    def seconds(self) -> float:
        """Up to the last stop."""
        return self._seconds

    def so_far(self) -> float:
        """Seconds up to now, while it runs."""
        return self._seconds + time.perf_counter() - self._since

    def totals(self) -> list[float]:
        """Tokens, places and squares so far, in this process."""
        return [0.0] * 3 if self._counted is None else self._counted.tolist()


class Pace:
    """Real tokens a second of all processes, taking each to have as many as this one."""

    def __init__(self, meter: Meter) -> None:
        self.meter, self.seen = meter, (0.0, 0.0)

    def tokens_per_second(self) -> float:
        """Since it was last asked."""
        now = (self.meter.totals()[0], self.meter.so_far())
        tokens, seconds = (new - old for new, old in zip(now, self.seen, strict=True))
        self.seen = now
        return ranks.count() * tokens / max(seconds, 1e-9)

    def overall(self) -> float:
        """From the start up to the last stop."""
        return ranks.count() * self.meter.totals()[0] / max(self.meter.seconds, 1e-9)


def reset_memory(device: torch.device) -> None:
    """Let the peak be counted from here on, where the device can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def measured(meter: Meter, shape: Shape, device: torch.device, dtype: torch.dtype, *, reference: bool) -> Figures:
    """The figures of a training that has ended; every process calls it."""
    tokens, places, squares = processes.sums(meter.totals())
    seconds = max(processes.most(meter.seconds), 1e-9)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    rate = operations(shape, tokens, squares, reference=reference) / seconds
    best = peak(name) if device.type == "cuda" and dtype == torch.bfloat16 else None
    return Figures(
        device=name,
        processes=ranks.count(),
        seconds=round(seconds, 3),
        tokens=int(tokens),
        tokens_per_second=round(tokens / seconds, 1),
        padding_share=round(1 - tokens / places, 4) if places else 0.0,
        peak_memory_gib=round(processes.most(_peak_memory(device)) / 2**30, 3),
        model_tflops_per_second=round(rate / 1e12, 6),
        mfu=None if best is None else round(rate / (best * ranks.count()), 4),
    )


def _peak_memory(device: torch.device) -> float:
    """In bytes."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def rows(figures: Figures) -> list[tuple[str, str]]:
    """The figures in words, for a small table."""
    share = "unknown: no peak for this device and format" if figures.mfu is None else f"{figures.mfu:.1%}"
    return [
        ("device", f"{figures.processes} x {figures.device}"),
        ("tokens/s", f"{figures.tokens_per_second:,.0f} ({figures.tokens:,} in {figures.seconds:,.1f} s)"),
        ("padding", f"{figures.padding_share:.1%}"),
        ("peak memory", f"{figures.peak_memory_gib:.2f} GiB"),
        ("model TFLOP/s", f"{figures.model_tflops_per_second:.4g}"),
        ("MFU", share),
    ]
