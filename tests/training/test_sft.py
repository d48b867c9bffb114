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
from sokrates.training.attention import choose
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


@pytest.mark.parametrize(("packing", "rows"), [(True, 1), (False, 2), (False, 3)])
def test_heldout_loss_is_that_of_the_completions(new_base, tokenizer, tmp_path, packing, rows):
    """Whatever lies in a batch together: the completions are of 1 to 9 tokens."""
    heldout = [Example(str(n), (2, 3), tuple(range(9, 9 + n))) for n in (1, 9, 2, 8, 3, 5, 1)]
    settings = config(packing=packing, batch_size=rows)
    trainer = sft.make_trainer(new_base(), tokenizer, heldout[:2], settings, tmp_path, heldout=heldout)
    assert trainer.evaluate()["eval_loss"] == pytest.approx(completion_loss(new_base(), heldout), abs=1e-6)


def test_prompt_tokens_are_not_labels(new_base, tokenizer, examples, tmp_path):
    trainer = sft.make_trainer(new_base(), tokenizer, examples, config(packing=False), tmp_path)
    batch = trainer.data_collator([trainer.train_dataset[index] for index in range(len(examples))])
    for example, labels in zip(examples, batch["labels"].tolist(), strict=True):
        after = len(example.prompt_ids) + len(example.completion_ids)
        assert set(labels[: len(example.prompt_ids)]) == {-100}
        assert tuple(labels[len(example.prompt_ids) : after]) == example.completion_ids
        assert set(labels[after:]) <= {-100}


@pytest.mark.parametrize("segments", [True, False])
def test_packed_documents_do_not_see_each_other(new_base, tokenizer, examples, tmp_path, segments):
    """Through the trainer's own packing and collator: another first document leaves the others' logits alone.

    Two rows go together, and the second begins like the first: at position 0. As the control, the same tokens with an
    attention mask in place of boundaries leak.
    """
    base = new_base()
    if segments:
        choose(base)
    trainer = sft.make_trainer(base, tokenizer, examples, config(max_length=64), tmp_path)
    rows = [trainer.train_dataset[index] for index in range(2)]
    first, *others = rows[0]["seq_lengths"]
    assert others
    batch = trainer.data_collator(rows)
    assert "attention_mask" not in batch and batch["input_ids"].shape[0] == 1
    changed = {**batch, "input_ids": batch["input_ids"].clone()}
    changed["input_ids"][0, :first] = (changed["input_ids"][0, :first] + 7) % 64

    def difference(model, keep, **extra) -> torch.Tensor:
        with torch.no_grad():
            inputs = [{name: each[name] for name in keep} | extra for each in (batch, changed)]
            before, after = (model(**each).logits[0] for each in inputs)
        return (before - after).abs()

    isolated = difference(trainer.model.eval(), batch.keys())
    assert isolated[:first].max() > 1e-2 and isolated[first:].max() < 1e-5
    mask = torch.ones_like(batch["input_ids"])
    assert difference(new_base(), ["input_ids"], attention_mask=mask)[first:].max() > 1e-3


def test_gradient_of_packed_documents_is_that_of_the_documents_alone(new_base, tokenizer, examples, tmp_path):
    """Two packed rows in one batch against a padded batch of the same documents, through the trainer's own loss."""
    gradients = []
    for packing in (True, False):
        base = new_base()
        choose(base)
        trainer = sft.make_trainer(base, tokenizer, examples, config(packing=packing, max_length=64), tmp_path)
        torch.manual_seed(3)
        for name, parameter in trainer.model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        batch = trainer.data_collator(list(trainer.train_dataset))
        labels = int((batch["labels"][:, 1:] != -100).sum())
        assert labels == sum(len(example.completion_ids) for example in examples)
        trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=labels).backward()
        gradients.append({name: each.grad for name, each in trainer.model.named_parameters() if each.requires_grad})
    packed, alone = gradients
    for name in packed:
        assert alone[name].abs().max() > 1e-4
        assert torch.allclose(packed[name], alone[name], atol=1e-5 * alone[name].abs().max().item(), rtol=1e-3), name


def test_losses_are_those_of_unpacked_training_on_the_same_order(new_base, tokenizer, examples, tmp_path):
    """One document fills a row, and the examples come as packing would order them: longest first."""
    ordered = sorted(examples, key=lambda example: -example.length)
    longest = ordered[0].length
    alike = [
        Example(each.id, each.prompt_ids + (5,) * (longest - each.length), each.completion_ids) for each in ordered
    ]
    losses = []
    for packing in (True, False):
        settings = config(packing=packing, max_length=max(longest, 16), logging_steps=1)
        result = train_sft(
            new_base(), tokenizer, alike, settings, tmp_path / str(packing), base_name="tiny", progress=False
        )
        assert result.rows == len(examples)
        losses.append([entry.loss for entry in result.train_losses])
    assert len(losses[0]) == 6 and losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_what_attends_and_how_long_the_examples_are_is_said_and_recorded(
    new_base, tokenizer, examples, tmp_path, capsys
):
    def train(folder, **options):
        settings = config(num_epochs=1)
        return train_sft(new_base(), tokenizer, examples, settings, tmp_path / folder, base_name="tiny", **options)

    quiet = train("quiet", progress=False)
    assert capsys.readouterr().err == ""
    shown = train("shown", progress=True)
    said = capsys.readouterr().err
    assert "attention: segments, by torch sdpa" in said and "padding: 0.0%" in said
    assert quiet.lengths == shown.lengths
    written = json.loads((tmp_path / "shown" / "training.json").read_text())
    assert written["attention"]["implementation"] == "segments" and written["attention"]["flash"] is False
    assert sum(each["examples"] for each in written["lengths"]["histogram"]) == len(examples)
    assert written["lengths"]["padded_to_max_length"] == round(1 - quiet.tokens / (32 * len(examples)), 4)


def test_flash_attention_can_be_required(new_base, tokenizer, examples, tmp_path):
    with pytest.raises(SokratesError, match="flash attention is required and not in use"):
        train_sft(
            new_base(), tokenizer, examples, config(), tmp_path, base_name="tiny", progress=False, require_flash=True
        )
    assert not any(tmp_path.iterdir())


def test_rows_go_together_where_attention_knows_where_documents_end(new_base, examples):
    model = new_base()
    assert sft._batch(model, examples, config()) == (1, 4)
    choose(model)
    assert sft._batch(model, examples, config()) == (2, 2)


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
