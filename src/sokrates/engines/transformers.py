"""The engine over transformers: one batch that is kept full, with a key-value cache.

Contract: `engine.Engine`. Longest prompts first; samples with the same prompt share its computation. A finished row is
given out at once and leaves the batch when a quarter of the rows have finished; waiting requests then take the free
places. rows x (longest prompt + max_tokens) stays within `batch_tokens`, save that one row is always let in; memory is
taken only as the texts grow. Running out of memory is not caught.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import torch
from peft import PeftModel
from transformers import Cache, PreTrainedModel, PreTrainedTokenizerBase

from sokrates.engines.attention import use_grouped_attention
from sokrates.engines.cache import arrange, new_cache
from sokrates.engines.engine import Completion, Request, Sampling, check_window
from sokrates.engines.masking import mask_logits
from sokrates.engines.row import Row, end_tokens, new_row
from sokrates.engines.sampling import choose
from sokrates.guides import make_guide
from sokrates.models import window
from sokrates.traces.decoding import Decoder

PREFILL_TOKENS = 4096
"""Tokens of prompts computed at a time: enough to keep a processor busy, few enough for a CPU's caches (measured)."""


@dataclass(slots=True)
class Batch:
    """Rows and their cache. All rows end at its last column; `starts`, of shape (rows,), says where each begins."""

    rows: list[Row]
    cache: Cache
    starts: torch.Tensor

    @property
    def running(self) -> list[Row]:
        return [row for row in self.rows if row.finish_reason is None]


class TransformersEngine:
    """An engine over a causal language model, with or without an adapter."""

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_batch: int,
        batch_tokens: int,
    ) -> None:
        """`max_batch`: most rows at a time; `batch_tokens`: most tokens in them, with padding and what may yet come."""
        base = model.get_base_model() if isinstance(model, PeftModel) else model
        self._grouped = use_grouped_attention(base)
        self._model = model
        self.window = window(base)
        named = base.generation_config.eos_token_id if base.generation_config else None
        self._ends = end_tokens(named, tokenizer)
        self._tokenizer = tokenizer
        self._decoder = Decoder(tokenizer)
        self._guide = lru_cache(lambda name: make_guide(name, tokenizer, self._ends))
        self._max_batch = max_batch
        self._batch_tokens = batch_tokens

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[Completion]:
        """The completions of all requests, as they finish. Errors: as `engine.check_window`."""
        requests = list(requests)
        check_window(requests, self.window)
        return self._generate(self._groups(requests, sampling), sampling)

    def _groups(self, requests: Sequence[Request], sampling: Sampling) -> deque[list[Row]]:
        """Rows with the same prompt together, the longest prompts first."""
        ordered = sorted(requests, key=lambda request: (-len(request.prompt_ids), request.prompt_ids))
        guide = self._guide(sampling.guide)
        rows = (new_row(request, sampling, self.window, guide) for request in ordered)
        return deque(list(group) for _, group in groupby(rows, key=lambda row: row.request.prompt_ids))

    def _generate(self, waiting: deque[list[Row]], sampling: Sampling) -> Iterator[Completion]:
        batch: Batch | None = None
        while waiting or (batch and batch.running):
            if batch and 4 * len(batch.running) > 3 * len(batch.rows):
                changed = self._decode(batch, sampling)
            else:
                changed = self._admit(waiting, batch.running if batch else [])
                batch = self._refill(batch, changed, sampling)
            batch = self._advanced(batch, changed, sampling)
            yield from (row.completion(self._decoder, sampling) for row in changed if row.finish_reason)

    def _advanced(self, batch: Batch, changed: Sequence[Row], sampling: Sampling) -> Batch:
        """The batch after some of its rows have got a token: what a subclass may look at and change."""
        return batch

    def _admit(self, waiting: deque[list[Row]], running: Sequence[Row]) -> list[Row]:
        """The rows that take the free places; only the first group may be split, which computes its prompt twice."""
        new: list[Row] = []
        while waiting:
            group = waiting[0]
            longest = max(row.longest for row in (*running, *new, *group))
            taken = len(running) + len(new)
            room = min(self._max_batch, max(self._batch_tokens // longest, 1)) - taken
            if room <= 0 or (new and room < len(group)):
                break
            new += group[:room]
            del group[:room]
            if not group:
                waiting.popleft()
        return new

    @torch.inference_mode()
    def _refill(self, batch: Batch | None, new: Sequence[Row], sampling: Sampling) -> Batch:
        """The batch without its finished rows and with new ones, which get their first token."""
        rows, parts = [], []
        if batch:
            kept = [index for index, row in enumerate(batch.rows) if row.finish_reason is None]
            rows += batch.running
            parts.append((batch.cache, self._tensor(kept)))
        for chunk in _chunks(new):
            prompts = list(dict.fromkeys(row.request.prompt_ids for row in chunk))
            cache, logits = self._prefill(prompts)
            index = self._tensor([prompts.index(row.request.prompt_ids) for row in chunk])
            self._extend(chunk, logits[index], sampling)
            rows += chunk
            parts.append((cache, index))
        width = max(row.cached for row in rows)
        return Batch(rows, arrange(width, parts), width - self._tensor([row.cached for row in rows]))

    def _prefill(self, prompts: Sequence[Sequence[int]]) -> tuple[Cache, torch.Tensor]:
        """The cache of the prompts, one row each, and the scores of the token that follows."""
        longest = max(map(len, prompts))
        padded = self._tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts])
        cache = new_cache()
        return cache, self._forward(padded, cache, longest - self._tensor([len(prompt) for prompt in prompts]))

    @torch.inference_mode()
    def _decode(self, batch: Batch, sampling: Sampling) -> list[Row]:
        """Give every running row its next token; returns those rows."""
        last = self._tensor([[0 if row.finish_reason else row.token_ids[-1]] for row in batch.rows])
        logits = self._forward(last, batch.cache, batch.starts)
        going = [index for index, row in enumerate(batch.rows) if row.finish_reason is None]
        rows = batch.running
        self._extend(rows, logits if len(rows) == len(batch.rows) else logits[self._tensor(going)], sampling)
        return rows

    def _forward(self, token_ids: torch.Tensor, cache: Cache, starts: torch.Tensor) -> torch.Tensor:
        """Feed tokens (rows, columns) behind the cache; the scores (rows, vocabulary) of what follows the last."""
        past = cache.get_seq_length()
        columns = torch.arange(past + token_ids.shape[1], device=token_ids.device)
        mask = columns >= starts[:, None]
        if self._grouped and token_ids.shape[1] == 1:
            mask = mask[:, None, None, :]  # what transformers would make of it, at a cost, at every step
        return self._model(
            input_ids=token_ids,
            attention_mask=mask,
            position_ids=(columns[past:] - starts[:, None]).clamp(min=0),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]

    def _extend(self, rows: Sequence[Row], logits: torch.Tensor, sampling: Sampling) -> None:
        """Choose each row's next token, and note which rows it finishes."""
        streams = self._tensor([row.stream for row in rows])
        steps = self._tensor([len(row.token_ids) for row in rows])
        if sampling.guide != "none":
            logits = mask_logits(logits, [row.follower.mask() if row.follower else None for row in rows])
        chosen = choose(logits, streams, steps, temperature=sampling.temperature, top_p=sampling.top_p)
        for row, token in zip(rows, chosen.tolist(), strict=True):
            row.take(token, self._decoder, self._ends)

    def _tensor(self, numbers: Sequence[int] | Sequence[Sequence[int]]) -> torch.Tensor:
        return torch.tensor(numbers, dtype=torch.long, device=self._model.device)


def ready(model: PreTrainedModel | PeftModel) -> PreTrainedModel | PeftModel:
    """The model as it generates fastest: an adapter in float32 is added to its base, in memory only.

    That saves a quarter of the time. In bfloat16 the sum would lose most of a small adapter, so there it stays apart.
    """
    if isinstance(model, PeftModel) and model.dtype == torch.float32:
        return model.merge_and_unload()
    return model


def _chunks(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows (longest prompt first) in runs of at most `PREFILL_TOKENS` of padded prompt; a prompt is not split."""
    chunk: list[Row] = []
    prompts: set[tuple[int, ...]] = set()
    for row in rows:
        prompt = row.request.prompt_ids
        if chunk and prompt not in prompts and (len(prompts) + 1) * len(chunk[0].request.prompt_ids) > PREFILL_TOKENS:
            yield chunk
            chunk, prompts = [], set()
        chunk.append(row)
        prompts.add(prompt)
    if chunk:
        yield chunk
