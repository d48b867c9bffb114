"""A loss or gradient that is not finite ends training, and says where it came from."""

from __future__ import annotations

import pytest
import torch

from sokrates.config import DPOConfig, LoraConfig, SFTConfig
from sokrates.errors import SokratesError
from sokrates.training import adapters, finite
from sokrates.training.data import Example, PairIds
from sokrates.training.dpo import train_dpo
from sokrates.training.sft import train_sft
from tests.training import tiny_training

POISON = 63
"""A token that only one example has: a model that meets it gives no number."""


def without_poison(ids):
    return tuple(5 if token == POISON else token for token in ids)


def poisoned(model):
    """The model, with an embedding of that token that is no number."""
    model.get_input_embeddings().register_forward_hook(
        lambda module, inputs, output: output.masked_fill((inputs[0] == POISON)[..., None], float("nan"))
    )
    return model


@pytest.fixture
def sft_examples():
    return [
        Example(f"example-{index}", without_poison(one.prompt_ids), without_poison(one.completion_ids))
        for index, one in enumerate(tiny_training.make_examples(12))
    ]


@pytest.mark.parametrize("packing", [True, False])
def test_sft_names_the_step_and_the_examples(new_base, tokenizer, sft_examples, tmp_path, packing):
    config = SFTConfig(
        batch_size=2, gradient_accumulation_steps=1, max_length=32, packing=packing, num_epochs=1, save_steps=1,
        lora=LoraConfig(r=4, alpha=8),
    )  # fmt: skip
    bad = Example("the-poisoned-one", (POISON, 4, 5), (6, 7, 8))
    with pytest.raises(SokratesError, match=r"^step \d+: the loss is nan.*the-poisoned-one") as caught:
        train_sft(
            poisoned(new_base()), tokenizer, [*sft_examples, bad], config, tmp_path, base_name="tiny", progress=False
        )
    named = [example.id for example in sft_examples if f"{example.id}," in str(caught.value).replace(".", ",")]
    assert len(named) < 6  # the batch, not all
    assert [path.name for path in tmp_path.iterdir()] == [adapters.STAGING]


def test_checkpoints_before_it_stay(new_base, tokenizer, sft_examples, tmp_path, monkeypatch):
    """The held-out loss is measured after the first epoch, and is the first to meet the token."""
    config = SFTConfig(
        batch_size=2, gradient_accumulation_steps=1, max_length=32, packing=False, num_epochs=1, save_steps=2,
        lora=LoraConfig(r=4, alpha=8),
    )  # fmt: skip
    bad = Example("the-poisoned-one", (POISON, 4, 5), (6, 7, 8))
    with pytest.raises(SokratesError, match=r"^after step 6: the held-out loss is nan.*: the-poisoned-one\."):
        train_sft(
            poisoned(new_base()), tokenizer, sft_examples, config, tmp_path, base_name="tiny", progress=False,
            heldout=[bad],
        )  # fmt: skip
    assert adapters.step(adapters.last_checkpoint(tmp_path / adapters.STAGING)) == 4
    assert not (tmp_path / adapters.CONFIG).exists()


def test_dpo_names_the_pairs(tokenizer, tmp_path):
    good = [
        PairIds(pair.id, without_poison(pair.prompt_ids), without_poison(pair.chosen_ids), (5, 6))
        for pair in tiny_training.make_pairs(7)
    ]
    bad = PairIds("the-poisoned-one", (4, 5, 6), (7, 8), (9, POISON))
    config = DPOConfig(batch_size=2, gradient_accumulation_steps=1, max_length=32)
    with pytest.raises(SokratesError, match=r"^step \d: the loss is nan.*: (pair-\d, )?the-poisoned-one\."):
        train_dpo(
            poisoned(tiny_training.adapter()), tokenizer, [*good, bad], config, tmp_path, base_name="tiny",
            progress=False,
        )  # fmt: skip


def test_finite_loss_with_an_infinite_gradient_ends_before_the_weights_move(
    new_base, tokenizer, sft_examples, tmp_path
):
    """The loss is a number, but its gradient overflows: the checkpoint of that step is not written."""
    model = tiny_training.adapter()
    parameter = next(parameter for name, parameter in model.named_parameters() if "lora_B" in name)
    parameter.register_hook(lambda gradient: gradient * float("inf"))
    before = parameter.detach().clone()
    config = SFTConfig(batch_size=2, max_length=32, packing=False, num_epochs=1, save_steps=1)
    with pytest.raises(SokratesError, match=r"^step 1: the size of the gradient is (nan|inf).*example-0"):
        train_sft(model, tokenizer, sft_examples, config, tmp_path, base_name="tiny", progress=False)
    assert torch.equal(parameter, before)
    assert adapters.last_checkpoint(tmp_path / adapters.STAGING) is None


def test_documents_of_every_layout():
    padded = {"input_ids": torch.tensor([[5, 6, 0], [7, 8, 9]]), "attention_mask": torch.tensor([[1, 1, 0], [1, 1, 1]])}
    assert finite.documents(padded) == [(5, 6), (7, 8, 9)]
    packed = {"input_ids": torch.tensor([[5, 6, 7, 8, 9]]), "position_ids": torch.tensor([[0, 1, 0, 1, 2]])}
    assert finite.documents(packed) == [(5, 6), (7, 8, 9)]
    assert finite.documents({"input_ids": torch.tensor([[5, 6], [7, 8]])}) == [(5, 6), (7, 8)]


def test_many_names_are_counted():
    examples = [Example(f"e{index}", (index,), (1,)) for index in range(25)]
    batch = {"input_ids": torch.tensor([[index, 1] for index in range(25)])}
    with pytest.raises(SokratesError, match=r"e18, e19 and 5 more"):
        finite.check(torch.tensor(float("inf")), "loss", "step 1", [batch], examples)
    finite.check(torch.tensor(1.0), "loss", "step 1", [batch], examples)
