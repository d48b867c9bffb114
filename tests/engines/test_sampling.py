from __future__ import annotations

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from sokrates.engines import sampling
from sokrates.engines.sampling import choose, gumbel, nucleus, stream


def tensors(*numbers: int) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.long)


def plain_nucleus(probs: list[float], top_p: float) -> set[int]:
    """The definition: take the most likely until they add up to top_p, then all as likely as the last of them."""
    total, least = 0.0, 1.0
    for prob in sorted(probs, reverse=True):
        if total >= top_p:
            break
        total, least = total + prob, prob
    return {token for token, prob in enumerate(probs) if prob >= least}


WEIGHTS = st.lists(st.integers(1, 1000), min_size=1, max_size=100)


@given(WEIGHTS, st.floats(0.01, 0.99), st.floats(0.2, 2), st.integers(0, 10**6))
def test_never_chooses_outside_the_nucleus(weights, top_p, temperature, step):
    logits = torch.tensor([weights]).double().log()
    log_probs = torch.log_softmax(logits.float() / temperature, dim=-1)
    exact = log_probs[0].double().exp().tolist()
    # Where a sum comes within rounding of top_p, either of two sets is right.
    allowed = plain_nucleus(exact, top_p + 1e-5)
    needed = plain_nucleus(exact, top_p - 1e-5)
    kept = set(nucleus(log_probs, top_p)[0].isfinite().nonzero().flatten().tolist())
    assert needed <= kept <= allowed
    chosen = choose(logits, tensors(stream(1, "p", 0)), tensors(step), temperature=temperature, top_p=top_p)
    assert chosen.item() in allowed


def test_the_whole_vocabulary_is_sorted_where_the_likely_tokens_are_not_enough():
    flat = torch.log_softmax(torch.linspace(0, 0.1, 4 * sampling.LIKELY), dim=-1)[None]
    peaked = torch.log_softmax(torch.linspace(0, 100, 4 * sampling.LIKELY), dim=-1)[None]
    both = nucleus(torch.cat([flat, peaked]), 0.9).isfinite().sum(dim=-1).tolist()
    assert both == [len(plain_nucleus(flat.exp()[0].tolist(), 0.9)), len(plain_nucleus(peaked.exp()[0].tolist(), 0.9))]
    assert both[0] > sampling.LIKELY > both[1]


def test_noise_is_finite_where_the_uniform_number_rounds_to_one():
    """One number in 2^25 does, as that of stream 22616 at token 404, which was found by trying."""
    streams, steps = tensors(22616), tensors(0)
    noise = gumbel(streams, steps, 1024)
    assert noise.isfinite().all() and noise.argmin().item() == 404
    logits = torch.full((1, 1024), -9.0)
    logits[0, 404] = 3.0
    assert choose(logits, streams, steps, temperature=0.7, top_p=0.95).item() == 404


def test_samples_follow_the_probabilities():
    probs = [0.5, 0.3, 0.15, 0.05]
    rows = 20_000
    streams = torch.tensor([stream(7, "p", sample) for sample in range(rows)])
    logits = torch.tensor(probs).log().expand(rows, -1)
    for temperature in (1.0, 0.5):
        chosen = choose(logits, streams, torch.zeros(rows, dtype=torch.long), temperature=temperature, top_p=1.0)
        expected = [prob ** (1 / temperature) for prob in probs]
        for token, weight in enumerate(expected):
            share = weight / sum(expected)
            assert abs((chosen == token).float().mean() - share) < 4 * math.sqrt(share * (1 - share) / rows)


def test_temperature_0_takes_the_most_likely():
    logits = torch.randn(5, 50, generator=torch.Generator().manual_seed(0))
    chosen = choose(logits, tensors(*range(5)), tensors(*range(5)), temperature=0, top_p=0.5)
    assert chosen.tolist() == logits.argmax(-1).tolist()


def test_the_noise_is_gumbel_and_depends_on_stream_step_and_token():
    noise = gumbel(torch.arange(300), torch.full((300,), 5), 1000)
    assert abs(noise.mean() - 0.5772) < 0.01 and abs(noise.var() - math.pi**2 / 6) < 0.02
    assert len(set(noise.flatten().tolist())) > 0.98 * noise.numel()
    assert not torch.equal(noise, gumbel(torch.arange(300), torch.full((300,), 6), 1000))
    correlations = torch.corrcoef(noise) - torch.eye(300)
    assert correlations.abs().max() < 6 / math.sqrt(1000)


def test_a_row_does_not_depend_on_the_others():
    logits = torch.randn(8, 200, generator=torch.Generator().manual_seed(0)) * 2
    streams, steps = torch.arange(8), torch.arange(8) * 3
    together = choose(logits, streams, steps, temperature=0.8, top_p=0.9)
    alone = [
        choose(logits[i : i + 1], streams[i : i + 1], steps[i : i + 1], temperature=0.8, top_p=0.9).item()
        for i in range(8)
    ]
    assert together.tolist() == alone


def test_streams_are_known_by_seed_problem_and_sample():
    names = {stream(seed, problem, sample) for seed in (0, 1) for problem in ("a", "b", "a, 1") for sample in (0, 1)}
    assert len(names) == 12
    assert stream(3, "p", 4) == stream(3, "p", 4)
    assert all(-(2**63) <= name < 2**63 for name in names)
