"""Trackers get our names; their files are no part of what is published."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sokrates.cli import main
from sokrates.config import DPOConfig, SFTConfig
from sokrates.errors import SokratesError
from sokrates.training import adapters, trackers, tracking
from sokrates.training.dpo import train_dpo
from sokrates.training.sft import train_sft
from tests.training import tiny_training


def curves(folder):
    events = EventAccumulator(str(folder / tracking.FOLDER)).Reload()
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_tensorboard_of_sft(new_base, tokenizer, examples, tmp_path):
    config = SFTConfig(
        batch_size=2, gradient_accumulation_steps=1, max_length=32, packing=False, num_epochs=1, logging_steps=2
    )
    result = train_sft(
        new_base(), tokenizer, examples[:8], config, tmp_path, base_name="tiny", heldout=examples[8:], progress=False,
        trackers=["tensorboard"],
    )  # fmt: skip
    found = curves(tmp_path)
    assert found.keys() == {"loss", "held_out_loss", "learning_rate", "tokens_per_second"}
    assert found["loss"] == [(entry.step, pytest.approx(entry.loss)) for entry in result.train_losses]
    assert [step for step, _ in found["held_out_loss"]] == [4]
    assert all(rate > 0 for _, rate in found["tokens_per_second"])
    assert not (tmp_path / adapters.STAGING).exists()


def test_tensorboard_of_dpo(tokenizer, pairs, tmp_path):
    config = DPOConfig(batch_size=4, gradient_accumulation_steps=1, max_length=32, logging_steps=1)
    result = train_dpo(
        tiny_training.adapter(), tokenizer, pairs, config, tmp_path, base_name="tiny", progress=False,
        trackers=["tensorboard"],
    )  # fmt: skip
    found = curves(tmp_path)
    for name in ("loss", "accuracy", "margin", "chosen_logp_per_token", "rejected_logp_per_token"):
        assert found[name] == [(entry.step, pytest.approx(getattr(entry, name), abs=1e-5)) for entry in result.history]


def test_nothing_is_tracked_unless_asked(new_base, tokenizer, examples, tmp_path):
    config = SFTConfig(batch_size=4, max_length=32, num_epochs=1)
    train_sft(new_base(), tokenizer, examples, config, tmp_path, base_name="tiny", progress=False)
    assert not (tmp_path / tracking.FOLDER).exists()


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(trackers, "find_spec", lambda name: None if name == "wandb" else object())
    trackers.check(["tensorboard"])
    with pytest.raises(SokratesError, match=r"wandb: the package is not installed: pip install .*sokrates\[tracking\]"):
        trackers.check(["tensorboard", "wandb"])


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        ([], "trackers:\n  - tensorboard\n"),
        (["--track", "wandb", "--track", "trackio"], "trackers:\n  - wandb\n  - trackio\n"),
        (["--track", "none"], "trackers: []\n"),
    ],
)
@pytest.mark.parametrize("command", [["sft", "--data", "x"], ["dpo"]])
def test_flags(command, flags, shown):
    result = CliRunner().invoke(main, [*command, "--output", "y", *flags, "--dry-run"])
    assert result.exit_code == 0 and shown in result.output
