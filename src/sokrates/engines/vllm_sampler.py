"""Choosing tokens inside vLLM as every engine does: seeded, without state, whatever else is in the batch.

vLLM is asked for temperature 0, and this logits processor makes the token that `sampling.choose` picks the most likely
one. What it must know of a request comes as `SamplingParams.extra_args` (see `extra_args`); other requests are left as
they are. It runs where vLLM samples, which may be another process, and holds nothing that a request's parameters and
its tokens so far do not give: a request that vLLM takes out of the batch and brings back goes on as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import torch
from vllm import SamplingParams
from vllm.config import VllmConfig
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor, MoveDirectionality

from sokrates import models
from sokrates.config import GuideName
from sokrates.engines.masking import mask_logits
from sokrates.engines.sampling import choose
from sokrates.guides import Follower, Guide, Mask, make_guide
from sokrates.problems import Problem

KEY = "sokrates"

_PROBLEM: msgspec.json.Decoder[Problem | None] = msgspec.json.Decoder(Problem | None)


@dataclass(slots=True, eq=False)
class Sample:
    """A request in vLLM's batch. `output` is vLLM's own list of its tokens so far, and grows."""

    stream: int
    temperature: float
    top_p: float
    script: Sequence[int]
    output: Sequence[int]
    follower: Follower | None = None
    fed: int = 0
    """How many of its tokens the follower has been told."""


@dataclass(slots=True)
class Group:
    """Samples with the same settings; their places in the batch (None: all of it, in order) and streams as tensors."""

    temperature: float
    top_p: float
    samples: list[Sample]
    places: torch.Tensor | None
    streams: torch.Tensor


def extra_args(
    *,
    stream: int = 0,
    temperature: float = 0.0,
    top_p: float = 1.0,
    script: Sequence[int] = (),
    guide: GuideName = "none",
    problem: Problem | None = None,
) -> dict[str, Any]:
    """What a request carries for `Sampler`. `script`: tokens that it says one after another, whatever is likely."""
    settings: dict[str, Any] = {"stream": stream, "temperature": temperature, "top_p": top_p, "script": list(script)}
    if guide != "none":
        settings |= {"guide": guide, "problem": msgspec.json.encode(problem).decode()}
    return {KEY: settings}


class Sampler(LogitsProcessor):
    """The processor; give the class to `vllm.LLM(logits_processors=[Sampler])`."""

    def __init__(self, vllm_config: VllmConfig, device: torch.device, is_pin_memory: bool) -> None:
        self._config = vllm_config
        self._device = device
        self._pinned = is_pin_memory
        self._groups: list[Group] | None = None
        self._guided: dict[int, Sample] = {}
        self._guides: dict[tuple[GuideName, tuple[int, ...]], Guide | None] = {}
        self.samples: dict[int, Sample] = {}
        """By place in the batch."""

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Follow the batch: what has left it, what has come, and what has moved within it, in this order."""
        if batch_update is None:
            return
        self._groups = None
        for place in batch_update.removed:
            self.samples.pop(place, None)
        for place, params, _, output in batch_update.added:
            settings = (params.extra_args or {}).get(KEY)
            if settings is None:
                self.samples.pop(place, None)
            else:
                self.samples[place] = self.begin(settings, params, output)
        for source, target, direction in batch_update.moved:
            moved, displaced = self.samples.pop(source, None), self.samples.pop(target, None)
            if moved is not None:
                self.samples[target] = moved
            if displaced is not None and direction == MoveDirectionality.SWAP:
                self.samples[source] = displaced

    def begin(self, settings: Mapping[str, Any], params: SamplingParams, output: Sequence[int]) -> Sample:
        """A sample that enters the batch, perhaps with tokens that it already has."""
        sample = Sample(settings["stream"], settings["temperature"], settings["top_p"], settings["script"], output)
        if guide := self._guide(settings.get("guide", "none"), params):
            sample.follower = guide.follow(_PROBLEM.decode(settings["problem"]), sample.stream)
        return sample

    def _guide(self, name: GuideName, params: SamplingParams) -> Guide | None:
        """The guide of this name, made once; a request names its end tokens as those that stop it."""
        key = name, tuple(params.stop_token_ids or ())
        if key not in self._guides:
            tokenizer = models.load_tokenizer(self._config.model_config.tokenizer) if name != "none" else None
            self._guides[key] = make_guide(name, tokenizer, key[1])
        return self._guides[key]

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits of shape (places, vocabulary), changed in place so that the chosen tokens are the most likely."""
        if self._groups is None:
            self._groups = self._grouped(len(logits))
            self._guided = {place: sample for place, sample in self.samples.items() if sample.follower}
        if self._guided:
            self._mask(logits)
        for group in self._groups:
            if group.temperature > 0:
                self._choose(logits, group)
        if forced := self.forced():
            places, tokens = self._tensor(list(forced)), self._tensor(list(forced.values()))
            logits[places] = float("-inf")
            logits[places, tokens] = 0.0
        return logits

    def forced(self) -> dict[int, int]:
        """The tokens that are dictated now, by place in the batch. A subclass may dictate others."""
        return {
            place: sample.script[len(sample.output)]
            for place, sample in self.samples.items()
            if len(sample.output) < len(sample.script)
        }

    def _mask(self, logits: torch.Tensor) -> None:
        """Tell the followers what was said, while the device computes, and let only tokens stand that they allow."""
        masks: list[Mask | None] = [None] * len(logits)
        for place, sample in self._guided.items():
            assert sample.follower is not None
            for token in sample.output[sample.fed :]:
                sample.follower.feed(token)
            sample.fed = len(sample.output)
            masks[place] = sample.follower.mask()
        mask_logits(logits, masks)

    def _choose(self, logits: torch.Tensor, group: Group) -> None:
        steps = self._tensor([len(sample.output) for sample in group.samples])
        rows = logits if group.places is None else logits[group.places]
        chosen = choose(rows, group.streams, steps, temperature=group.temperature, top_p=group.top_p)
        if group.places is None:
            logits.scatter_(1, chosen[:, None], float("inf"))
        else:
            logits[group.places, chosen] = float("inf")

    def _grouped(self, places: int) -> list[Group]:
        """The samples by their settings; normally all have the same."""
        by_settings: dict[tuple[float, float], list[int]] = {}
        for place, sample in sorted(self.samples.items()):
            by_settings.setdefault((sample.temperature, sample.top_p), []).append(place)
        groups = []
        for (temperature, top_p), members in by_settings.items():
            samples = [self.samples[place] for place in members]
            index = None if members == list(range(places)) else self._tensor(members)
            groups.append(Group(temperature, top_p, samples, index, self._tensor([s.stream for s in samples])))
        return groups

    def _tensor(self, numbers: list[int]) -> torch.Tensor:
        """Whole numbers on the device; the copy does not wait for what the device is doing."""
        return torch.tensor(numbers, dtype=torch.long, pin_memory=self._pinned).to(self._device, non_blocking=True)
