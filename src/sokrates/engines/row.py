"""One sample being generated, whatever computes its tokens: when it ends, and what it then has said.

Contract: every engine feeds its rows through here, so that the same tokens give the same completion in all of them.
It does not know where tokens come from.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from transformers import PreTrainedTokenizerBase

from sokrates.engines.engine import Completion, FinishReason, Request, Sampling
from sokrates.engines.sampling import stream
from sokrates.engines.stopping import Stopper
from sokrates.guides import Follower, Guide
from sokrates.traces.decoding import Decoder


@dataclass(slots=True, eq=False)
class Row:
    """A sample being generated. `limit` is the most tokens it may get."""

    request: Request
    stream: int
    limit: int
    stopper: Stopper
    follower: Follower | None = None
    token_ids: list[int] = field(default_factory=list)
    finish_reason: FinishReason | None = None

    @property
    def cached(self) -> int:
        """How many of its tokens the cache holds: all but the last, which is fed next."""
        return len(self.request.prompt_ids) + len(self.token_ids) - 1

    @property
    def longest(self) -> int:
        """Its tokens, prompt and completion, if it uses up its limit."""
        return len(self.request.prompt_ids) + self.limit

    def take(self, token: int, decoder: Decoder, ends: Container[int]) -> None:
        """Take the next token, and note the reason where it finishes the sample; `ends` are the end-of-text tokens."""
        self.token_ids.append(token)
        if token in ends:
            self.finish_reason = "stop"
        elif end := self.stopper.feed(decoder.piece(token)):
            self.finish_reason = end.reason
        elif len(self.token_ids) == self.limit:
            self.finish_reason = "length"
        elif self.follower:
            self.follower.feed(token)

    def completion(self, decoder: Decoder, sampling: Sampling) -> Completion:
        """What a finished sample has said."""
        assert self.finish_reason is not None
        text = decoder.text(self.token_ids)
        end = Stopper(sampling.max_steps).feed(text)
        if end:
            text = text[: end.position].rstrip()
        return Completion(self.request, tuple(self.token_ids), text, self.finish_reason)


def new_row(request: Request, sampling: Sampling, window: int, guide: Guide | None = None) -> Row:
    """A sample before its first token, for a model that attends to `window` tokens. Errors: as `Guide.follow`."""
    limit = min(sampling.max_tokens, window - len(request.prompt_ids))
    name = stream(sampling.seed, request.problem_id, request.sample)
    follower = guide.follow(request.problem, name) if guide else None
    return Row(request, name, limit, Stopper(sampling.max_steps), follower)


def end_tokens(named: int | list[int] | None, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The tokens that end a text: the tokenizer's, and those that the model's own generation settings name."""
    named = [named] if isinstance(named, int) else named or []
    return frozenset({tokenizer.eos_token_id, *named})
