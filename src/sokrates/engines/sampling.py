"""Choosing the next tokens of a batch, each row from a random stream of its own.

Contract: a row's choice depends on its logits, its stream and its step, and on nothing else in the batch. Sampling is
the Gumbel-max way: the largest sum of log-probability and noise -log(-log U) is a draw from the probabilities. The
noise is a hash of (stream, step, token) rather than a generator's next numbers, so a stream has no state, may be taken
up at any step, and gives the same text on every device that computes the same logits.
"""

from __future__ import annotations

import hashlib

import torch

# splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014), as signed 64-bit numbers.
_GAMMA = 0x9E3779B97F4A7C15 - 2**64
_MIX = ((30, 0xBF58476D1CE4E5B9 - 2**64), (27, 0x94D049BB133111EB - 2**64))


LIKELY = 64
"""How many tokens are looked at for the nucleus before all are sorted: it is rarely larger."""

LARGEST = 1 - 2.0**-24
"""The largest float below 1. One in 2^25 numbers would round to 1, whose noise is -inf: a token that is never drawn."""


def stream(seed: int, problem_id: str, sample: int) -> int:
    """The random stream of a sample, as a signed 64-bit number."""
    digest = hashlib.blake2b(repr((seed, problem_id, sample)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def choose(
    logits: torch.Tensor, streams: torch.Tensor, steps: torch.Tensor, *, temperature: float, top_p: float
) -> torch.Tensor:
    """The next token ids, of shape (rows,), from logits of shape (rows, vocabulary).

    `streams` and `steps`: int64 of shape (rows,). Temperature 0 takes the most likely token; otherwise tokens are drawn
    from the nucleus: the fewest most likely tokens whose probabilities add up to `top_p` (arXiv:1904.09751).
    """
    if temperature == 0:
        return logits.argmax(dim=-1)
    if logits.is_cuda:
        from sokrates.engines import sampling_cuda  # Triton comes with torch's CUDA builds only

        return sampling_cuda.choose(logits, streams, steps, temperature=temperature, top_p=top_p)
    log_probs = nucleus(torch.log_softmax(logits.float() / temperature, dim=-1), top_p)
    return (log_probs + gumbel(streams, steps, logits.shape[-1])).argmax(dim=-1)


def nucleus(log_probs: torch.Tensor, top_p: float) -> torch.Tensor:
    """Log-probabilities (rows, vocabulary) with -inf for the tokens outside the nucleus.

    A token as likely as the least likely one in the nucleus is in it too, so that no order decides between them.
    """
    if top_p >= 1:
        return log_probs
    likely = log_probs.topk(min(LIKELY, log_probs.shape[-1]), dim=-1).values
    if bool((likely.exp().sum(dim=-1) < top_p).any()):
        likely = log_probs.sort(dim=-1, descending=True).values
    probs = likely.exp()
    inside = probs.cumsum(dim=-1) - probs < top_p
    least = likely.gather(-1, inside.sum(dim=-1, keepdim=True).clamp(min=1) - 1)
    return log_probs.masked_fill(log_probs < least, float("-inf"))


def gumbel(streams: torch.Tensor, steps: torch.Tensor, vocabulary: int) -> torch.Tensor:
    """Standard Gumbel noise of shape (rows, vocabulary) for streams and steps (rows,)."""
    tokens = torch.arange(1, vocabulary + 1, device=streams.device)
    keys = _mixed(_mixed(streams) + steps * _GAMMA)
    bits = _mixed(keys[:, None] + tokens * _GAMMA)
    # 40 bits; 1 - U is what is drawn, for a float keeps more digits near 0, where the large noise comes from.
    rest = ((_shifted(bits, 24).float() + 0.5) * 2.0**-40).clamp(max=LARGEST)
    return -torch.log(-torch.log1p(-rest))


def _mixed(number: torch.Tensor) -> torch.Tensor:
    """splitmix64's finaliser: every bit of the result depends on every bit of the number."""
    for bits, factor in _MIX:
        number = (number ^ _shifted(number, bits)) * factor
    return number ^ _shifted(number, 31)


def _shifted(number: torch.Tensor, bits: int) -> torch.Tensor:
    """A shift to the right that fills with zeros; torch's own fills with the sign."""
    return (number >> bits) & ((1 << (64 - bits)) - 1)
