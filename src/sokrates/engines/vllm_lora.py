"""Adapters as vLLM takes them: which it can serve, and the room that it keeps for them.

Contract: reads an adapter's own `adapter_config.json`. What vLLM would ignore without a word is an error here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sokrates import jsonl
from sokrates.errors import SokratesError
from sokrates.models import ModelPaths

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The room for an adapter that vLLM can be started with (`vllm.config.lora.MaxLoRARanks`)."""

_CANNOT = {
    "use_dora": "DoRA",
    "lora_bias": "LoRA with biases",
    "modules_to_save": "layers trained in full (modules_to_save)",
    "rank_pattern": "ranks that differ by layer (rank_pattern)",
    "alpha_pattern": "scales that differ by layer (alpha_pattern)",
    "layer_replication": "replicated layers (layer_replication)",
    "alora_invocation_tokens": "activated LoRA (alora_invocation_tokens)",
    "trainable_token_indices": "trained embeddings (trainable_token_indices)",
    "target_parameters": "LoRA on parameters (target_parameters)",
    "use_qalora": "QALoRA",
    "use_bdlora": "block-diagonal LoRA (use_bdlora)",
}
_CHANGES_BASE = ("pissa", "olora", "corda", "loftq")
"""Beginnings of an adapter (`init_lora_weights`) that change the base's weights when the adapter is loaded."""


def room(rank: int) -> int:
    """The least rank that vLLM can be started with and that holds this one. Errors: SokratesError above the largest."""
    for size in RANKS:
        if rank <= size:
            return size
    raise SokratesError(f"adapter rank {rank}: vLLM has room for at most {RANKS[-1]}; train an adapter of a lower rank")


def adapter_rank(folder: str) -> int:
    """The rank of the adapter in a folder. Errors: SokratesError for one that vLLM cannot serve, saying why."""
    path = Path(folder) / "adapter_config.json"
    settings: dict[str, Any] = jsonl.read_json(path, dict)
    found = [name for key, name in _CANNOT.items() if settings.get(key)]
    if settings.get("bias", "none") != "none":
        found.append("LoRA with biases")
    start = settings.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(_CHANGES_BASE):
        found.append(f"an adapter begun with {start}, which changes its base")
    if found:
        raise SokratesError(
            f"{path}: vLLM cannot serve {', '.join(found)}; use --engine transformers, "
            "or merge the adapter into its base"
        )
    rank = settings.get("r")
    if not isinstance(rank, int) or rank < 1:
        raise SokratesError(f"{path}: r = {rank!r}; expected the adapter's rank, a whole number from 1")
    return rank


def engine_room(paths: ModelPaths, max_lora_rank: int) -> int:
    """The rank of the room that an engine is started with: as asked for, else as its adapter needs; 0 for none.

    Errors: SokratesError for an adapter that vLLM cannot serve or that does not fit what was asked for.
    """
    largest = room(max_lora_rank) if max_lora_rank else 0
    if paths.adapter is None:
        return largest
    largest = largest or room(adapter_rank(paths.adapter))
    check_adapter(paths, paths.base_name, largest)
    return largest


def check_dtype(dtype: str, cuda: bool, largest: int) -> None:
    """Errors: SokratesError for a number format in which vLLM has no kernels for adapters; `largest` as `options`."""
    if cuda and largest and dtype == "float32":
        raise SokratesError(
            "float32: on a GPU vLLM applies adapters in bfloat16 or float16 alone; "
            "give hardware.dtype=bfloat16, or use --engine transformers"
        )


def options(largest: int) -> dict[str, Any]:
    """What `vllm.LLM` is told of adapters: room for one of this rank, or none for 0."""
    return {"enable_lora": True, "max_lora_rank": largest, "max_loras": 1} if largest else {}


def check_adapter(paths: ModelPaths, base_name: str, largest: int) -> None:
    """Errors: SokratesError for an adapter of another base, or one beyond the engine's room of rank `largest`."""
    if paths.adapter is None:
        raise SokratesError(f"{paths.base}: a model; expected a folder with an adapter of {base_name}")
    if paths.base_name != base_name:
        raise SokratesError(f"{paths.adapter}: an adapter of {paths.base_name}; the engine runs {base_name}")
    rank = adapter_rank(paths.adapter)
    if not largest:
        raise SokratesError(
            f"{paths.adapter}: the engine was started without room for an adapter; "
            f"start it with the adapter or with max_lora_rank={room(rank)}"
        )
    if rank > largest:
        raise SokratesError(
            f"{paths.adapter}: its rank is {rank}; the engine has room for {largest}: start it with "
            f"max_lora_rank={room(rank)}"
        )
