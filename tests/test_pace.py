"""The device and the engine that an estimate is for, and what it adds up."""

from __future__ import annotations

import pytest

from sokrates import pace
from sokrates.config import load
from sokrates.pace import Pace


def test_the_kind_of_device(monkeypatch):
    assert [pace._device(name) for name in ("cpu", "cuda:3", "mps")] == ["cpu", "cuda", "mps"]
    monkeypatch.setattr(pace.Path, "exists", lambda self: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert pace._device("auto") == "cuda"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert pace._device("auto") == "cpu"


@pytest.mark.parametrize(
    ("more", "vllm", "engine"),
    [
        (["hardware.device=cuda"], True, "vllm"),
        (["hardware.device=cuda"], False, "transformers"),
        (["hardware.device=cuda:1"], True, "transformers"),
        (["hardware.device=cpu"], True, "transformers"),
        (["hardware.device=cuda", "trace_generation.stepwise=true"], True, "stepwise"),
        (["hardware.device=cpu", "trace_generation.engine=vllm"], True, "vllm"),
    ],
)
def test_the_engine_that_auto_would_be(monkeypatch, more, vllm, engine):
    monkeypatch.setattr(pace, "find_spec", lambda name: object() if vllm else None)
    assert Pace(load(None, more)).engine == engine


def test_an_engine_that_starts_takes_longer_and_says_by_which_figure():
    vllm = Pace(load(None, ["hardware.device=cuda", "trace_generation.engine=vllm"]))
    first, next_one = vllm.generate(1000, starts=True), vllm.generate(1000, starts=False)
    assert first.seconds - next_one.seconds == pytest.approx(43.68)
    assert len(first.bases) == 2 and next_one.bases == first.bases[1:]


def test_steps_of_packed_rows_are_counted_in_examples():
    def seconds(*more: str) -> float:
        return Pace(load(None, ["hardware.device=cpu", "sft.batch_size=2", *more])).sft(100, 10).seconds

    padded, packed = seconds("sft.packing=false"), seconds("sft.max_length=2048")
    assert padded == pytest.approx(10 * 2 * 8 / 12.481)
    assert packed == pytest.approx(10 * 2 * 8 * 2048 / 226.2 / 19.179, rel=1e-3)
