from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.roofline import Architecture, Rates, Work, floor

QWEN3_8B = Architecture(36, 4096, 32, 8, 128, 12288, 151936)
H200 = Rates(operations=700e12, bytes=4.2e12)
WORK = Work(prompts=256, prompt=400, shared=240, samples=2, output=150)


def test_parameters_of_qwen3_8b() -> None:
    # 8.19e9 in all by its card, of which the embedding matrix (as large as the output matrix) is only looked up.
    assert QWEN3_8B.layer_parameters + 2 * QWEN3_8B.output_parameters == pytest.approx(8.19e9, rel=2e-3)
    assert QWEN3_8B.cached_numbers * 2 == 147_456
    assert QWEN3_8B.adapter_parameters(64) == 36 * 64 * (2 * 8192 + 2 * 5120 + 3 * 16384)


def test_prefill_by_hand() -> None:
    model = Architecture(layers=1, hidden=2, heads=1, kv_heads=1, head_dim=2, intermediate=3, vocabulary=5)
    work = Work(prompts=2, prompt=3, shared=1, samples=1, output=1)
    # 5 tokens; they attend to 1 + 2 x (2 + 3) positions; two last positions pass the output matrix
    operations = 2 * (4 * 4 + 3 * 6) * 5 + 2 * 10 * 2 + 4 * 2 * 11
    assert floor(model, work, Rates(1.0, 1e9), batch=1).seconds == operations


def test_one_decoding_step_by_hand() -> None:
    model = Architecture(layers=1, hidden=2, heads=1, kv_heads=1, head_dim=2, intermediate=3, vocabulary=5)
    work = Work(prompts=1, prompt=3, shared=0, samples=4, output=2)
    weights = 4 * 4 + 3 * 6 + 10
    arithmetic = floor(model, work, Rates(1.0, 1e12), batch=4).decode
    assert arithmetic == 4 * (2 * weights + 4 * 2 * 4)
    moved = floor(model, work, Rates(1e12, 1.0), batch=4).decode
    assert moved == 2 * (weights + 4 * 5 * 4)
    # two batches of two read the weights twice and do no more arithmetic
    assert floor(model, work, Rates(1.0, 1e12), batch=2).decode == arithmetic
    assert floor(model, work, Rates(1e12, 1.0), batch=2).decode == moved + 2 * weights


def test_the_8b_shape_on_an_h200() -> None:
    least = floor(QWEN3_8B, WORK, H200, batch=512)
    assert 0.6 < least.prefill < 0.9
    assert 1.5 < least.decode < 2.1
    one_at_a_time = floor(QWEN3_8B, WORK, H200, batch=2)
    assert one_at_a_time.decode > 60 * least.decode


@given(batch=st.integers(1, 512), rank=st.sampled_from([0, 16, 64]), shared=st.integers(0, 400))
def test_more_work_takes_no_less(batch: int, rank: int, shared: int) -> None:
    work = dataclasses.replace(WORK, shared=shared, output=20)
    least = floor(QWEN3_8B, work, H200, batch=batch, rank=rank)
    assert floor(QWEN3_8B, work, H200, batch=batch, rank=rank + 1).seconds > least.seconds
    assert floor(QWEN3_8B, work, H200, batch=2 * batch, rank=rank).decode <= least.decode * (1 + 1e-9)
    longer = dataclasses.replace(work, output=21)
    assert floor(QWEN3_8B, longer, H200, batch=batch, rank=rank).decode > least.decode
    if shared:
        less_shared = dataclasses.replace(work, shared=shared - 1)
        assert floor(QWEN3_8B, less_shared, H200, batch=batch, rank=rank).prefill >= least.prefill * (1 - 1e-9)
