"""What both trainers share: how batches are joined, that joining them changes no order, and the bar of training."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import TrainerCallback

from sokrates.config import DPOConfig, SFTConfig
from sokrates.training.attention import choose
from sokrates.training.dpo import DPOTrainer, columns, make_trainer, train_dpo, training_arguments
from sokrates.training.reference import Reference
from sokrates.training.sft import train_sft
from sokrates.training.trainer import join, run
from tests import screens
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


@pytest.fixture
def screen(monkeypatch):
    """What training draws on a wide terminal."""
    return screens.screen(monkeypatch, 200)


def test_the_bar_of_sft_tells_the_losses_and_tokens_a_second(new_base, tokenizer, examples, tmp_path, screen, capsys):
    settings = SFTConfig(
        batch_size=2, gradient_accumulation_steps=1, max_length=32, packing=False, num_epochs=2, logging_steps=1
    )
    train_sft(
        new_base(), tokenizer, examples[:8], settings, tmp_path, base_name="tiny", heldout=examples[8:], label="sft+"
    )
    drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert re.search(r"sft\+  ━+[╸╺]?━+  [1-8]/8  \d:\d\d (left|so far)  loss \d\.\d{3}", drawn), drawn
    told = capsys.readouterr().err.splitlines()[-1]
    assert re.fullmatch(
        r"sft\+: 8 steps in [\d.]+ s \([\d.]+ steps/s\), loss \d\.\d{3}, held-out \d\.\d{3}, [\d,]+ tokens/s", told
    )


def test_the_bar_of_dpo_tells_the_rewards_and_is_taken_away_by_an_error(tokenizer, pairs, tmp_path, screen, capsys):
    settings = DPOConfig(batch_size=5, gradient_accumulation_steps=1, max_length=32, logging_steps=1, num_epochs=1)
    train_dpo(tiny_training.adapter(), tokenizer, pairs, settings, tmp_path / "out", base_name="tiny")
    told = capsys.readouterr().err.splitlines()[-1]
    assert re.search(r"dpo: 2 steps in .*, loss \d\.\d{3}, preferred \d+%, margin -?\d\.\d\d, [\d,]+ tokens/s$", told)

    class Failing(TrainerCallback):
        def on_step_end(self, *args, **options):
            raise ValueError("stop here")

    choose(model := tiny_training.adapter())
    trainer = make_trainer(model, tokenizer, pairs, settings, tmp_path / "failing")
    trainer.add_callback(Failing())
    with pytest.raises(ValueError, match="stop here"):
        run(trainer, None, tmp_path, save_steps=100, label="iter1: dpo")
    assert "iter1: dpo" in screen.getvalue() and screen.getvalue().rstrip().endswith("\x1b[?25h\r\x1b[1A\x1b[2K")
    assert "iter1: dpo" not in capsys.readouterr().err
