"""Adapter folders: written whole or not at all, and known by what they were trained from.

Contract: a folder with `adapter_config.json` holds its weights too, and one with `training.json` is finished.
While it is being trained everything lies in its sub-folder `.training`. Only the adapter named `default` is ever
written, as safetensors. It does not know how the adapter is trained.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from sokrates import jsonl, ranks
from sokrates.errors import SokratesError
from sokrates.traces import probes
from sokrates.traces.probes import PROBE_FILE
from sokrates.training import processes

ADAPTER = "default"
"""The adapter that is trained and saved."""

STAGING = ".training"
RESULT = "training.json"
CONFIG = "adapter_config.json"
FINGERPRINT = "fingerprint"
PROCESSES = "processes"

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
    return jsonl.read_json(path, kind) if jsonl.read_json(path, dict).get("fingerprint") == identity else None


def prepare(output: Path, identity: str, *, resume: bool) -> Path:
    """The folder to train in, empty but for the checkpoints of the same training where `resume` is set.

    Every process calls it; the main one clears the folder. Errors: SokratesError where `output` holds the finished
    adapter of another training, which is not written over, and where the checkpoints are those of another number of
    processes: their batches and random streams would not be the same.
    """
    if resume and (output / RESULT).is_file() and jsonl.read_json(output / RESULT, dict).get("fingerprint") != identity:
        raise SokratesError(f"{output}: holds the adapter of another training; give another --output or remove it")
    staging = output / STAGING
    marker = staging / FINGERPRINT
    goes_on = resume and marker.is_file() and marker.read_text() == identity
    begun_with = int((staging / PROCESSES).read_text()) if goes_on and (staging / PROCESSES).is_file() else 1
    if goes_on and begun_with != ranks.count() and any(staging.glob("checkpoint-*")):
        raise SokratesError(
            f"{staging}: this training was begun with {begun_with} process(es) and cannot go on with {ranks.count()}; "
            f"start it with {begun_with} again, or remove {staging} to begin anew"
        )
    processes.meet()  # all have read before one clears
    if ranks.is_main():
        if not goes_on:
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(parents=True)
        for path, text in ((staging / PROCESSES, str(ranks.count())), (marker, identity)):
            with jsonl.atomic(path) as file:
                file.write(text.encode())
    processes.meet()
    return staging


def last_checkpoint(staging: Path) -> Path | None:
    """The newest whole checkpoint. One was cut short where the main process's last file, the trainer's state, is not
    there or ends early, or the random state that each of several processes writes when it gets to it is not there."""
    random = [f"rng_state_{rank}.pth" for rank in range(ranks.count())] if ranks.count() > 1 else []
    written = [path for path in staging.glob("checkpoint-*") if all((path / name).is_file() for name in random)]
    return max(filter(_has_state, written), key=step, default=None)


def _has_state(checkpoint: Path) -> bool:
    """Whether the trainer's state is there, to its end."""
    try:
        msgspec.json.decode((checkpoint / "trainer_state.json").read_bytes())
    except (FileNotFoundError, *jsonl.UNDECODABLE):
        return False
    return True


def step(checkpoint: Path) -> int:
    """The optimizer step after which a checkpoint was written."""
    return int(checkpoint.name.rpartition("-")[2])


def save(model: PeftModel, folder: Path, state: dict[str, torch.Tensor]) -> None:
    """Write the adapter `default` alone, with no look at the network for the base model's vocabulary.

    `state` is its weights by the names of the model's parameters.
    """
    model.save_pretrained(
        str(folder),
        selected_adapters=[ADAPTER],
        save_embedding_layers=False,
        state_dict=state,
    )
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty form of a model card


def read(folder: Path) -> dict[str, torch.Tensor]:
    """The weights that `save` wrote, by the names of a model's parameters."""
    stored = load_file(folder / "adapter_model.safetensors")
    return {re.sub(r"(lora_[A-Za-z_]+)", rf"\1.{ADAPTER}", name): tensor for name, tensor in stored.items()}


def publish(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    result: msgspec.Struct,
    output: Path,
    base_name: str,
    extras: Mapping[str, bytes],
    state: dict[str, torch.Tensor],
) -> None:
    """Write adapter, tokenizer, probes, extras and `result` beside the checkpoints, then move them into `output`.

    `base_name` is written as the base model's name, as the user gave it and not as the path it was loaded from. `state`
    is the adapter's weights, whole: each process may hold only a part of the model. Every process calls it, for such a
    model computes in all of them at once; the main one writes.
    """
    measured = probes.measure(model, tokenizer)
    processes.meet()  # another may still be writing its part of the last checkpoint
    if ranks.is_main():
        model.peft_config[ADAPTER].base_model_name_or_path = base_name
        ready = output / STAGING / "ready"
        shutil.rmtree(ready, ignore_errors=True)
        save(model, ready, state)
        tokenizer.save_pretrained(str(ready))
        (ready / PROBE_FILE).write_bytes(probes.encode(measured))
        _put_in_place(ready, result, output, extras)
    processes.meet()


def _put_in_place(ready: Path, result: msgspec.Struct, output: Path, extras: Mapping[str, bytes]) -> None:
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
