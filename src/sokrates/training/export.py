"""An adapter merged into its base: one plain model folder, for programs that take no adapters.

Contract: the folder is what `models.load_model` loads: weights in safetensors, tokenizer and `prompt.json` with them.
It appears only after the model was loaded from it again and found the probes as likely as the adapter on its base does,
both in the number format that was asked for. It does not know how the adapter was trained.
"""

from __future__ import annotations

import os
import shutil
from itertools import chain
from pathlib import Path

import msgspec
from peft import PeftModel

from sokrates import models
from sokrates.config import Config
from sokrates.disk import Writing
from sokrates.errors import SokratesError
from sokrates.traces import probes
from sokrates.traces.probes import PROBE_FILE, Probes
from sokrates.traces.prompt import PromptStyle

TOLERANCE = {"float32": 1e-4, "bfloat16": 0.25}
"""Nats that the log-probability of one token may differ: in bfloat16 the merged weights are rounded once more."""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an export: the format of the weights, and how far apart the two models are on the probes."""

    dtype: str
    largest_difference: float
    """Nats, of one token's log-probability."""
    tolerance: float
    tokens: int
    """How many were compared."""


def merge(name: str, config: Config, output: Path) -> Exported:
    """Write the merged model of the adapter folder `name` into the new folder `output`.

    Errors: SokratesError for a name that is no adapter, a folder that holds something already, and a merged model that
    says something else than the adapter on its base.
    """
    paths = models.resolve(name)
    if paths.adapter is None:
        raise SokratesError(f"{name}: a model without an adapter; expected an adapter folder to merge into its base")
    if output.exists() and any(output.iterdir()):
        raise SokratesError(f"{output}: holds something already; give another --output or empty it")
    ready = output.with_name(f"{output.name}.partial")
    shutil.rmtree(ready, ignore_errors=True)
    before = _write(name, config, ready)
    models.style(paths, PromptStyle(**config.prompt.model_dump())).save(ready)
    after = probes.measure(_load(str(ready), config), models.load_tokenizer(name))
    result = _compared(before, after)
    if not result.largest_difference <= result.tolerance:
        shutil.rmtree(ready)
        raise SokratesError(
            f"{name}: merged in {result.dtype}, a token of the probes is {result.largest_difference:.2g} nats more or "
            f"less likely than before; expected at most {result.tolerance:g}. Keep the adapter, or merge in float32"
        )
    (ready / PROBE_FILE).write_bytes(probes.encode(after))
    if output.exists():
        output.rmdir()
    os.replace(ready, output)
    return result


def _write(name: str, config: Config, folder: Path) -> Probes:
    """Save model and tokenizer; the probes as the adapter on its base finds them. The model is let go at the end."""
    tokenizer = models.load_tokenizer(name)
    model = _load(name, config)
    before = probes.measure(model, tokenizer)
    assert isinstance(model, PeftModel)
    with Writing(folder):
        model.merge_and_unload(safe_merge=True).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return before


def _load(name: str, config: Config) -> object:
    return models.load_model(name, device=config.hardware.device, dtype=config.hardware.dtype)


def _compared(before: Probes, after: Probes) -> Exported:
    old, new = (list(chain.from_iterable(probe.log_probs for probe in found.probes)) for found in (before, after))
    return Exported(
        dtype=after.dtype,
        largest_difference=max(abs(first - second) for first, second in zip(old, new, strict=True)),
        tolerance=TOLERANCE[after.dtype],
        tokens=len(new),
    )
