"""The arithmetic behind the figures, by hand, and the figures of a small training."""

from __future__ import annotations

import json

import pytest
import torch

from sokrates.config import DPOConfig, SFTConfig
from sokrates.training import dpo, figures
from sokrates.training.figures import Figures, Meter, Shape
from sokrates.training.sft import train_sft
from tests.training import tiny_training

SHAPE = Shape(weights=1000, adapter_weights=10, layers=2, attention_width=8)


def test_operations_of_a_document_by_hand():
    """5 tokens: 4 for each frozen weight, 6 for each of the adapter's; attention 2 * 25 * 2 * 8 = 800, three times."""
    assert figures.operations(SHAPE, 5, 25, reference=False) == 5 * (4 * 1000 + 6 * 10) + 3 * 800
    more = figures.operations(SHAPE, 5, 25, reference=True) - figures.operations(SHAPE, 5, 25, reference=False)
    assert more == 5 * 2 * 1010 + 800


def test_shape_of_a_model():
    """Per layer of the tiny Qwen3: q and o 32 x 32, k and v 32 x 16, three of 32 x 48; the output layer 64 x 32."""
    layer = 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 48
    lora = 4 * (2 * (32 + 32) + 2 * (32 + 16) + 3 * (32 + 48))
    assert Shape.of(tiny_training.adapter(), "default") == Shape(2 * layer + 64 * 32, 2 * lora, 2, 32)


def test_counts_of_every_layout():
    ids = torch.zeros(2, 4, dtype=torch.long)
    padded = {"input_ids": ids, "attention_mask": torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])}
    assert figures.counts(padded).tolist() == [5, 8, 9 + 4]
    packed = {"input_ids": ids.view(1, 8), "position_ids": torch.tensor([[0, 1, 2, 0, 1, 0, 1, 2]])}
    assert figures.counts(packed).tolist() == [8, 8, 9 + 4 + 9]
    assert figures.counts({"input_ids": ids}).tolist() == [8, 8, 32]


def test_a_shared_prompt_counts_once(tokenizer, pairs, tmp_path):
    """By hand: each completion token attends to its prompt and to its own sequence, the prompt once to itself."""
    trainer = dpo.make_trainer(tiny_training.adapter(), tokenizer, pairs, DPOConfig(max_length=32), tmp_path)
    batch = trainer.data_collator([trainer.train_dataset[index] for index in range(len(pairs))])
    sizes = [(len(pair.prompt_ids), len(pair.chosen_ids), len(pair.rejected_ids)) for pair in pairs]
    trainer.shares_prompts = False
    assert trainer.counts(batch)[0] == sum(2 * p + c + r for p, c, r in sizes)
    trainer.shares_prompts = True
    tokens = sum(p + c + r for p, c, r in sizes)
    squares = sum(p * p + (2 * p * c + c * c) + (2 * p * r + r * r) for p, c, r in sizes)
    assert trainer.counts(batch).tolist() == [tokens, tokens, squares]


@pytest.mark.parametrize(
    ("name", "tflops"),
    [
        ("NVIDIA H100 80GB HBM3", 989), ("NVIDIA H100 PCIe", 756), ("NVIDIA H100 NVL", 835), ("NVIDIA H200", 989),
        ("NVIDIA A100-SXM4-80GB", 312), ("NVIDIA B200", 2250), ("NVIDIA L4", 121), ("NVIDIA GeForce RTX 4090", 165),
    ],
)  # fmt: skip
def test_peak_by_name(name, tflops):
    assert figures.peak(name) == tflops * 1e12


def test_a_peak_that_is_not_known_is_not_guessed():
    assert figures.peak("NVIDIA L40S") is None and figures.peak("NVIDIA GB200") is None and figures.peak("cpu") is None


def test_pauses_are_left_out(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(figures.time, "perf_counter", lambda: now[0])
    meter = Meter()
    meter.start()
    now[0] = 2
    with meter.paused():
        now[0] = 10
    now[0] = 11
    assert meter.so_far() == 3
    meter.stop()
    assert meter.seconds == 3


def test_mfu_is_of_all_devices(monkeypatch):
    monkeypatch.setattr(figures.torch.cuda, "get_device_name", lambda device: "NVIDIA H100 80GB HBM3")
    monkeypatch.setattr(figures.torch.cuda, "max_memory_allocated", lambda device: 2**31)
    monkeypatch.setattr(figures.ranks, "count", lambda: 2)
    monkeypatch.setattr(figures.processes, "sums", lambda values: [2 * value for value in values])
    monkeypatch.setattr(figures.processes, "most", lambda value: value)
    meter = Meter()
    meter.add(figures.counts({"input_ids": torch.zeros(1, 5, dtype=torch.long)}))
    meter._seconds = 1e-6
    device = torch.device("cuda", 0)
    found = figures.measured(meter, SHAPE, device, torch.bfloat16, reference=False)
    operations = 2 * figures.operations(SHAPE, 5, 25, reference=False)
    assert found.mfu == pytest.approx(operations / 1e-6 / (2 * 989e12), abs=1e-4)
    assert found.tokens == 10 and found.peak_memory_gib == 2 and found.processes == 2
    assert figures.measured(meter, SHAPE, device, torch.float32, reference=False).mfu is None


def test_figures_of_a_training(new_base, tokenizer, examples, tmp_path):
    config = SFTConfig(batch_size=4, gradient_accumulation_steps=1, max_length=32, packing=False, num_epochs=2)
    result = train_sft(new_base(), tokenizer, examples, config, tmp_path, base_name="tiny", progress=False)
    found = result.figures
    assert found.tokens == 2 * result.tokens == 2 * sum(example.length for example in examples)
    assert 0 < found.padding_share < 0.5 and 0 < found.seconds <= result.seconds
    assert found.tokens_per_second == pytest.approx(found.tokens / found.seconds, rel=0.05)
    assert found.mfu is None and found.device == "cpu" and found.peak_memory_gib > 0.1
    assert json.loads((tmp_path / "training.json").read_text())["figures"]["mfu"] is None
    assert ("MFU", "unknown: no peak for this device and format") in figures.rows(found)
    assert isinstance(found, Figures)
