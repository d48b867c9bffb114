"""The transformers engine step by step: a caller looks at every step when it is complete, and may put another in its
place.

Contract: `engine.Engine`, in one batch across problems, each row at its own step. A step is complete with the line
break after its action, or with the end of the text. The key-value cache is kept across steps; where a step is replaced
it is trimmed to the tokens that still stand, and only what is new is computed. Without a watcher, and with no step
beyond its limit, the texts are those of `TransformersEngine`. A step that reaches `Sampling.max_step_tokens` ends its
trace there, with the reason `length`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from sokrates.engines.cache import arrange, shifted
from sokrates.engines.engine import Completion, Request, Sampling, check_window
from sokrates.engines.row import Row, new_row
from sokrates.engines.stopping import is_action
from sokrates.engines.transformers import Batch, TransformersEngine
from sokrates.errors import SokratesError


class Watcher(Protocol):
    """Looks at steps."""

    def look(self, request: Request, step: str) -> str | None:
        """The step to go on with in the place of a complete one (thought and action, no line break after it).

        The same text keeps it; None ends the trace before it. What it raises ends the generation.
        """
        ...


@dataclass(slots=True)
class Place:
    """Where a row's present step begins, in characters and in tokens, and how many steps are complete before it."""

    text: int = 0
    tokens: int = 0
    steps: int = 0


class StepwiseEngine(TransformersEngine):
    """An engine for callers that look at every step; it runs one call of `generate` at a time."""

    _watcher: Watcher | None = None
    _places: dict[Row, Place]

    def generate(
        self, requests: Iterable[Request], sampling: Sampling, watcher: Watcher | None = None
    ) -> Iterator[Completion]:
        """The completions of all requests, as they finish. Errors: as `engine.check_window`."""
        requests = list(requests)
        check_window(requests, self.window)
        return self._watched(self._groups(requests, sampling), sampling, watcher)

    def _watched(self, waiting: deque[list[Row]], sampling: Sampling, watcher: Watcher | None) -> Iterator[Completion]:
        self._watcher, self._places = watcher, {}
        yield from self._generate(waiting, sampling)

    def _advanced(self, batch: Batch, changed: Sequence[Row], sampling: Sampling) -> Batch:
        """Look at the steps that the last tokens completed; the batch with the rows that were rewritten."""
        standing: dict[Row, int] = {}
        for row in changed:
            place = self._places.setdefault(row, Place())
            before = row.token_ids
            if row.token_ids[-1] in self._ends:
                row.stopper.feed("\n")
            if row.stopper.actions > place.steps:
                self._look(row, place, sampling)
            elif sampling.max_step_tokens and len(row.token_ids) - place.tokens >= sampling.max_step_tokens:
                row.finish_reason = row.finish_reason or "length"
            if row.finish_reason:
                del self._places[row]
            elif row.token_ids is not before:
                standing[row] = _shared(before, row.token_ids)
        return self._rejoined(batch, standing) if standing else batch

    def _look(self, row: Row, place: Place, sampling: Sampling) -> None:
        """Let the watcher judge the step that is complete, and go on behind it."""
        text = self._decoder.text(row.token_ids)
        last = self._decoder.piece(row.token_ids[-1])
        end = len(text) - len(last) + last.index("\n") if "\n" in last else len(text)
        step = text[place.text : end].lstrip("\n")
        begin = text[: end - len(step)]
        wanted = self._watcher.look(row.request, step) if self._watcher else step
        if wanted is None:
            row.token_ids, row.finish_reason = self._within(row.token_ids, text[: place.text]), "stop"
            return
        if wanted != step:
            _check_step(row.request, wanted)
            self._rewrite(row, f"{begin}{wanted}\n", sampling)
        place.text, place.tokens, place.steps = len(begin + wanted), len(row.token_ids), row.stopper.actions

    def _rewrite(self, row: Row, text: str, sampling: Sampling) -> None:
        """Give a row another text, with as many of its tokens as say the beginning of it."""
        kept = self._within(row.token_ids, text)
        rest = text[len(self._decoder.text(kept)) :]
        tokens = [*kept, *self._tokenizer.encode(rest, add_special_tokens=False)]
        if self._decoder.text(tokens) != text:
            raise SokratesError(f"{row.request.problem_id}: the tokenizer cannot write {rest!r}")
        fresh = new_row(row.request, sampling, self.window, self._guide(sampling.guide))
        for token in tokens:
            if not fresh.finish_reason:
                fresh.take(token, self._decoder, self._ends)
        row.token_ids, row.finish_reason = fresh.token_ids, fresh.finish_reason
        row.stopper, row.follower = fresh.stopper, fresh.follower

    def _within(self, token_ids: Sequence[int], text: str) -> list[int]:
        """The most of the first tokens that say a beginning of the text."""
        count = len(token_ids)
        while not text.startswith(self._decoder.text(token_ids[:count])):
            count -= 1
        return list(token_ids[:count])

    @torch.inference_mode()
    def _rejoined(self, batch: Batch, standing: dict[Row, int]) -> Batch:
        """The batch with the cache of rewritten rows brought up to date; of each so many first tokens stand.

        All rewritten rows are fed the same number of tokens, the most that one of them lacks: others have a few of
        theirs computed again, so that no padding comes between what is kept and what is new.
        """
        untouched = [i for i, row in enumerate(batch.rows) if row.finish_reason is None and row not in standing]
        rewritten = [i for i, row in enumerate(batch.rows) if row in standing]
        rows = [batch.rows[i] for i in rewritten]
        fed = max(max(len(row.token_ids) - 1 - standing[row] for row in rows), 0)
        longest = max(row.cached for row in rows)
        keep = [max(row.cached - fed, 0) for row in rows]
        starts = batch.starts[self._tensor(rewritten)]
        cache = shifted(batch.cache, self._tensor(rewritten), starts + self._tensor(keep), max(longest - fed, 0))
        if fed:
            tokens = [([0] * fed + [*row.request.prompt_ids, *row.token_ids[:-1]])[-fed:] for row in rows]
            self._forward(self._tensor(tokens), cache, longest - self._tensor([row.cached for row in rows]))
        parts = [(batch.cache, self._tensor(untouched))] if untouched else []
        together = [*(batch.rows[i] for i in untouched), *rows]
        width = max(row.cached for row in together)
        return Batch(
            together,
            arrange(width, [*parts, (cache, self._tensor(list(range(len(rows)))))]),
            width - self._tensor([row.cached for row in together]),
        )


def _check_step(request: Request, step: str) -> None:
    """Errors: SokratesError for what cannot stand in a step's place."""
    *before, last = step.split("\n")
    if not is_action(last) or any(map(is_action, before)):
        raise SokratesError(
            f"{request.problem_id}: {step!r} cannot stand in a step's place; expected a thought and, as its last line, "
            "one action"
        )


def _shared(before: Sequence[int], after: Sequence[int]) -> int:
    """How many of the tokens that the cache holds, all but the last, begin both."""
    count = 0
    for old, new in zip(before[:-1], after, strict=False):
        if old != new:
            break
        count += 1
    return count
