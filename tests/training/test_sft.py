"""SFT learns completions and nothing else, stops in time, keeps the best, and survives being killed."""

from __future__ import annotations

import json
import math

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import TrainerCallback

from sokrates.config import LoraConfig, SFTConfig
from sokrates.errors import SokratesError
from sokrates.training import sft
from sokrates.training.data import Example
from sokrates.training.sft import train_sft

LORA = LoraConfig(r=4, alpha=8)


def config(**changes) -> SFTConfig:
    """Fast settings: few tokens to a row and a high learning rate."""
    settings = {
        "batch_size": 2,
        "gradient_accumulation_steps": 2,
        "learning_rate": 2e-2,
        "max_length": 32,
        "lora": LORA,
    }
    return SFTConfig(**{**settings, "warmup_ratio": 0.0, "num_epochs": 2, **changes})


def completion_loss(model, examples) -> float:
    """Mean cross-entropy of the completions' tokens, one example at a time."""
    total, count = 0.0, 0
    for example in examples:
        ids = torch.tensor([[*example.prompt_ids, *example.completion_ids]])
        with torch.no_grad():
            logits = model(input_ids=ids).logits[0, len(example.prompt_ids) - 1 : -1]
        target = torch.tensor(example.completion_ids)
        total += torch.nn.functional.cross_entropy(logits, target, reduction="sum").item()
        count += len(example.completion_ids)
    return total / count


def logits(model, ids=range(2, 20)) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.tensor([list(ids)])).logits


def weights(folder) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


@pytest.mark.parametrize("packing", [True, False])
def test_loss_is_that_of_the_completions(new_base, tokenizer, examples, tmp_path, packing):
    """One step over all examples: what is logged is the loss before the first update, computed here by hand."""
    expected = completion_loss(new_base(), examples)
    one_step = config(num_epochs=1, batch_size=4, gradient_accumulation_steps=3, packing=packing)
    result = train_sft(new_base(), tokenizer, examples, one_step, tmp_path, base_name="tiny", progress=False)
    assert result.steps == 1
    assert result.train_losses[0].loss == pytest.approx(expected, abs=1e-5)
    assert (result.rows < len(examples)) == packing


def test_prompt_tokens_are_not_labels(new_base, tokenizer, examples, tmp_path):
    trainer = sft.make_trainer(new_base(), tokenizer, examples, config(packing=False), tmp_path)
    batch = trainer.data_collator([trainer.train_dataset[index] for index in range(len(examples))])
    for example, labels in zip(examples, batch["labels"].tolist(), strict=True):
        after = len(example.prompt_ids) + len(example.completion_ids)
        assert set(labels[: len(example.prompt_ids)]) == {-100}
        assert tuple(labels[len(example.prompt_ids) : after]) == example.completion_ids
        assert set(labels[after:]) <= {-100}


def test_packed_documents_do_not_see_each_other(new_base, tokenizer, examples, tmp_path):
    """Through the trainer's own packing and collator: another first document leaves the others' logits alone."""
    trainer = sft.make_trainer(new_base(), tokenizer, examples, config(max_length=64), tmp_path)
    row = trainer.train_dataset[0]
    first, *others = row["seq_lengths"]
    assert others
    batch = trainer.data_collator([row])
    assert "attention_mask" not in batch
    changed = {**batch, "input_ids": batch["input_ids"].clone()}
    changed["input_ids"][0, :first] = (changed["input_ids"][0, :first] + 7) % 64
    with torch.no_grad():
        before, after = (trainer.model.eval()(**inputs).logits[0] for inputs in (batch, changed))
    assert (before[:first] - after[:first]).abs().max() > 1e-2
    assert (before[first:] - after[first:]).abs().max() < 1e-5


def test_folder_loads_to_what_was_trained(new_base, tokenizer, examples, tmp_path):
    base = new_base()
    untouched = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    result = train_sft(base, tokenizer, examples, config(), tmp_path, base_name="embedded", progress=False)
    trained = logits(base.eval())  # PEFT puts the adapter into the layers of the model that it is given
    loaded = PeftModel.from_pretrained(new_base(), tmp_path)
    assert torch.allclose(logits(loaded.eval()), trained, atol=1e-6)
    assert (trained - logits(new_base())).abs().max() > 1e-2
    for name, tensor in base.state_dict().items():
        if "lora_" not in name:
            assert torch.equal(tensor, untouched[name.replace(".base_layer", "")]), name
    assert json.loads((tmp_path / "adapter_config.json").read_text())["base_model_name_or_path"] == "embedded"
    assert {path.name for path in tmp_path.iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "probe.json", "tokenizer.json", "tokenizer_config.json",
        "training.json",
    }  # fmt: skip
    written = json.loads((tmp_path / "training.json").read_text())
    assert written["train_losses"][0]["loss"] == result.train_losses[0].loss
    assert written["tokens"] == sum(example.length for example in examples)


def test_training_goes_on_from_an_adapter(new_base, tokenizer, examples, tmp_path):
    first = train_sft(new_base(), tokenizer, examples, config(), tmp_path / "a", base_name="tiny", progress=False)
    model = PeftModel.from_pretrained(new_base(), tmp_path / "a", is_trainable=True)
    again = train_sft(model, tokenizer, examples, config(), tmp_path / "b", base_name="tiny", progress=False)
    assert again.train_losses[0].loss < first.train_losses[0].loss
    trained = completion_loss(PeftModel.from_pretrained(new_base(), tmp_path / "b").eval(), examples)
    assert trained < completion_loss(PeftModel.from_pretrained(new_base(), tmp_path / "a").eval(), examples)


def test_frozen_adapter_is_refused(new_base, tokenizer, examples, tmp_path):
    train_sft(new_base(), tokenizer, examples[:2], config(), tmp_path / "a", base_name="tiny", progress=False)
    model = PeftModel.from_pretrained(new_base(), tmp_path / "a")
    with pytest.raises(SokratesError, match="frozen"):
        train_sft(model, tokenizer, examples, config(), tmp_path / "b", base_name="tiny", progress=False)


@pytest.mark.parametrize("per_epoch", [1, 2])
def test_stops_when_heldout_loss_rises_and_keeps_the_best(new_base, tokenizer, examples, tmp_path, per_epoch):
    """Random completions can only be learned by heart: the held-out loss falls for a moment and then rises."""
    settings = config(
        num_epochs=20, packing=False, evals_per_epoch=per_epoch, early_stopping_patience=2, batch_size=4,
        gradient_accumulation_steps=1, learning_rate=3e-2,
    )  # fmt: skip
    learned, heldout = examples[:8], examples[8:]
    result = train_sft(
        new_base(), tokenizer, learned, settings, tmp_path, base_name="tiny", heldout=heldout, progress=False
    )
    losses = [entry.loss for entry in result.heldout_losses]
    best = min(range(len(losses)), key=losses.__getitem__)
    assert len(losses) == best + 3 and result.epochs < 20
    assert result.best_epoch == result.heldout_losses[best].epoch
    kept = completion_loss(PeftModel.from_pretrained(new_base(), tmp_path).eval(), heldout)
    assert kept == pytest.approx(losses[best], abs=1e-4)
    assert abs(kept - losses[-1]) > 1e-2


@pytest.mark.parametrize("where", ["examples", "heldout"])
def test_too_long_is_an_error_that_names_the_example(new_base, tokenizer, examples, tmp_path, where):
    long = Example("the-long-one", tuple([5] * 30), (6, 7, 8))
    data = {"examples": examples, "heldout": examples[:1], where: [*examples[:2], long]}
    with pytest.raises(SokratesError, match=r"the-long-one.*33 tokens.*max_length = 32"):
        train_sft(new_base(), tokenizer, config=config(), output=tmp_path, base_name="tiny", progress=False, **data)
    assert not any(tmp_path.iterdir())


def test_nothing_to_learn_is_an_error(new_base, tokenizer, tmp_path):
    empty = [Example("mute", (5, 6), ())]
    for examples, message in (([], "no examples"), (empty, "mute.*empty")):
        with pytest.raises(SokratesError, match=message):
            train_sft(new_base(), tokenizer, examples, config(), tmp_path, base_name="tiny", progress=False)


class Killed(Exception):
    pass


class KillAfter(TrainerCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise Killed


def test_killed_and_resumed_equals_uninterrupted(new_base, tokenizer, examples, tmp_path, monkeypatch):
    settings = config(num_epochs=3, packing=False, logging_steps=1, lora=LoraConfig(r=4, alpha=8, dropout=0.1))

    def train(folder, **options):
        return train_sft(
            new_base(), tokenizer, examples, settings, tmp_path / folder, base_name="tiny", progress=False,
            heldout=examples[:3], **options,
        )  # fmt: skip

    whole = train("whole")
    make = sft.make_trainer

    def make_to_be_killed(*args, **options):
        trainer = make(*args, **options)
        trainer.add_callback(KillAfter(5))
        return trainer

    with monkeypatch.context() as patch:
        patch.setattr(sft, "make_trainer", make_to_be_killed)
        with pytest.raises(Killed):
            train("killed")
    assert not (tmp_path / "killed" / "adapter_config.json").exists()
    half_written = tmp_path / "killed" / ".training" / "checkpoint-99"
    half_written.mkdir()
    resumed = train("killed")
    assert resumed.resumed_at_step == 3
    assert [entry.loss for entry in resumed.train_losses] == [entry.loss for entry in whole.train_losses]
    assert resumed.heldout_losses == whole.heldout_losses
    ours, theirs = weights(tmp_path / "killed"), weights(tmp_path / "whole")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not (tmp_path / "killed" / ".training").exists()


def test_killed_between_stopping_and_publishing(new_base, tokenizer, examples, tmp_path, monkeypatch):
    """No step is trained after the one where the held-out loss made it stop."""
    settings = config(num_epochs=20, packing=False)

    def train(folder):
        return train_sft(
            new_base(), tokenizer, examples[:8], settings, tmp_path / folder, base_name="tiny", progress=False,
            heldout=examples[8:],
        )  # fmt: skip

    whole = train("whole")

    def publish(*args):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(sft.adapters, "publish", publish)
        with pytest.raises(Killed):
            train("killed")
    resumed = train("killed")
    assert resumed.steps == whole.steps and resumed.heldout_losses == whole.heldout_losses
    ours, theirs = weights(tmp_path / "killed"), weights(tmp_path / "whole")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_finished_training_is_not_repeated_unless_something_differs(new_base, tokenizer, examples, tmp_path):
    def train(**changes):
        options = {"examples": examples[:4], "config": config(num_epochs=1), **changes}
        return train_sft(new_base(), tokenizer, output=tmp_path, base_name="tiny", progress=False, **options)

    first = train()
    written = (tmp_path / "training.json").stat().st_mtime_ns
    assert train() == first and (tmp_path / "training.json").stat().st_mtime_ns == written
    train(resume=False)
    assert (tmp_path / "training.json").stat().st_mtime_ns != written
    for change in ({"examples": examples[:3]}, {"config": config(num_epochs=1, seed=1)}):
        with pytest.raises(SokratesError, match="holds the adapter of another training"):
            train(**change)
        assert train(resume=False, **change).fingerprint != first.fingerprint
        train(resume=False)


def test_leftovers_of_another_training_are_not_resumed(new_base, tokenizer, examples, tmp_path):
    stale = tmp_path / ".training" / "checkpoint-7"
    stale.mkdir(parents=True)
    (stale / "trainer_state.json").write_text("{}")
    (tmp_path / ".training" / "fingerprint").write_text("of another")
    result = train_sft(new_base(), tokenizer, examples, config(), tmp_path, base_name="tiny", progress=False)
    assert result.resumed_at_step == 0 and math.isfinite(result.train_losses[-1].loss)
