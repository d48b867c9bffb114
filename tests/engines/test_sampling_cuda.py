"""The GPU's way to choose tokens, run by Triton's interpreter, against the plain one."""

from __future__ import annotations

import pytest
import torch

from sokrates.engines.sampling import choose, stream

pytest.importorskip("triton", reason="Triton is not installed: it comes for x86 Linux only")

from sokrates.engines import sampling_cuda


def case(rows: int, vocabulary: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, vocabulary, generator=generator) * 3
    streams = torch.tensor([stream(1, f"p{row}", 0) for row in range(rows)])
    return logits, streams, torch.randint(0, 50, (rows,), generator=generator)


def both(logits, streams, steps, **settings) -> tuple[list[int], list[int]]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    there = (tensor.to(device) for tensor in (logits, streams, steps))
    expected = choose(logits.cpu(), streams.cpu(), steps.cpu(), **settings)
    return sampling_cuda.choose(*there, **settings).tolist(), expected.tolist()


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 0.95), (1.3, 0.5), (1.0, 0.01)])
@pytest.mark.parametrize("vocabulary", [7, 869, 9000])
def test_it_chooses_what_the_plain_way_does(temperature, top_p, vocabulary):
    found, expected = both(*case(24, vocabulary), temperature=temperature, top_p=top_p)
    assert found == expected
    assert len(set(expected)) > 1


def test_masked_tokens_are_never_chosen():
    logits, streams, steps = case(16, 9000)
    logits[:, :8990] = float("-inf")
    found, expected = both(logits, streams, steps, temperature=2.0, top_p=0.9)
    assert found == expected and min(found) >= 8990


def test_equally_likely_tokens_are_all_in_the_nucleus():
    _, streams, steps = case(64, 8)
    logits = torch.zeros(64, 8)
    found, expected = both(logits, streams, steps, temperature=1.0, top_p=0.1)
    assert found == expected and len(set(found)) == 8


def test_rows_may_be_views_of_something_wider():
    logits, streams, steps = case(8, 300)
    found, expected = both(logits[:, :200], streams, steps, temperature=1.0, top_p=0.9)
    assert found == expected


def test_a_likely_token_whose_noise_is_the_least_is_still_chosen():
    """By the hash of this stream token 404's uniform number rounds to 1: found by trying, it is one in 2^25."""
    logits = torch.full((2, 1024), -9.0)
    logits[:, 404] = 3.0
    streams, steps = torch.tensor([22616, 22617]), torch.zeros(2, dtype=torch.long)
    found, expected = both(logits, streams, steps, temperature=0.7, top_p=0.95)
    assert found == expected == [404, 404]


def test_a_row_without_a_possible_token_ends():
    logits, streams, steps = case(2, 9000)
    logits[1] = float("-inf")
    found, expected = both(logits, streams, steps, temperature=1.0, top_p=0.9)
    assert found == expected and found[1] == 0
