"""Two processes train as one with the same global batch; one of them writes; neither waits for ever."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sokrates import ranks
from sokrates.errors import SokratesError
from sokrates.training import adapters
from tests.training import tiny_training

PROJECT = Path(__file__).parents[2]
CONFIG = PROJECT / "configs" / "accelerate" / "cpu.yaml"

DPO = {
    "batch_size": 2, "learning_rate": 1e-2, "max_length": 32, "num_epochs": 2, "logging_steps": 1, "save_steps": 2,
}  # fmt: skip
SFT = DPO | {
    "packing": False, "early_stopping_patience": 0, "lora": {"r": 4, "alpha": 8},
}  # fmt: skip


def launch(tmp_path, stage, output, settings, **options) -> subprocess.CompletedProcess[str]:
    """As a user does, with the committed configuration: two processes on this machine's CPUs."""
    task = {"stage": stage, "output": str(tmp_path / output), "settings": settings, **options}
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(CONFIG)]
    command += ["--num_cpu_threads_per_process", "1", "--main_process_port", "0"]
    return subprocess.run(
        [*command, "-m", "tests.training.tiny_training", json.dumps(task)],
        cwd=PROJECT, env=os.environ | {"PYTHONPATH": "src"}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip


def assert_alike(one: Path, other: Path) -> None:
    """The same loss curve and the same adapter, to 1e-4."""
    ours, theirs = (json.loads((folder / "training.json").read_text()) for folder in (one, other))
    for name in ("history", "train_losses", "heldout_losses"):
        curves = [[(entry["step"], entry["loss"]) for entry in result.get(name, [])] for result in (ours, theirs)]
        assert len(curves[0]) == len(curves[1])
        for (step, loss), (other_step, other_loss) in zip(*curves, strict=True):
            assert step == other_step and loss == pytest.approx(other_loss, abs=1e-4)
    ours, theirs = (load_file(folder / "adapter_model.safetensors") for folder in (one, other))
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-4) for name in ours)


@pytest.mark.parametrize("stage", ["dpo", pytest.param("sft", marks=pytest.mark.slow)])
def test_two_processes_are_one_with_the_same_global_batch(tmp_path, stage):
    """2 processes of 2 rows, and 1 of 2 rows twice before each step: 16 examples, 4 held out, 2 epochs."""
    settings = DPO if stage == "dpo" else SFT
    done = launch(
        tmp_path, stage, "two", settings | {"gradient_accumulation_steps": 1}, count=16, progress=True
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    tiny_training.train(stage, str(tmp_path / "one"), settings | {"gradient_accumulation_steps": 2}, count=16)
    assert_alike(tmp_path / "two", tmp_path / "one")
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == sorted(
        path.name for path in (tmp_path / "one").iterdir()
    )
    assert done.stdout == "" and done.stderr.count(f"{stage}: 8 steps in ") == 1  # one process tells


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "count"), [("dpo", 11), ("sft", 9)])
def test_what_does_not_divide_evenly_ends(tmp_path, stage, count):
    settings = (DPO if stage == "dpo" else SFT) | {"gradient_accumulation_steps": 2}
    done = launch(tmp_path, stage, "out", settings, count=count)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "training.json").read_text())["steps"] == 4


@pytest.mark.slow
def test_one_process_dies_and_both_go_on_later(tmp_path):
    """The other is ended by the launcher; resumed by as many processes, the result is the uninterrupted one."""
    settings = DPO | {"gradient_accumulation_steps": 1}
    assert launch(tmp_path, "dpo", "whole", settings, count=16).returncode == 0
    died = launch(tmp_path, "dpo", "died", settings, count=16, kill_after=7)
    assert died.returncode != 0 and f"exitcode  : -{signal.SIGKILL:d}" in died.stderr
    with pytest.raises(SokratesError, match=r"begun with 2 process\(es\) and cannot go on with 1"):
        tiny_training.train("dpo", str(tmp_path / "died"), settings, count=16)
    assert launch(tmp_path, "dpo", "died", settings, count=16).returncode == 0
    result = json.loads((tmp_path / "died" / "training.json").read_text())
    assert result["resumed_at_step"] == 6
    assert_alike(tmp_path / "died", tmp_path / "whole")


def test_another_number_of_processes_does_not_go_on(tmp_path, monkeypatch):
    staging = adapters.prepare(tmp_path, "identity", resume=True)
    monkeypatch.setattr(ranks, "count", lambda: 4)
    monkeypatch.setattr(adapters.processes, "meet", lambda: None)
    assert adapters.prepare(tmp_path, "identity", resume=True) == staging  # nothing was trained yet
    (staging / "checkpoint-2").mkdir()
    monkeypatch.setattr(ranks, "count", lambda: 2)
    with pytest.raises(SokratesError, match=r"begun with 4 process\(es\) and cannot go on with 2; start it with 4"):
        adapters.prepare(tmp_path, "identity", resume=True)
    adapters.prepare(tmp_path, "identity", resume=False)
    assert not (staging / "checkpoint-2").exists()


def test_checkpoint_is_whole_when_every_process_has_written(tmp_path, monkeypatch):
    for step in (2, 4):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text("{}")
    monkeypatch.setattr(ranks, "count", lambda: 2)
    for name in ("checkpoint-2/rng_state_0.pth", "checkpoint-2/rng_state_1.pth", "checkpoint-4/rng_state_0.pth"):
        (tmp_path / name).touch()
    assert adapters.last_checkpoint(tmp_path).name == "checkpoint-2"
    (tmp_path / "checkpoint-4" / "rng_state_1.pth").touch()
    assert adapters.last_checkpoint(tmp_path).name == "checkpoint-4"


def test_checkpoint_whose_last_file_ends_early_is_not_gone_on_from(tmp_path):
    for step, state in ((2, '{"global_step": 2}'), (4, '{"global_st'), (6, "")):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    assert adapters.last_checkpoint(tmp_path).name == "checkpoint-2"


def test_what_a_training_was_begun_with_is_never_half_written(tmp_path, monkeypatch):
    staging = adapters.prepare(tmp_path, "identity", resume=True)

    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        adapters.prepare(tmp_path, "identity", resume=True)
    assert {path.name: path.read_text() for path in staging.iterdir()} == {"processes": "1", "fingerprint": "identity"}
