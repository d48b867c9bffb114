"""Pretraining: what it reads, that it leaves the reserved problems out, and that it writes a model that loads."""

from __future__ import annotations

import json
from itertools import islice

import pytest
import torch

from sokrates import models
from sokrates.config import PretrainConfig
from sokrates.problems.splits import is_reserved
from sokrates.traces.building import build_trace
from sokrates.training import pretrain
from sokrates.verification.verify import verify

SMALL = PretrainConfig(
    layers=1, hidden=16, heads=2, kv_heads=1, intermediate=16, steps=3, batch_tokens=1024, num_workers=0,
    logging_steps=1, hops_max=2, vocab_size=512, seconds=60,
)  # fmt: skip


def sample(noise: float, count: int = 300):
    return list(islice(pretrain.documents(SMALL.model_copy(update={"noise": noise}), stream=0), count))


def test_reserved_problems_are_left_out():
    assert not any(is_reserved(problem) for problem, _ in sample(0.0))


def test_without_noise_every_document_is_a_proof():
    for problem, text in sample(0.0, 100):
        trace = verify(build_trace(problem, text))
        assert trace.all_steps_valid and trace.correct


def test_noise_breaks_steps_and_keeps_the_form():
    traces = [verify(build_trace(problem, text)) for problem, text in sample(1.0)]
    valid = sum(trace.all_steps_valid for trace in traces)
    assert 0 < valid < 0.9 * len(traces)
    assert all(trace.final_answer is not None and trace.stated_answer is trace.final_answer for trace in traces)
    assert sum(trace.correct for trace in traces) > 0.8 * len(traces)


def test_each_document_comes_as_often_as_asked():
    config = SMALL.model_copy(update={"repeats": 3})
    tokenizer = models.load_tokenizer("embedded")
    rows: dict[tuple[int, ...], int] = {}
    batches = iter(pretrain.Batches(config, tokenizer))
    seen = 0
    while seen < 6 * pretrain._CHUNK:  # rounds of 1, 2, 3 chunks
        for row in next(batches)[0].tolist():
            rows[tuple(row)] = rows.get(tuple(row), 0) + 1
            seen += 1
    assert max(rows.values()) >= 3


def test_batches_are_padded_on_the_right_and_only_pads_are_not_learned():
    tokenizer = models.load_tokenizer("embedded")
    ids, labels = next(iter(pretrain.Batches(SMALL, tokenizer)))
    pads = labels == -100
    assert torch.equal(pads, ids == tokenizer.pad_token_id)
    assert torch.equal(labels[~pads], ids[~pads])
    assert (pads.int().diff(dim=1) >= 0).all()
    assert ids.numel() <= SMALL.batch_tokens


@pytest.mark.parametrize(("done", "share"), [(0.0, 0.0), (0.01, 0.5), (0.3, 1.0), (0.8, 0.5), (1.0, 0.0)])
def test_the_rate_rises_holds_and_falls(done, share):
    assert pretrain.learning_rate_share(done) == pytest.approx(share)


def test_it_writes_a_model_that_loads(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrain, "make_tokenizer", lambda config: models.load_tokenizer("embedded"))
    losses: list[float] = []
    result = pretrain.pretrain(SMALL, tmp_path, on_step=lambda step, loss, done, model: losses.append(loss))
    assert len(losses) == 2 and losses[0] > 5  # ln 859 is 6.8: it knows nothing yet
    assert result.tokens > 0
    assert 0 < result.waited < result.seconds
    model = models.load_model(str(tmp_path), device="cpu")
    assert model.config.num_hidden_layers == 1
    assert json.loads((tmp_path / "pretrain.json").read_text())["config"]["hidden"] == 16
    assert (tmp_path / "prompt.json").is_file()
