"""A training killed in the middle of an epoch goes on from its last checkpoint and ends as if it had not been."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerCallback

from sokrates.training import dpo, sft
from tests.training import tiny_training

PROJECT = Path(__file__).parents[2]

SFT = {
    "batch_size": 2, "gradient_accumulation_steps": 1, "learning_rate": 2e-2, "max_length": 32, "packing": False,
    "num_epochs": 2, "logging_steps": 3, "save_steps": 2, "early_stopping_patience": 0,
    "lora": {"r": 4, "alpha": 8, "dropout": 0.1},
}  # fmt: skip
DPO = {
    "batch_size": 2, "gradient_accumulation_steps": 1, "learning_rate": 1e-2, "max_length": 32, "num_epochs": 2,
    "logging_steps": 3, "save_steps": 2,
}  # fmt: skip


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


def same(one: Path, other: Path) -> bool:
    ours, theirs = weights(one), weights(other)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


class Killed(Exception):
    pass


class RaiseAfter(TrainerCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise Killed


def train(monkeypatch, stage, output, settings, end_after=0):
    """In this process, which an exception ends after a step."""
    with monkeypatch.context() as patch:
        for module in (sft, dpo):
            make = module.make_trainer

            def make_trainer(*args, make=make, **options):
                trainer = make(*args, **options)
                trainer.add_callback(RaiseAfter(end_after))
                return trainer

            patch.setattr(module, "make_trainer", make_trainer)
        return tiny_training.train(stage, str(output), settings)


@pytest.mark.parametrize(("stage", "settings"), [("sft", SFT), ("dpo", DPO)])
def test_goes_on_in_the_middle_of_an_epoch(monkeypatch, tmp_path, stage, settings):
    """With 6 steps an epoch, ended after step 11: in the second epoch, one step after a checkpoint."""
    whole = train(monkeypatch, stage, tmp_path / "whole", settings)
    with pytest.raises(Killed):
        train(monkeypatch, stage, tmp_path / "ended", settings, end_after=11)
    resumed = train(monkeypatch, stage, tmp_path / "ended", settings)
    assert resumed.resumed_at_step == 10 and whole.steps == resumed.steps == 12
    history = "train_losses" if stage == "sft" else "history"
    assert getattr(resumed, history) == getattr(whole, history)
    assert same(tmp_path / "ended", tmp_path / "whole")


def test_checkpoints_between_measurements_leave_the_best_in_place(monkeypatch, tmp_path):
    """The best measurement is not the last; twice as many checkpoints come after it as are kept."""
    measure = sft.SFTTrainer.evaluation_loop

    def best_after_three(self, *args, **options):
        output = measure(self, *args, **options)
        output.metrics["eval_loss"] += {1: 30, 2: 20, 3: 0, 4: 10}[round(self.state.epoch)]
        return output

    monkeypatch.setattr(sft.SFTTrainer, "evaluation_loop", best_after_three)
    settings = SFT | {"num_epochs": 4, "save_steps": 1}
    train(monkeypatch, "sft", tmp_path / "whole", settings)
    with pytest.raises(Killed):
        train(monkeypatch, "sft", tmp_path / "ended", settings, end_after=23)
    left = {path.name for path in (tmp_path / "ended" / ".training").glob("checkpoint-*")}
    resumed = train(monkeypatch, "sft", tmp_path / "ended", settings)
    best = min(resumed.heldout_losses, key=lambda entry: entry.loss)
    assert best.step == 18 and left == {f"checkpoint-{best.step}", "checkpoint-22"}
    assert resumed.best_epoch == best.epoch and same(tmp_path / "ended", tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "settings"), [("sft", SFT), ("dpo", DPO)])
def test_killed_process(tmp_path, stage, settings):
    def run(output: str, kill_after: int = 0) -> int:
        task = {"stage": stage, "output": str(tmp_path / output), "settings": settings, "kill_after": kill_after}
        command = [sys.executable, "-m", "tests.training.tiny_training", json.dumps(task)]
        return subprocess.run(command, cwd=PROJECT, env={"PYTHONPATH": "src", "PATH": ""}, timeout=100).returncode

    assert run("whole") == 0
    assert run("killed", kill_after=5) == -signal.SIGKILL
    assert {path.name for path in (tmp_path / "killed").iterdir()} == {".training"}
    assert run("killed") == 0
    assert json.loads((tmp_path / "killed" / "training.json").read_text())["resumed_at_step"] == 4
    assert same(tmp_path / "killed", tmp_path / "whole")
