"""DPO starts at ln 2, moves the adapter and nothing else, and what is saved is what was trained."""

from __future__ import annotations

import json
import math

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import TrainerCallback

from sokrates.config import DPO_LOSSES, DPOConfig
from sokrates.errors import SokratesError
from sokrates.training import dpo, reference
from sokrates.training.data import PairIds
from sokrates.training.dpo import train_dpo
from sokrates.training.trainer import LikeLengthSampler, learning_rate_share
from tests.training import tiny_training


def config(**changes) -> DPOConfig:
    settings = {"learning_rate": 1e-2, "batch_size": 4, "gradient_accumulation_steps": 1, "warmup_ratio": 0.0}
    return DPOConfig(**{**settings, "max_length": 32, "logging_steps": 1, **changes})


@pytest.fixture
def start(new_base, tmp_path):
    """The folder of an adapter that does something, as SFT leaves it."""
    torch.manual_seed(7)
    model = get_peft_model(
        new_base(), LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    )
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(tmp_path / "start", save_embedding_layers=False)
    return tmp_path / "start"


@pytest.fixture
def load(new_base):
    return lambda folder, trainable=True: PeftModel.from_pretrained(new_base(), folder, is_trainable=trainable)


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(input_ids=torch.tensor([list(range(2, 20))])).logits


def weights(folder) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


def completion_logp(model, prompt, completion) -> float:
    ids = torch.tensor([[*prompt, *completion]])
    with torch.no_grad():
        scores = model.eval()(input_ids=ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    return scores.gather(1, torch.tensor(completion)[:, None]).sum().item()


@pytest.fixture(params=["continue", "stack"])
def mode(request):
    return request.param


def test_guards(load, start, tokenizer, pairs, tmp_path, mode):
    """Loss ln 2 at the start; lora_B moves, base and SFT weights do not; the folder loads to the same logits."""
    model = load(start)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items() if "lora" not in name}
    settings = config(num_epochs=2, adapter_mode=mode, lora={"r": 2, "alpha": 4})
    result = train_dpo(model, tokenizer, pairs, settings, tmp_path / "out", base_name="embedded")
    assert result.loss_at_start == pytest.approx(math.log(2), abs=1e-4)
    assert result.loss_at_end < result.loss_at_start and result.history[-1].margin > 0
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())
    assert sorted(model.peft_config) == ["default"]  # no copy of the adapter is held
    sft, trained = weights(start), weights(tmp_path / "out")
    assert trained.keys() == sft.keys()
    for name in sft:
        if mode == "continue" and "lora_B" in name:
            assert not torch.equal(trained[name], sft[name])
        if mode == "stack":  # SFT's four rows (columns of B) first, at its scale of 2, then the new adapter's two
            old, new = trained[name].split([4, 2], dim=0 if "lora_A" in name else 1)
            assert torch.equal(old, sft[name] * 2 if "lora_A" in name else sft[name])
            assert new.abs().max() > 0
    loaded = load(tmp_path / "out", trainable=False)
    assert torch.allclose(logits(loaded), logits(model), atol=1e-5)
    assert (logits(loaded) - logits(load(start))).abs().max() > 1e-2
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["base_model_name_or_path"] == "embedded"
    assert not [path for path in (tmp_path / "out").iterdir() if path.is_dir()]


def test_history_is_what_the_model_says(load, start, tokenizer, pairs, tmp_path, mode):
    """One batch of all pairs: log-probabilities of the joined ids, each sequence alone and without padding."""
    chosen = [completion_logp(load(start), pair.prompt_ids, pair.chosen_ids) for pair in pairs]
    rejected = [completion_logp(load(start), pair.prompt_ids, pair.rejected_ids) for pair in pairs]
    one_step = config(batch_size=len(pairs), adapter_mode=mode)
    result = train_dpo(load(start), tokenizer, pairs, one_step, tmp_path / "out", base_name="tiny", progress=False)
    (first,) = result.history
    assert first.chosen_logp_per_token == pytest.approx(sum(chosen) / sum(len(p.chosen_ids) for p in pairs), abs=1e-4)
    assert first.rejected_logp_per_token == pytest.approx(
        sum(rejected) / sum(len(p.rejected_ids) for p in pairs), abs=1e-4
    )
    assert first.margin == pytest.approx(0, abs=1e-5)


def test_rewards_are_measured_from_the_starting_adapter(load, start, tokenizer, pairs, tmp_path, mode):
    """After training, the margin by hand from the two folders has grown for the pairs that were trained on."""
    settings = config(num_epochs=3, adapter_mode=mode)
    train_dpo(load(start), tokenizer, pairs, settings, tmp_path / "out", base_name="tiny", progress=False)
    old, new = load(start), load(tmp_path / "out", trainable=False)
    margins = [
        completion_logp(new, pair.prompt_ids, pair.chosen_ids) - completion_logp(old, pair.prompt_ids, pair.chosen_ids)
        - completion_logp(new, pair.prompt_ids, pair.rejected_ids)
        + completion_logp(old, pair.prompt_ids, pair.rejected_ids)
        for pair in pairs
    ]  # fmt: skip
    assert sum(margins) / len(margins) > 0.5


def test_three_iterations_each_start_from_the_last(load, start, tokenizer, pairs, tmp_path, mode):
    folder, ranks = start, []
    for turn in ("one", "two", "three"):
        model = load(folder)
        before = logits(model)
        result = train_dpo(
            model, tokenizer, pairs, config(adapter_mode=mode, lora={"r": 2, "alpha": 4}, seed=len(ranks)),
            tmp_path / turn, base_name="tiny", progress=False,
        )  # fmt: skip
        assert result.loss_at_start == pytest.approx(math.log(2), abs=1e-4)
        folder = tmp_path / turn
        assert (logits(load(folder)) - before).abs().max() > 1e-2
        ranks.append(json.loads((folder / "adapter_config.json").read_text())["r"])
    assert ranks == ([4, 4, 4] if mode == "continue" else [6, 8, 10])


class Killed(Exception):
    pass


class KillAfter(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 4:
            raise Killed


def test_killed_and_resumed_equals_uninterrupted(load, start, tokenizer, pairs, tmp_path, monkeypatch, mode):
    settings = config(num_epochs=2, adapter_mode=mode)

    def train(folder):
        return train_dpo(load(start), tokenizer, pairs, settings, tmp_path / folder, base_name="tiny", progress=False)

    whole = train("whole")
    make = dpo.make_trainer

    def make_to_be_killed(*args, **options):
        trainer = make(*args, **options)
        trainer.add_callback(KillAfter())
        return trainer

    with monkeypatch.context() as patch:
        patch.setattr(dpo, "make_trainer", make_to_be_killed)
        with pytest.raises(Killed):
            train("killed")
    assert not (tmp_path / "killed" / "adapter_config.json").exists()
    resumed = train("killed")
    assert resumed.resumed_at_step == 3
    assert resumed.history == whole.history
    ours, theirs = weights(tmp_path / "killed"), weights(tmp_path / "whole")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert train("killed") == resumed  # finished: read, not repeated


def test_too_long_or_empty_is_an_error_that_names_the_pair(load, start, tokenizer, pairs, tmp_path):
    long = PairIds("the-long-one", tuple([5] * 25), (6, 7), tuple([8] * 9))
    mute = PairIds("the-mute-one", (5,), (6, 7), ())
    for bad, message in ((long, r"the-long-one.*34 tokens.*max_length = 32"), (mute, "the-mute-one.*rejected.*empty")):
        with pytest.raises(SokratesError, match=message):
            train_dpo(load(start), tokenizer, [*pairs, bad], config(), tmp_path / "out", base_name="tiny")
    with pytest.raises(SokratesError, match="no preference pairs"):
        train_dpo(load(start), tokenizer, [], config(), tmp_path / "out", base_name="tiny")
    assert not (tmp_path / "out").exists()


def test_adapter_under_another_name_is_refused(new_base, start, tokenizer, pairs, tmp_path):
    """TRL would take the base model as the reference and train from the wrong place without a word."""
    model = PeftModel.from_pretrained(new_base(), start, adapter_name="other", is_trainable=True)
    with pytest.raises(SokratesError, match="other"):
        train_dpo(model, tokenizer, pairs, config(), tmp_path / "out", base_name="tiny")


def test_batches_are_of_like_length_and_each_row_comes_once():
    lengths = [(index * 37) % 101 for index in range(50)]
    sampler = LikeLengthSampler(lengths, batch_size=4, seed=0)
    order = list(sampler)
    assert sorted(order) == list(range(50))
    batches = [order[start : start + 4] for start in range(0, 50, 4)]
    spread = [max(lengths[i] for i in batch) - min(lengths[i] for i in batch) for batch in batches]
    assert max(spread) < 15
    assert order == list(LikeLengthSampler(lengths, batch_size=4, seed=0))
    sampler.set_epoch(1)
    assert list(sampler) != order


def test_learning_rate_rises_and_falls_and_is_never_zero():
    shares = [learning_rate_share(done, warmup=3, total=10) for done in range(10)]
    assert shares[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert shares[3:] == sorted(shares[3:], reverse=True) and shares[-1] > 0
    assert learning_rate_share(0, warmup=1, total=1) > 0


def test_one_step_with_warmup_trains(load, start, tokenizer, pairs, tmp_path):
    one_step = config(batch_size=len(pairs), warmup_ratio=0.1)
    train_dpo(load(start), tokenizer, pairs, one_step, tmp_path / "out", base_name="tiny", progress=False)
    before, after = weights(start), weights(tmp_path / "out")
    assert all(not torch.equal(before[name], after[name]) for name in before if "lora_B" in name)


def test_bar_shows_the_losses(load, start, tokenizer, pairs, tmp_path, capsys):
    train_dpo(load(start), tokenizer, pairs, config(), tmp_path / "out", base_name="tiny")
    shown = capsys.readouterr()
    assert "dpo: 3 steps in" in shown.err and ", margin " in shown.err
    assert shown.out == ""


def test_reference_is_read_again_whatever_the_hyper_parameters(load, start, tokenizer, pairs, tmp_path, monkeypatch):
    def train(folder, **changes):
        settings = config(**changes)
        return train_dpo(load(start), tokenizer, pairs, settings, tmp_path / folder, base_name="tiny", progress=False)

    first = train("one")
    assert first.reference.startswith("computed")
    monkeypatch.setattr(reference, "_compute", None)
    assert train("two").history == first.history
    assert train("three", beta=0.5, adapter_mode="stack").reference.startswith("read")


def test_an_sft_term_trains_with_it(load, start, tokenizer, pairs, tmp_path, mode):
    def last(folder, losses):
        settings = config(num_epochs=6, loss_type=losses, learning_rate=3e-2, adapter_mode=mode)
        result = train_dpo(load(start), tokenizer, pairs, settings, tmp_path / folder, base_name="tiny", progress=False)
        return result.history

    plain, both = last("plain", ["sigmoid"]), last("both", ["sigmoid", "sft"])
    assert both[0].loss > plain[0].loss == pytest.approx(math.log(2), abs=1e-4)
    assert both[-1].chosen_logp_per_token > both[0].chosen_logp_per_token + 0.1
    assert both[-1].chosen_logp_per_token > plain[-1].chosen_logp_per_token


def test_an_adapter_that_cannot_be_concatenated_is_not_stacked_on(new_base, tokenizer, pairs, tmp_path):
    model = get_peft_model(new_base(), LoraConfig(r=4, target_modules="all-linear", use_rslora=True))
    with pytest.raises(SokratesError, match="use_rslora"):
        train_dpo(model, tokenizer, pairs, config(adapter_mode="stack"), tmp_path / "out", base_name="tiny")


@pytest.mark.parametrize("begun", ["olora", "pissa_niter_4"])
def test_an_adapter_whose_copy_changes_the_base_is_refused(new_base, tokenizer, pairs, tmp_path, begun, mode):
    model = get_peft_model(new_base(), LoraConfig(r=4, target_modules="all-linear", init_lora_weights=begun))
    with pytest.raises(SokratesError, match=f"begun with init_lora_weights = '{begun}'.*sokrates export"):
        train_dpo(model, tokenizer, pairs, config(adapter_mode=mode), tmp_path / "out", base_name="tiny")


def test_stacked_adapters_may_be_on_other_layers(new_base, tokenizer, pairs, tmp_path):
    model = get_peft_model(new_base(), LoraConfig(r=4, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM"))
    settings = config(adapter_mode="stack", lora={"r": 2, "target_modules": ["v_proj", "q_proj"]})
    train_dpo(model, tokenizer, pairs, settings, tmp_path / "out", base_name="tiny", progress=False)
    loaded = PeftModel.from_pretrained(new_base(), tmp_path / "out")
    assert sorted(loaded.peft_config["default"].target_modules) == ["down_proj", "q_proj", "v_proj"]
    assert torch.allclose(logits(loaded), logits(model), atol=1e-5)


def test_shared_prompts_leave_the_losses_as_they_are(load, start, tokenizer, pairs, tmp_path, mode):
    def train(share):
        settings = config(num_epochs=2, share_prompts=share, adapter_mode=mode)
        output = tmp_path / str(share) / "out"  # no reference in common
        return train_dpo(load(start), tokenizer, pairs, settings, output, base_name="tiny", progress=False)

    shared, apart = train(True), train(False)
    assert shared.shared_prompts and not apart.shared_prompts
    assert shared.reference.startswith("computed") and apart.reference.startswith("computed")
    for one, other in zip(shared.history, apart.history, strict=True):
        assert one.loss == pytest.approx(other.loss, abs=1e-4)
        assert one.rejected_logp_per_token == pytest.approx(other.rejected_logp_per_token, abs=1e-3)
    assert apart.loss_at_end < apart.loss_at_start - 0.02


def test_every_loss_of_the_configuration_trains(load, start, tokenizer, pairs, tmp_path):
    settings = config(loss_type=list(DPO_LOSSES))
    result = train_dpo(load(start), tokenizer, pairs, settings, tmp_path / "out", base_name="tiny", progress=False)
    assert math.isfinite(result.loss_at_end)


@pytest.mark.parametrize(("loss", "most"), [("sigmoid", 32768), ("aot", 0), ("aot_unpaired", 0)])
def test_a_loss_that_sorts_its_batch_joins_none(load, start, tokenizer, pairs, tmp_path, monkeypatch, loss, most):
    asked = []
    monkeypatch.setattr(dpo, "join", lambda rows, steps, tokens, device, most: asked.append(most) or (rows, steps))
    dpo.make_trainer(load(start), tokenizer, pairs, config(loss_type=["sigmoid", loss]), tmp_path)
    assert asked == [most]


def progress(chosen: float, rejected: float) -> dpo.Progress:
    rates = {"loss": 0.6, "accuracy": 0.8, "chosen_logp_per_token": -0.1, "rejected_logp_per_token": -0.2}
    return dpo.Progress(
        step=1, epoch=1.0, margin=chosen - rejected, chosen_reward=chosen, rejected_reward=rejected, **rates
    )


def test_what_falls_on_both_sides_is_told():
    """A reward is beta times a difference of log-probabilities."""
    told = dpo.displacement([progress(0.0, 0.0), progress(-0.5, -0.8)], beta=0.1)
    assert "by 5.0 nats each (the rejected ones by 8.0)" in told
    assert not dpo.displacement([progress(-0.5, -0.8), progress(-0.09, -0.8)], beta=0.1)
    assert not dpo.displacement([progress(0.2, -0.8)], beta=0.1)


def test_a_training_that_displaces_says_so(monkeypatch, tokenizer, pairs, tmp_path, capsys):
    for least, told in ((-1e9, True), (1e9, False)):
        monkeypatch.setattr(dpo, "LEAST_FALL", least)
        train_dpo(tiny_training.adapter(), tokenizer, pairs, config(), tmp_path / str(told), base_name="tiny")
        assert ("dpo: the chosen traces became less likely too" in capsys.readouterr().err) is told
