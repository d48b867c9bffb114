"""A new adapter on top of a frozen one: DPO's mode `stack`.

Contract: the trained adapter is always the one named `default`, so that saving, resuming and fingerprints need not know
of the one below it. Both are active; the new one begins with B = 0, so the model says what it said before. `flatten`
makes the two one adapter of the summed rank, exactly: (B1 | B2) (s1 A1 ; s2 A2) = s1 B1 A1 + s2 B2 A2.
It does not know how the adapter is trained.
"""

from __future__ import annotations

import peft
from peft import PeftModel
from transformers import set_seed

from sokrates.config import LoraConfig
from sokrates.errors import SokratesError
from sokrates.training.adapters import ADAPTER

BELOW = "below"
"""The frozen adapter."""

_BOTH = "both"
_INEXACT = ("use_rslora", "use_dora", "lora_bias", "modules_to_save", "rank_pattern", "alpha_pattern")
"""Kinds of adapter that a concatenation of the two factors does not express."""


def stack(model: PeftModel, lora: LoraConfig, seed: int) -> None:
    """Freeze the adapter `default` as `below` and put a new, trainable `default` on top of it.

    Errors: SokratesError for an adapter of a kind that cannot be made one with another exactly.
    """
    _check(model.peft_config[ADAPTER])
    _rename(model, ADAPTER, BELOW)
    set_seed(seed)  # of the new adapter's A: the same in every process, and in a resumed training
    model.add_adapter(
        ADAPTER,
        peft.LoraConfig(
            r=lora.r,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=lora.target_modules,
            task_type="CAUSAL_LM",
        ),
    )
    # The one that learns comes first: there a checkpoint is loaded into. PEFT makes both ask for gradients.
    model.base_model.set_adapter([ADAPTER, BELOW])
    model.set_requires_grad(BELOW, False)


def flatten(model: PeftModel) -> None:
    """Make the two adapters one, named `default`, of rank r1 + r2. A model with one adapter is left as it is."""
    if BELOW in model.peft_config:
        model.base_model.add_weighted_adapter([BELOW, ADAPTER], [1.0, 1.0], _BOTH, combination_type="cat")
        model.set_adapter(_BOTH)
        model.delete_adapter(BELOW)
        model.delete_adapter(ADAPTER)
        _rename(model, _BOTH, ADAPTER)


def _rename(model: PeftModel, old: str, new: str) -> None:
    """The same parameters under another name, for which PEFT has no way: they take the places of a new adapter."""
    model.add_adapter(new, model.peft_config[old], low_cpu_mem_usage=True)
    for name, parameter in list(model.named_parameters()):
        if f".{old}." in name:
            place, _, last = name.replace(f".{old}.", f".{new}.").rpartition(".")
            setattr(model.get_submodule(place), last, parameter)
    model.set_adapter(new)
    model.delete_adapter(old)


def _check(below: peft.LoraConfig) -> None:
    found = [name for name in _INEXACT if getattr(below, name, None)]
    if isinstance(below.target_modules, str):
        found.append(f"target_modules = {below.target_modules!r}, a pattern")
    if found:
        raise SokratesError(
            f"dpo.adapter_mode = stack: the adapter has {', '.join(found)}, and cannot be made one with another "
            "exactly; use adapter_mode = continue"
        )
