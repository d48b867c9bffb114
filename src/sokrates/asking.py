"""A named model, loaded and ready to be asked for traces."""

from __future__ import annotations

from pathlib import Path

from sokrates import models, stage
from sokrates.config import Config
from sokrates.engines import load_engine
from sokrates.generation import Asker
from sokrates.traces.prompt import PromptStyle


def load_asker(name: str, config: Config) -> Asker:
    """Load model, tokenizer and prompt style of `name` (see `models.resolve`) into the configured engine."""
    paths = models.resolve(name)
    model = config.language_model.model_copy(update={"model": name})
    return Asker(
        engine=load_engine(config.trace_generation.engine, model, config.trace_generation),
        tokenizer=models.load_tokenizer(name),
        style=models.style(paths, PromptStyle(**config.prompt.model_dump())),
        model=paths.base_name,
        adapter=name if paths.adapter else None,
        weights=_weights(Path(paths.adapter or paths.base)),
    )


def _weights(folder: Path) -> str:
    """A hash of the safetensors in a folder; "" for a hub name, which is trusted to mean the same model."""
    return " ".join(stage.file_hash(path) for path in sorted(folder.glob("*.safetensors")))
