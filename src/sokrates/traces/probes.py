"""Probes: a few token sequences and how likely a model finds them, to see whether two programs hold the same model.

Contract: the sequences are gold traces of our own generator, the same for the same tokenizer and window. Training keeps
them beside an adapter (`probe.json`) with the log-probabilities that the trained model gives in its own number format.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from sokrates import jsonl
from sokrates.models import window
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.gold import gold_completion
from sokrates.traces.prompt import PromptStyle, Tokenizer, encode_completion, encode_prompt

PROBE_FILE = "probe.json"

_SETTINGS = GeneratorSettings(least_hops=2, most_hops=3)
_COUNT, _SEED = 3, 20
_LONGEST = 40
"""Tokens of a completion that are looked at."""


class Probe(msgspec.Struct, frozen=True):
    """A prompt, what follows it, and the log-probability of each token of that, empty where it is not known yet."""

    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    log_probs: tuple[float, ...] = ()


class Probes(msgspec.Struct, frozen=True):
    """Probes as a model in the number format `dtype` (float32 or bfloat16) finds them."""

    dtype: str
    probes: tuple[Probe, ...]


def sequences(tokenizer: Tokenizer, window: int) -> list[Probe]:
    """The probes of a tokenizer, not measured yet, cut to fit a window of tokens."""
    probes = []
    for problem in generate(_COUNT, _SETTINGS, _SEED):
        completion = encode_completion(tokenizer, gold_completion(problem))[: min(_LONGEST, window // 2)]
        prompt = encode_prompt(tokenizer, problem, PromptStyle(instructions=False))[-(window - len(completion)) :]
        probes.append(Probe(tuple(prompt), tuple(completion)))
    return probes


def measure(model: Any, tokenizer: Tokenizer) -> Probes:
    """The probes as a transformers or PEFT model finds them, adapter and all. The model is left as it was."""
    import torch

    training = model.training
    model.eval()
    with torch.no_grad():
        probes = tuple(
            msgspec.structs.replace(probe, log_probs=_log_probs(model, probe))
            for probe in sequences(tokenizer, window(model))
        )
    model.train(training)
    return Probes(str(model.dtype).removeprefix("torch."), probes)


def _log_probs(model: Any, probe: Probe) -> tuple[float, ...]:
    import torch

    ids = torch.tensor([probe.prompt_ids + probe.completion_ids], device=model.device)
    following = model(input_ids=ids, use_cache=False).logits[0, len(probe.prompt_ids) - 1 : -1].float()
    chosen = ids[0, len(probe.prompt_ids) :, None]
    return tuple(following.log_softmax(dim=-1).gather(-1, chosen)[:, 0].tolist())


def encode(probes: Probes) -> bytes:
    """What `probe.json` holds."""
    return msgspec.json.encode(probes)


def read(folder: str | Path) -> Probes | None:
    """The measured probes kept in a folder, if any. Errors: SokratesError for a file that holds something else."""
    path = Path(folder) / PROBE_FILE
    probes: Probes | None = jsonl.read_json(path, Probes) if path.is_file() else None
    return probes
