"""Adapter folders: written whole or not at all, and known by what they were trained from.

Contract: a folder with `adapter_config.json` holds its weights too, and one with `training.json` is finished.
While it is being trained everything lies in its sub-folder `.training`. Only the adapter named `default` is ever
written, as safetensors. It does not know how the adapter is trained.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import torch
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from sokrates import jsonl
from sokrates.errors import SokratesError
from sokrates.traces import probes
from sokrates.traces.probes import PROBE_FILE

ADAPTER = "default"
"""The adapter that is trained and saved: under this name TRL copies it as the reference of DPO."""

STAGING = ".training"
RESULT = "training.json"
CONFIG = "adapter_config.json"
FINGERPRINT = "fingerprint"

R = TypeVar("R", bound=msgspec.Struct)


def check_trainable(model: PeftModel) -> None:
    """Errors: SokratesError unless the model carries the adapter `default`, active and trainable."""
    if ADAPTER not in model.peft_config or list(model.active_adapters) != [ADAPTER]:
        raise SokratesError(f"expected one active adapter named {ADAPTER!r}, found {sorted(model.peft_config)}")
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise SokratesError("the adapter is frozen; expected it to be loaded as trainable")


def fingerprint(model: PreTrainedModel | PeftModel, *inputs: Any) -> str:
    """What a training starts from, as a hash: `inputs` (anything that JSON can hold) and the adapter's weights.

    The base model's weights are left to its name among the inputs: hashing them would take longer than loading them.
    """
    digest = hashlib.sha256(msgspec.json.encode(inputs))
    if isinstance(model, PeftModel):
        for name, parameter in model.named_parameters():
            if f".{ADAPTER}." in name:
                digest.update(name.encode())
                digest.update(parameter.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def finished(output: Path, identity: str, kind: type[R]) -> R | None:
    """The result of the same training, where it was finished in `output` before."""
    path = output / RESULT
    if not (path.is_file() and (output / CONFIG).is_file()):
        return None
    return jsonl.read_json(path, kind) if jsonl.read_json(path).get("fingerprint") == identity else None


def prepare(output: Path, identity: str, *, resume: bool) -> Path:
    """The folder to train in, empty but for the checkpoints of the same training where `resume` is set.

    Errors: SokratesError where `output` holds the finished adapter of another training: it is not written over.
    """
    if resume and (output / RESULT).is_file() and jsonl.read_json(output / RESULT).get("fingerprint") != identity:
        raise SokratesError(f"{output}: holds the adapter of another training; give another --output or remove it")
    staging = output / STAGING
    marker = staging / FINGERPRINT
    if not (resume and marker.is_file() and marker.read_text() == identity):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        marker.write_text(identity)
    return staging


def last_checkpoint(staging: Path) -> Path | None:
    """The newest whole checkpoint: the trainer writes its state last, so one without it was cut short."""
    whole = [folder for folder in staging.glob("checkpoint-*") if (folder / "trainer_state.json").is_file()]
    return max(whole, key=step, default=None)


def step(checkpoint: Path) -> int:
    """The optimizer step after which a checkpoint was written."""
    return int(checkpoint.name.rpartition("-")[2])


def save(model: PeftModel, folder: Path, state: dict[str, torch.Tensor] | None = None) -> None:
    """Write the adapter `default` alone, with no look at the network for the base model's vocabulary."""
    model.save_pretrained(
        str(folder),
        selected_adapters=[ADAPTER],
        save_embedding_layers=False,
        **({"state_dict": state} if state else {}),
    )
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty form of a model card


def publish(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    result: msgspec.Struct,
    output: Path,
    base_name: str,
    extras: Mapping[str, bytes],
) -> None:
    """Write adapter, tokenizer, probes, extras and `result` beside the checkpoints, then move them into `output`.

    `base_name` is written as the base model's name, as the user gave it and not as the path it was loaded from.
    """
    ready = output / STAGING / "ready"
    shutil.rmtree(ready, ignore_errors=True)
    model.peft_config[ADAPTER].base_model_name_or_path = base_name
    save(model, ready)
    tokenizer.save_pretrained(str(ready))
    (ready / PROBE_FILE).write_bytes(probes.encode(probes.measure(model, tokenizer)))
    for name, content in extras.items():
        (ready / name).write_bytes(content)
    jsonl.write_json(ready / RESULT, result)
    for marker in (RESULT, CONFIG):
        (output / marker).unlink(missing_ok=True)
    for name in sorted((path.name for path in ready.iterdir()), key=_publishing_order):
        os.replace(ready / name, output / name)
    shutil.rmtree(output / STAGING)


def _publishing_order(name: str) -> int:
    """The two files that say "whole" come last."""
    order: Sequence[str] = (CONFIG, RESULT)
    return order.index(name) if name in order else -1
