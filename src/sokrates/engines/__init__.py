"""Engines: what turns prompts into completions. `load_engine` finds one by name; the contract is in `engine`."""

from __future__ import annotations

from sokrates import models
from sokrates.config import GenerationConfig, ModelConfig
from sokrates.engines.engine import Completion, Engine, Request, Sampling
from sokrates.errors import SokratesError

ENGINES = ("transformers",)

__all__ = ["ENGINES", "Completion", "Engine", "Request", "Sampling", "load_engine"]


def load_engine(name: str, model: ModelConfig, config: GenerationConfig) -> Engine:
    """The engine of this name with the model loaded into it; `auto` takes the best that is installed.

    Errors: SokratesError for an engine that is not there, naming those that are; as `models.load_model`.
    """
    if name not in ("auto", *ENGINES):
        raise SokratesError(f"engine {name!r}: there is no such engine; expected auto or {', '.join(ENGINES)}")
    from sokrates.engines.transformers import TransformersEngine, ready

    return TransformersEngine(
        ready(models.load_model(model.model, device=model.device, dtype=model.dtype)),
        models.load_tokenizer(model.model),
        max_batch=config.max_batch or 64,
        batch_tokens=config.batch_tokens,
    )
