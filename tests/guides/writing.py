"""Random texts written token by token under a guide."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from typing import Any

from sokrates import models
from sokrates.guides import Follower, Guide, Mask
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
    favourites: Sequence[int] = (),
    tokens: int = 200,
    problem: Problem | None = None,
) -> tuple[str, Follower]:
    """A text of random tokens, often of the favourites, that the guide lets stand; it ends with an end of text."""
    words, vocabulary = tokenizer(name), range(len(tokenizer(name)))
    follower, written = guide.follow(problem, rng.getrandbits(63)), list[int]()
    for _ in range(tokens):
        mask = follower.mask()
        if mask is not None and mask.allow:
            assert mask.token_ids, Decoder(words).text(written)
            token = rng.choice(mask.token_ids)
        else:
            token = rng.choice(favourites if favourites and rng.random() < 0.7 else vocabulary)
            if not allowed(mask, token):
                continue
        written.append(token)
        if token == words.eos_token_id:
            break
        follower.feed(token)
    return Decoder(words).text(written), follower
