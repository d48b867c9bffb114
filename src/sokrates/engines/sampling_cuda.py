"""`sampling.choose` for large vocabularies on a GPU: one kernel that reads the scores about three times.

Contract: the same choice as `sampling.choose` for a temperature above 0, up to the rounding of logarithms. Nothing is
sorted: the token with the largest score and noise is the answer if it lies in the nucleus, that is, if the tokens more
likely than it have less than `top_p` of the probability; if not, everything at most as likely as it lies outside too,
and the next best is looked for among what is more likely. That ends after about 1 / top_p rounds, and in any case when
nothing is more likely: a kernel that did not end would hang the engine. Of a row that is -inf throughout it is token 0.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from sokrates.engines.sampling import LARGEST

BLOCK = 4096
_LARGEST = tl.constexpr(LARGEST)
_GAMMA = tl.constexpr(0x9E3779B97F4A7C15)
_FIRST, _SECOND = tl.constexpr(0xBF58476D1CE4E5B9), tl.constexpr(0x94D049BB133111EB)


def choose(
    logits: torch.Tensor, streams: torch.Tensor, steps: torch.Tensor, *, temperature: float, top_p: float
) -> torch.Tensor:
    """The next token ids (rows,), int64, from scores (rows, vocabulary); `streams` and `steps`: int64 (rows,)."""
    rows, vocabulary = logits.shape
    chosen = torch.empty(rows, dtype=torch.int64, device=logits.device)
    if rows:
        _choose[(rows,)](
            logits, logits.stride(0), streams, steps, chosen, 1 / temperature, top_p, vocabulary, BLOCK, num_warps=8
        )
    return chosen


@triton.jit
def _mixed(number):
    """splitmix64's finaliser over unsigned 64-bit numbers, as in `sampling`."""
    number = (number ^ (number >> 30)) * tl.full((), _FIRST, tl.uint64)
    number = (number ^ (number >> 27)) * tl.full((), _SECOND, tl.uint64)
    return number ^ (number >> 31)


@triton.jit
def _gumbel(key, tokens):
    """Standard Gumbel noise for tokens, as in `sampling`."""
    bits = _mixed(key + (tokens + 1).to(tl.uint64) * tl.full((), _GAMMA, tl.uint64))
    rest = tl.minimum(((bits >> 24).to(tl.float32) + 0.5) * (1.0 / 1099511627776.0), _LARGEST)
    # log(1 - rest) without losing the digits of a small rest: Kahan's way to log1p.
    kept = 1.0 - rest
    lost = tl.where(kept == 1.0, 1.0, kept - 1.0)
    log1p = tl.where(kept == 1.0, -rest, tl.log(kept) * (-rest / lost))
    return -tl.log(-log1p)


@triton.jit
def _choose(logits, stride, streams, steps, chosen, scale, top_p, vocabulary: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    scores_of = logits + row.to(tl.int64) * stride
    stream = tl.load(streams + row).to(tl.uint64)
    step = tl.load(steps + row).to(tl.uint64)
    key = _mixed(_mixed(stream) + step * tl.full((), _GAMMA, tl.uint64))
    highest, total = -1e38, 0.0  # finite: a whole block may be masked
    for begin in range(0, vocabulary, BLOCK):
        tokens = begin + tl.arange(0, BLOCK)
        scores = tl.load(scores_of + tokens, mask=tokens < vocabulary, other=float("-inf")).to(tl.float32) * scale
        higher = tl.maximum(highest, tl.max(scores, 0))
        total = total * tl.exp(highest - higher) + tl.sum(tl.exp(scores - higher), 0)
        highest = higher
    bound, above = float("-inf"), float("inf")
    best_token = tl.full((), 0, tl.int64)
    while (above >= top_p * total) & (above > 0):
        best = float("-inf")
        for begin in range(0, vocabulary, BLOCK):
            tokens = begin + tl.arange(0, BLOCK)
            scores = tl.load(scores_of + tokens, mask=tokens < vocabulary, other=float("-inf")).to(tl.float32) * scale
            noisy = tl.where(scores > bound, scores + _gumbel(key, tokens), float("-inf"))
            found = tl.max(noisy, 0)
            best_token = tl.where(found > best, begin + tl.argmax(noisy, 0), best_token).to(tl.int64)
            best = tl.maximum(best, found)
        bound = tl.load(scores_of + best_token).to(tl.float32) * scale
        above = 0.0
        for begin in range(0, vocabulary, BLOCK):
            tokens = begin + tl.arange(0, BLOCK)
            scores = tl.load(scores_of + tokens, mask=tokens < vocabulary, other=float("-inf")).to(tl.float32) * scale
            above += tl.sum(tl.where(scores > bound, tl.exp(scores - highest), 0.0), 0)
    tl.store(chosen + row, best_token)
