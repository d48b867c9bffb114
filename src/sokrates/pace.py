"""How long the work of a configuration may take on this machine, by measured figures.

Contract: no more than an estimate, and none where no figure fits. The device and the engine are told as the loop would
choose them, without loading what loads them; a GPU that is there but cannot be used is not noticed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sokrates import models
from sokrates.config import Config
from sokrates.throughput import Figure, Work, nearest


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds, and in words the figures that they rest on."""

    seconds: float
    bases: tuple[str, ...]


class Pace:
    """Estimates for one configuration. Errors: as `models.parameters`."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.device = _device(config.hardware.device)
        self.engine = _engine(config, self.device)
        self.parameters = models.parameters(config.model)

    @property
    def engine_stays(self) -> bool:
        """Whether one engine goes through all models of the loop, and sleeps while they are trained."""
        return self.engine == "vllm"

    def generate(self, traces: int, *, starts: bool) -> Estimate | None:
        """To sample so many traces, and first to start the engine where it `starts`."""
        sampled = self._estimate("generate", self.engine, traces)
        start = self._estimate("start", self.engine, 1) if starts else None
        if sampled is None or start is None:
            return sampled
        return Estimate(sampled.seconds + start.seconds, start.bases + sampled.bases)

    def sft(self, examples: int, max_steps: int) -> Estimate | None:
        """Of so many examples in all epochs, or in so many optimizer steps."""
        sft = self.config.sft
        way = "packed" if sft.packing else "padded"
        if not max_steps:
            return self._estimate("sft", way, examples * sft.num_epochs)
        rows = sft.batch_size * sft.gradient_accumulation_steps
        figure = self._figure("sft", way)
        in_a_row = max(1.0, sft.max_length / figure.tokens) if figure and sft.packing else 1.0
        return self._estimate("sft", way, max_steps * rows * in_a_row)

    def dpo(self, pairs: int) -> Estimate | None:
        return self._estimate("dpo", self.config.dpo.adapter_mode, pairs * self.config.dpo.num_epochs)

    def _estimate(self, work: Work, way: str, count: float) -> Estimate | None:
        figure = self._figure(work, way)
        if figure is None or self.parameters is None:
            return None
        return Estimate(figure.seconds(count, self.parameters), (figure.basis(self.parameters),))

    def _figure(self, work: Work, way: str) -> Figure | None:
        return nearest(work, way, self.device, self.parameters) if self.parameters else None


def _device(name: str) -> str:
    """The kind of device that a configured one means here: cuda, cpu or mps."""
    if name == "auto":
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
        return "cuda" if Path("/dev/nvidiactl").exists() and not hidden else "cpu"
    return name.partition(":")[0]


def _engine(config: Config, device: str) -> str:
    """The engine's name, or `stepwise`, of which there are no figures."""
    generation = config.trace_generation
    if generation.engine != "auto":
        return "stepwise" if generation.stepwise else generation.engine
    if generation.stepwise:
        return "stepwise"
    suits = device == "cuda" and config.hardware.device in ("auto", "cuda", "cuda:0")
    return "vllm" if suits and find_spec("vllm") is not None else "transformers"
