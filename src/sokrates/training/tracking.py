"""Training's curves as they come, in TensorBoard, Weights & Biases or trackio.

Contract: every tracker gets the same names, whatever the trainer calls them: loss, held_out_loss, accuracy, margin,
chosen_logp_per_token, rejected_logp_per_token, learning_rate, tokens_per_second. TensorBoard's files lie in `runs` of
the output folder, beside what is published and no part of it. Only the main process tracks. It sends nothing anywhere
itself; Weights & Biases does by its own settings (`WANDB_MODE=offline` keeps it here).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from sokrates import ranks
from sokrates.training.figures import Meter, Pace
from sokrates.training.trackers import check

FOLDER = "runs"
PROJECT = "sokrates"

NAMES = {
    "loss": "loss",
    "eval_loss": "held_out_loss",
    "rewards/accuracies": "accuracy",
    "rewards/margins": "margin",
    "learning_rate": "learning_rate",
}


def values(logs: Mapping[str, float]) -> dict[str, float]:
    """What is tracked of a trainer's log entry, by our names."""
    found = {ours: logs[name] for name, ours in NAMES.items() if name in logs}
    for which in ("chosen", "rejected"):
        if logs.get(f"tokens/{which}"):
            found[f"{which}_logp_per_token"] = logs[f"logps/{which}"] / logs[f"tokens/{which}"]
    return found


class Tracking(TrainerCallback):
    """Hands each log entry to the trackers, through accelerate's own."""

    def __init__(self, trackers: Sequence[str], output: Path, meter: Meter) -> None:
        check(trackers)
        self.pace = Pace(meter)
        self.trackers = [make_tracker(name, output) for name in trackers] if ranks.is_main() else []

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        for tracker in self.trackers:
            tracker.start()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float],
        **kwargs: Any,
    ) -> None:
        found = values(logs)
        if "loss" in found and self.trackers:
            found["tokens_per_second"] = self.pace.tokens_per_second()
        for tracker in self.trackers if found else ():
            tracker.log(found, step=state.global_step)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        for tracker in self.trackers:
            tracker.finish()


def make_tracker(name: str, output: Path) -> Any:
    """accelerate's tracker of a name, for curves whose run is called as the folder is; not started."""
    from accelerate.tracking import TensorBoardTracker, TrackioTracker, WandBTracker

    folder = output / FOLDER
    if name == "tensorboard":
        return TensorBoardTracker("", str(folder))
    if name == "trackio":
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
        return TrackioTracker(PROJECT, name=output.name)
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    folder.mkdir(parents=True, exist_ok=True)
    return WandBTracker(PROJECT, name=output.name, dir=str(folder))
