"""The prefix-sharing forward against the plain one: the same numbers, the same gradients, less to compute."""

from __future__ import annotations

import random

import pytest
import torch
from peft import LoraConfig, get_peft_model
from trl.trainer.utils import add_fused_lm_head

from sokrates.errors import SokratesError
from sokrates.training.attention import choose
from sokrates.training.shared import SharedPrefix, layout, sharable

OUTPUTS = ("log_probs", "entropy", "mean_logits", "is_top1")
SHAPES = [(4, 3, 6), (1, 5, 2), (7, 1, 1), (3, 4, 4)]
"""Tokens of prompt, chosen and rejected."""


def batch(shapes=SHAPES, left=False) -> dict[str, torch.Tensor]:
    """As TRL's collator pads pairs: all chosen, then all rejected."""
    source = random.Random(4)
    prompts = [[source.randrange(2, 60) for _ in range(prompt)] for prompt, _, _ in shapes]
    rows = []
    for which in (1, 2):
        for shape, prompt in zip(shapes, prompts, strict=True):
            rows.append((prompt, [source.randrange(2, 60) for _ in range(shape[which])]))
    longest = max(len(prompt) + len(completion) for prompt, completion in rows) + 2

    def padded(lists, value):
        fill = [[value] * (longest - len(each)) for each in lists]
        pairs = zip(fill, lists, strict=True)
        return torch.tensor([pad + each if left else each + pad for pad, each in pairs])

    return {
        "input_ids": padded([prompt + completion for prompt, completion in rows], 0),
        "attention_mask": padded([[1] * len(prompt + completion) for prompt, completion in rows], 0),
        "labels": padded([[-100] * len(prompt) + completion for prompt, completion in rows], -100),
    }


@pytest.fixture
def adapted(new_base):
    """Makes the model that a trainer would hold: TRL's fused head below PEFT."""

    def make(**lora):
        base = new_base()
        add_fused_lm_head(base, outputs=OUTPUTS)
        torch.manual_seed(5)
        settings = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, **lora)
        return get_peft_model(base, settings).train()

    return make


CALL = {"use_cache": False, "fused_lm_head": True}


def compare(plain, shared, inputs) -> None:
    """Both forwards and their gradients."""
    expected = plain(**inputs, **CALL)
    got = SharedPrefix(shared)(**inputs, **CALL)
    for name in OUTPUTS:
        assert got[name].shape == expected[name].shape and got[name].dtype == expected[name].dtype, name
        assert torch.allclose(got[name].float(), expected[name].float(), atol=1e-5), name
        assert getattr(got, name) is got[name]
    assert torch.equal(got.label_mask, expected.label_mask)
    assert torch.allclose(got.loss, expected.loss, atol=1e-5)
    weight = torch.randn(expected.log_probs.shape, generator=torch.Generator().manual_seed(6))
    (expected.log_probs * weight).sum().backward()
    (got.log_probs * weight).sum().backward()
    for (name, ours), theirs in zip(shared.named_parameters(), plain.parameters(), strict=True):
        if theirs.requires_grad:
            assert theirs.grad.abs().max() > 0, name
            assert torch.allclose(ours.grad, theirs.grad, atol=1e-5 * max(1.0, theirs.grad.abs().max().item())), name


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_equals_the_plain_forward(adapted, left, checkpointing):
    plain, shared = adapted(), adapted()
    choose(shared)
    if checkpointing:
        shared.gradient_checkpointing_enable({"use_reentrant": False})
        shared.enable_input_require_grads()
    compare(plain, shared, batch(left=left))


def test_one_pair(adapted):
    plain, shared = adapted(), adapted()
    choose(shared)
    compare(plain, shared, batch([(5, 2, 9)]))


def test_prompts_are_read_once():
    plan = layout(**batch())
    assert len(plan.rows) == sum(prompt + chosen + 1 + rejected for prompt, chosen, rejected in SHAPES)
    assert plan.query_starts[-1] == len(plan.rows)
    assert plan.key_starts[-1] == len(plan.key_index) == sum(2 * p + c + r for p, c, r in SHAPES)
    assert len(plan.learned) == sum(chosen + rejected for _, chosen, rejected in SHAPES)
    assert plan.longest == max(prompt + max(chosen, rejected) for prompt, chosen, rejected in SHAPES)


def test_the_rejected_completion_does_not_see_the_chosen(adapted):
    model = adapted().eval()
    choose(model)
    inputs, (prompt, chosen, _) = batch(), SHAPES[0]
    changed = {**inputs, "input_ids": inputs["input_ids"].clone()}
    changed["input_ids"][0, prompt : prompt + chosen] = 61
    changed["labels"] = changed["input_ids"].where(inputs["labels"] != -100, -100)
    with torch.no_grad():
        before, after = (SharedPrefix(model)(**each, **CALL).log_probs for each in (inputs, changed))
    assert (before[0] - after[0]).abs().max() > 1e-2
    assert (before[1:] - after[1:]).abs().max() < 1e-6


def test_prompts_that_differ_or_lack_are_errors():
    inputs = batch()
    inputs["input_ids"][0, 0] += 1
    with pytest.raises(SokratesError, match="different prompts"):
        layout(**inputs)
    with pytest.raises(SokratesError, match="no prompt"):
        layout(**batch([(0, 3, 2)]))


def test_sharable_says_whether_the_model_attends_by_segments(new_base):
    model = new_base()
    assert not sharable(model)
    choose(model)
    assert sharable(model)
