"""The plain ways to generate, which the plan starts from: transformers' own `generate`, one problem at a time.

Contract: `engines.engine.Engine`, so that the same requests go to every way. The samples of one problem are generated
side by side (which is kinder to the plain way than one after another). Without `keep_cache` the text so far is computed
again at the beginning of every step, and the key-value cache thrown away at its end; with it a trace is one call of
`generate`. Tokens are drawn by transformers, so samples differ from the engines' (greedy texts do not).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedTokenizerBase, StoppingCriteria, StoppingCriteriaList

from sokrates.engines.engine import Completion, Request, Sampling, check_window
from sokrates.engines.row import Row, end_tokens, new_row
from sokrates.engines.stopping import Stopper
from sokrates.models import window
from sokrates.traces.decoding import Decoder


class PlainEngine:
    """An engine over `model.generate`."""

    def __init__(
        self, model: Any, tokenizer: PreTrainedTokenizerBase, *, keep_cache: bool, step_tokens: int = 140
    ) -> None:
        """`step_tokens`: most tokens of a step, after which the text is computed again."""
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        base.set_attn_implementation("sdpa")
        self.window = window(base)
        self._model = model
        self._decoder = Decoder(tokenizer)
        named = base.generation_config.eos_token_id if base.generation_config else None
        self._ends = end_tokens(named, tokenizer)
        self._step_tokens = 0 if keep_cache else step_tokens

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[Completion]:
        """The completions, problem by problem. Errors: as `engine.check_window`."""
        requests = list(requests)
        check_window(requests, self.window)
        for _, group in groupby(requests, key=lambda request: request.prompt_ids):
            rows = [new_row(request, sampling, self.window) for request in group]
            while running := [row for row in rows if row.finish_reason is None]:
                self._step(running, sampling)
            yield from (row.completion(self._decoder, sampling) for row in rows)

    @torch.inference_mode()
    def _step(self, rows: Sequence[Row], sampling: Sampling) -> None:
        """Compute the texts so far and go on, to the end of the step or of the trace."""
        texts = [[*row.request.prompt_ids, *row.token_ids] for row in rows]
        longest = max(map(len, texts))
        limit = min(self._step_tokens or sampling.max_tokens, self.window - longest)
        pad = min(self._ends)
        device = self._model.device
        self._model.generate(
            input_ids=torch.tensor([[pad] * (longest - len(text)) + text for text in texts], device=device),
            attention_mask=torch.tensor(
                [[0] * (longest - len(text)) + [1] * len(text) for text in texts], device=device
            ),
            generation_config=_settings(sampling, limit, sorted(self._ends), pad),
            stopping_criteria=StoppingCriteriaList([_Ends(rows, self._decoder, self._ends, bool(self._step_tokens))]),
        )


def _settings(sampling: Sampling, limit: int, ends: list[int], pad: int) -> GenerationConfig:
    if sampling.temperature == 0:
        return GenerationConfig(max_new_tokens=limit, do_sample=False, eos_token_id=ends, pad_token_id=pad)
    return GenerationConfig(
        max_new_tokens=limit,
        do_sample=True,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=0,
        eos_token_id=ends,
        pad_token_id=pad,
    )


class _Ends(StoppingCriteria):
    """Gives rows their tokens as they come, and says which are at the end of their trace or, `by_step`, of a step."""

    def __init__(self, rows: Sequence[Row], decoder: Decoder, ends: frozenset[int], by_step: bool) -> None:
        self._rows, self._decoder, self._ends = rows, decoder, ends
        self._stoppers = [Stopper(1) if by_step else None for _ in rows]
        self._done = [False] * len(rows)

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        for index, token in enumerate(input_ids[:, -1].tolist()):
            if not self._done[index]:
                self._done[index] = self._take(index, token)
        return torch.tensor(self._done, device=input_ids.device)

    def _take(self, index: int, token: int) -> bool:
        row, stopper = self._rows[index], self._stoppers[index]
        row.take(token, self._decoder, self._ends)
        ended = stopper is not None and stopper.feed(self._decoder.piece(token)) is not None
        return ended or row.finish_reason is not None
