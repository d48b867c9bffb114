"""Random LoRA adapters in a folder, as training would leave them."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def build(folder: Path, *, base: str = "embedded", seed: int = 0, rank: int = 12, **settings: Any) -> Path:
    """Write an adapter that changes what the base says, and return its folder; `settings` go to LoraConfig."""
    import torch
    from peft import LoraConfig, get_peft_model

    from sokrates import models

    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, init_lora_weights=False, **{"target_modules": "all-linear"} | settings
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = get_peft_model(models.load_model(base, device="cpu"), config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.mul_(0.1)  # near the base, so that its texts are still traces
    model.peft_config["default"].base_model_name_or_path = base
    model.save_pretrained(str(folder), save_embedding_layers=False)
    return folder
