"""The reference model's log-probabilities of all pairs: computed once, kept on disk.

Contract: the policy before its first update is the reference, so its log-probabilities need neither a second model nor
a second adapter. They are kept in one file a key, which hangs on model, adapter and pairs but on no hyper-parameter. A
file is trusted only if it is whole, of this key and these lengths, and agrees with the model on the shortest pairs;
else everything is computed again. Under several processes each computes its share and all get all. It does not know how
a pair is scored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from peft import PeftModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from sokrates import jsonl
from sokrates.bar import shown
from sokrates.training import adapters
from sokrates.training.data import PairIds

Scores = tuple[torch.Tensor, torch.Tensor]
"""Sums of the log-probabilities of the chosen and of the rejected completions' tokens, one a pair, in nats."""

BATCH_TOKENS = 16384
"""Tokens of a batch, padding included. No activation is kept for a gradient, so it may be larger than in training."""
CPU_BATCH_TOKENS = 2048
"""The same on a CPU, whose caches hold no more: 16384 took 1.4 times as long."""
CHECKED = 4
"""Pairs whose log-probabilities are computed again before a file is trusted."""
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 3e-2}
"""Nats per token, on the mean of a completion, that a file may differ from the model: other batches round otherwise."""

_FOLDER = ".reference"


@dataclass(frozen=True, slots=True)
class Reference:
    """Log-probabilities in the order of the pairs, and where they are from, in words."""

    chosen: list[float]
    rejected: list[float]
    origin: str
    seconds: float


def key(model: PeftModel, base_name: str, pairs: Sequence[PairIds]) -> str:
    """What the log-probabilities hang on: the base's name and number format, the adapter, the pairs' token ids."""
    settings = model.peft_config[adapters.ADAPTER]
    scale = (settings.r, settings.lora_alpha, settings.use_rslora, str(model.dtype))
    ids = [(pair.prompt_ids, pair.chosen_ids, pair.rejected_ids) for pair in pairs]
    return adapters.fingerprint(model, "reference", base_name, scale, ids)


def path(output: Path, name: str) -> Path:
    """The file of a key: beside the output folder, so that a training into another folder there finds it too."""
    return output.parent / _FOLDER / f"{name[:32]}.safetensors"


def log_probabilities(
    pairs: Sequence[PairIds],
    score: Callable[[Sequence[int]], Scores],
    dtype: torch.dtype,
    device: str,
    file: Path,
    name: str,
    *,
    progress: bool = False,
) -> Reference:
    """The log-probabilities of all pairs, from `file` where it can be trusted, else computed and written there.

    `score` gives those of the pairs with these indices, from the model as it is now; `dtype` and the kind of `device`
    are the model's.
    """
    start = time.perf_counter()
    found = _read(file, name, pairs)
    reason = found if isinstance(found, str) else _disagreement(found, pairs, score, dtype)
    reasons = gather_object([reason])  # a file that one process does not see must not part them
    if not any(reasons) and not isinstance(found, str):
        return _reference(found, f"read from {file}", start)
    scores = _compute(batches(pairs, CPU_BATCH_TOKENS if device == "cpu" else BATCH_TOKENS), score, progress)
    if PartialState().is_main_process:
        _write(file, name, pairs, scores)
    PartialState().wait_for_everyone()
    return _reference(scores, f"computed: {next(filter(None, reasons))}", start)


def batches(pairs: Sequence[PairIds], tokens: int = BATCH_TOKENS) -> list[list[int]]:
    """Indices by falling length, cut where padding all to the longest would go beyond `tokens`: memory fails early."""
    found: list[list[int]] = []
    room = 0
    for index in sorted(range(len(pairs)), key=lambda index: pairs[index].length, reverse=True):
        if room < 1:
            found.append([])
            room = max(1, tokens // (2 * pairs[index].length))
        found[-1].append(index)
        room -= 1
    return found


def _compute(todo: Sequence[list[int]], score: Callable[[Sequence[int]], Scores], progress: bool) -> Scores:
    """Every process takes as many batches as the others, some twice: a sharded model computes in step."""
    state = PartialState()
    rounds = range(state.process_index, state.num_processes * -(-len(todo) // state.num_processes), state.num_processes)
    mine: list[tuple[int, float, float]] = []
    with shown("reference", len(rounds), "batches", metered=True) if progress else nullcontext() as bar:
        for turn in rounds:
            batch = todo[turn % len(todo)]
            mine += zip(batch, *(values.tolist() for values in score(batch)), strict=True)
            if bar:
                bar.advance()
    everyone = sorted({index: (index, *values) for index, *values in gather_object(mine)}.values())
    return torch.tensor([row[1] for row in everyone]), torch.tensor([row[2] for row in everyone])


def _disagreement(
    found: Scores, pairs: Sequence[PairIds], score: Callable[[Sequence[int]], Scores], dtype: torch.dtype
) -> str:
    """Why a file's values are not this model's; empty where they are."""
    some = batches(pairs)[-1][-CHECKED:]
    lengths = _lengths(pairs)
    for stored, computed, tokens in zip(found, score(some), lengths, strict=True):
        apart = ((stored[some] - computed.cpu().float()).abs() / tokens[some]).max().item()
        if not apart <= TOLERANCE[dtype]:
            return f"the file kept for it is {apart:.2g} nats per token off from the model"
    return ""


def _read(file: Path, name: str, pairs: Sequence[PairIds]) -> Scores | str:
    """What a file holds, or why it cannot be used."""
    if not file.is_file():
        return "not kept from before"
    try:
        with safe_open(str(file), framework="pt") as stored:
            if (stored.metadata() or {}).get("key") != name:
                return f"{file} is of another model, adapter or other pairs"
            chosen, rejected, *lengths = (stored.get_tensor(column) for column in _COLUMNS)
    except (SafetensorError, OSError) as error:
        return f"{file} is damaged: {error}"
    if any(column.shape != (len(pairs),) for column in (chosen, rejected)):
        return f"{file} is of {len(chosen)} pairs, not {len(pairs)}"
    if not all(torch.equal(*both) for both in zip(lengths, _lengths(pairs), strict=True)):
        return f"{file} is of completions of other lengths"
    if not all(column.isfinite().all() for column in (chosen, rejected)):
        return f"{file} holds values that are no numbers"
    return chosen, rejected


_COLUMNS = ("chosen", "rejected", "chosen_tokens", "rejected_tokens")


def _write(file: Path, name: str, pairs: Sequence[PairIds], scores: Scores) -> None:
    columns: dict[str, Any] = dict(zip(_COLUMNS, (*scores, *_lengths(pairs)), strict=True))
    with jsonl.atomic(file) as opened:
        opened.write(save(columns, {"key": name}))


def _lengths(pairs: Sequence[PairIds]) -> Scores:
    """Tokens of the chosen and of the rejected completions."""
    return torch.tensor([len(pair.chosen_ids) for pair in pairs]), torch.tensor(
        [len(pair.rejected_ids) for pair in pairs]
    )


def _reference(scores: Scores, origin: str, start: float) -> Reference:
    return Reference(scores[0].tolist(), scores[1].tolist(), origin, round(time.perf_counter() - start, 3))
