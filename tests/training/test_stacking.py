"""A stacked adapter changes nothing at first, alone asks for gradients, and becomes one with the other exactly."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from sokrates import config
from sokrates.training.stacking import flatten, stack

SETTINGS = config.LoraConfig(r=2, alpha=6)


@pytest.fixture
def model(new_base):
    torch.manual_seed(7)
    lora = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False)
    return get_peft_model(new_base(), lora)


def logits(model: PeftModel) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(input_ids=torch.tensor([list(range(2, 20))])).logits


def learning(model: PeftModel) -> list[str]:
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def test_says_what_it_said_before_and_the_upper_one_alone_learns(model):
    before = logits(model)
    old = {name: parameter.clone() for name, parameter in model.named_parameters() if ".default." in name}
    stack(model, SETTINGS, seed=1)
    assert torch.equal(logits(model), before)
    below = {name.replace(".below.", ".default."): p for name, p in model.named_parameters() if ".below." in name}
    assert below.keys() == old.keys() and all(torch.equal(below[name], old[name]) for name in old)
    assert len(learning(model)) == len(old) and all(".default." in name for name in learning(model))


def test_the_new_adapter_hangs_on_the_seed_alone(new_base):
    def drawn(seed):
        model = get_peft_model(new_base(), LoraConfig(r=4, target_modules="all-linear"))
        stack(model, SETTINGS, seed)
        return next(p for name, p in model.named_parameters() if "lora_A.default" in name)

    assert torch.equal(drawn(1), drawn(1)) and not torch.equal(drawn(1), drawn(2))


def test_flat_says_what_the_stack_said(model):
    stack(model, SETTINGS, seed=1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B.default" in name:
                parameter.normal_(std=0.3)
    before = logits(model)
    flatten(model)
    assert torch.allclose(logits(model), before, atol=1e-5)
    assert list(model.peft_config) == list(model.active_adapters) == ["default"]
    assert model.peft_config["default"].r == 6
    with model.disable_adapter():
        assert (logits(model) - before).abs().max() > 0.1


def test_flatten_leaves_a_single_adapter_as_it_is(model):
    before = logits(model)
    flatten(model)
    assert torch.equal(logits(model), before) and model.peft_config["default"].r == 4
