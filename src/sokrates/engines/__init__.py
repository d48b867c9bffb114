"""Engines: what turns prompts into completions. `load_engine` finds one by name; the contract is in `engine`."""

from __future__ import annotations

from importlib.util import find_spec

from sokrates import models
from sokrates.config import GenerationConfig, ModelConfig
from sokrates.engines.engine import Completion, Engine, Request, Resident, Sampling
from sokrates.errors import SokratesError

ENGINES = ("transformers", "vllm", "ray")

__all__ = ["ENGINES", "Completion", "Engine", "Request", "Resident", "Sampling", "load_engine"]


def load_engine(name: str, model: ModelConfig, config: GenerationConfig, *, stays: bool = False) -> Engine:
    """The engine of this name with the model loaded into it; `auto` is vllm where it and a CUDA device are there.

    `stays`: it is to go on through other models and to sleep while others need its device, where it can (`Resident`).
    Errors: SokratesError for an engine that is not there, naming those that are; as `models.load_model` and
    `vllm.VllmEngine`.
    """
    if name not in ("auto", *ENGINES):
        raise SokratesError(f"engine {name!r}: there is no such engine; expected auto or {', '.join(ENGINES)}")
    if config.stepwise and name not in ("auto", "transformers"):
        raise SokratesError(
            f"engine {name}: it does not go step by step; expected --engine transformers with --stepwise"
        )
    if name == "vllm" or (name == "auto" and not config.stepwise and _vllm_suits(model)):
        from sokrates.engines.vllm import load_vllm

        return load_vllm(model, config, stays=stays)
    if name == "ray":
        return _load_ray(model, config)
    return _load_transformers(model, config)


def _load_ray(model: ModelConfig, config: GenerationConfig) -> Engine:
    if find_spec("ray") is None:
        raise SokratesError("Ray is not installed: pip install 'sokrates[ray]', or use another --engine")
    from sokrates.engines.ray import load_ray

    return load_ray(model, config)


def _vllm_suits(model: ModelConfig) -> bool:
    from sokrates.engines import vllm_start

    return vllm_start.installed() and model.device in ("auto", "cuda", "cuda:0") and vllm_start.on_cuda(model.device)


def _load_transformers(model: ModelConfig, config: GenerationConfig) -> Engine:
    from sokrates.engines.stepwise import StepwiseEngine
    from sokrates.engines.transformers import TransformersEngine, ready

    kind = StepwiseEngine if config.stepwise else TransformersEngine
    return kind(
        ready(models.load_model(model.model, device=model.device, dtype=model.dtype)),
        models.load_tokenizer(model.model),
        max_batch=config.max_batch or 64,
        batch_tokens=config.batch_tokens,
    )
