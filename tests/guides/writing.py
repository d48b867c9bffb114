"""Random texts written token by token under a guide."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from typing import Any

from sokrates import models
from sokrates.guides import Guide, Mask
from sokrates.problems import Problem
from sokrates.traces.decoding import Decoder
from tests import tiny

TOKENIZERS = ("embedded", "tiny")


@cache
def tokenizer(name: str) -> Any:
    return models.load_tokenizer("embedded") if name == "embedded" else tiny.build_tokenizer(400)


def allowed(mask: Mask | None, token: int) -> bool:
    return mask is None or (token in mask.token_ids) == mask.allow


def write(
    guide: Guide,
    name: str,
    rng: random.Random,
    *,
    phrases: Sequence[str],
    pieces: int = 60,
    problem: Problem | None = None,
) -> tuple[str, bool]:
    """A text of phrases, random tokens, and what masks leave; and whether it broke off inside an action."""
    words = tokenizer(name)
    vocabulary = range(len(words))
    follower, written = guide.follow(problem, rng.getrandbits(63)), list[int]()
    encoded = [words.encode(phrase, add_special_tokens=False) for phrase in phrases]
    for _ in range(pieces):
        mask = follower.mask()
        if mask is not None and mask.allow:
            assert mask.token_ids, Decoder(words).text(written)
            chosen = [rng.choice(mask.token_ids)]
        else:
            chosen = rng.choice(encoded) if rng.random() < 0.8 else [rng.choice(vocabulary)]
        for token in chosen:
            if not allowed(follower.mask(), token):
                break
            written.append(token)
            if token == words.eos_token_id:
                return Decoder(words).text(written), False
            follower.feed(token)
    mask = follower.mask()
    return Decoder(words).text(written), mask is not None and mask.allow
