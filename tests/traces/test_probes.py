from __future__ import annotations

import msgspec
import pytest
import torch

from sokrates import models
from sokrates.errors import SokratesError
from sokrates.traces import probes
from sokrates.traces.probes import PROBE_FILE, Probe, Probes
from tests import tiny


@pytest.fixture(scope="module")
def model():
    return models.load_model("embedded", device="cpu")


@pytest.fixture(scope="module")
def tokenizer():
    return models.load_tokenizer("embedded")


def test_the_sequences_are_fixed_and_say_a_gold_trace(tokenizer):
    first = probes.sequences(tokenizer, 2048)
    assert first == probes.sequences(tokenizer, 2048)
    assert len({probe.prompt_ids for probe in first}) == 3
    assert all(len(probe.completion_ids) == 40 and not probe.log_probs for probe in first)
    assert all(tokenizer.decode(probe.prompt_ids).endswith("Reasoning:\n") for probe in first)
    assert all(tokenizer.decode(probe.completion_ids).startswith("Thought: ") for probe in first)


@pytest.mark.parametrize("window", [8, 50, 100])
def test_they_fit_a_small_window(tokenizer, window):
    for probe, whole in zip(probes.sequences(tokenizer, window), probes.sequences(tokenizer, 2048), strict=True):
        assert probe.completion_ids and len(probe.prompt_ids) + len(probe.completion_ids) <= window
        assert whole.prompt_ids[-len(probe.prompt_ids) :] == probe.prompt_ids
        assert whole.completion_ids[: len(probe.completion_ids)] == probe.completion_ids


def test_measured_token_by_token(model, tokenizer):
    found = probes.measure(model, tokenizer)
    assert found.dtype == "float32" and not model.training
    probe = found.probes[0]
    for index in range(3):
        ids = torch.tensor([probe.prompt_ids + probe.completion_ids[:index]])
        with torch.no_grad():
            scores = model(input_ids=ids).logits[0, -1].log_softmax(-1)
        assert probe.log_probs[index] == pytest.approx(scores[probe.completion_ids[index]].item(), abs=1e-4)
    assert sum(probe.log_probs) > -40, "the model that ships should find a gold trace likely"


def test_a_model_in_training_stays_so(tmp_path):
    model = models.load_model(str(tiny.build(tmp_path / "model")), device="cpu").train()
    probes.measure(model, models.load_tokenizer(str(tmp_path / "model")))
    assert model.training and all(parameter.grad is None for parameter in model.parameters())


def test_kept_in_a_folder(tmp_path):
    assert probes.read(tmp_path) is None
    kept = Probes("bfloat16", (Probe((1, 2), (3,), (-0.5,)),))
    (tmp_path / PROBE_FILE).write_bytes(probes.encode(kept))
    assert probes.read(tmp_path) == kept
    (tmp_path / PROBE_FILE).write_bytes(msgspec.json.encode({"probes": 3}))
    with pytest.raises(SokratesError, match=r"probe\.json"):
        probes.read(tmp_path)
