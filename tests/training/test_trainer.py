"""What both trainers share: how batches are joined, and that joining them changes no order."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sokrates.config import DPOConfig
from sokrates.training.attention import choose
from sokrates.training.dpo import DPOTrainer, columns, make_trainer, training_arguments
from sokrates.training.reference import Reference
from sokrates.training.trainer import join
from tests.training import tiny_training


@pytest.mark.parametrize(
    ("most", "joined"),
    [
        (100_000, (32, 1)),
        (32 * 2048, (32, 1)),
        (32 * 2048 - 1, (16, 2)),
        (8 * 2048, (8, 4)),
        (100, (4, 8)),
        (0, (4, 8)),
    ],
)
def test_batches_are_joined_up_to_a_number_of_tokens(most, joined):
    assert join(4, 8, 2048, "cuda:0", most) == joined
    assert join(4, 8, 2048, "cpu", most) == (4, 8)


@given(st.integers(1, 9), st.integers(1, 24), st.integers(1, 3000), st.integers(0, 10**6))
def test_a_step_keeps_its_rows(rows, accumulation, tokens, most):
    larger, fewer = join(rows, accumulation, tokens, "cuda", most)
    assert larger * fewer == rows * accumulation and larger >= rows
    assert larger == rows or larger * tokens <= most


def test_joined_batches_have_the_rows_of_those_they_are_joined_of(new_base, tokenizer, pairs, tmp_path, monkeypatch):
    config = DPOConfig(batch_size=2, gradient_accumulation_steps=4, max_length=32)
    orders = []
    for rows in (2, 8):
        args = training_arguments(new_base(), config, tmp_path)
        args.per_device_train_batch_size = rows
        trainer = DPOTrainer(
            model=new_base(), args=args, train_dataset=columns(pairs), processing_class=tokenizer, ref_model=new_base()
        )
        trainer.like = config.batch_size
        orders.append(list(trainer._get_train_sampler()))
    assert orders[0] == orders[1] and sorted(orders[0]) == list(range(len(pairs)))


@pytest.mark.parametrize("checkpointing", [False, True])
def test_inputs_that_are_not_cast_to_and_fro_give_the_same_numbers(pairs, tmp_path, checkpointing):
    def trained(uncasts):
        model = tiny_training.adapter().to(torch.bfloat16)
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.data = parameter.data.float()
        choose(model)
        settings = DPOConfig(batch_size=5, gradient_accumulation_steps=1, max_length=32, learning_rate=1e-2)
        trainer = make_trainer(model, tiny_training.make_tokenizer(), pairs, settings, tmp_path)
        trainer.uncasts = uncasts
        trainer.args.gradient_checkpointing = checkpointing
        scores = trainer.score(range(len(pairs)))
        kinds = set()
        layer = next(module for name, module in model.named_modules() if name.endswith("q_proj.lora_A.default"))
        layer.register_forward_pre_hook(lambda _, inputs: kinds.add(inputs[0].dtype))
        trainer.use(Reference(*(column.tolist() for column in scores), "here", 0.0))
        trainer.args.save_strategy = "no"
        trainer.train()
        return kinds, scores, {name: p.detach().clone() for name, p in model.named_parameters() if "lora_" in name}

    kinds, scores, weights = trained(uncasts=True)
    other_kinds, other_scores, other_weights = trained(uncasts=False)
    assert (kinds, other_kinds) == ({torch.bfloat16}, {torch.float32})
    assert all(torch.equal(*both) for both in zip(scores, other_scores, strict=True))
    assert weights.keys() == other_weights.keys()
    assert all(torch.equal(weight, other_weights[name]) for name, weight in weights.items())
