"""Named models, loaded and ready to be asked for traces: one, or several after one another.

Contract: `Askers` keeps one engine through several models of one base where the engine can take their adapters in turn;
otherwise each model gets an engine of its own, and the one before is ended first. It knows what an engine costs to
start, not what is asked.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType

from sokrates import models, stage
from sokrates.config import Config
from sokrates.engines import Engine, Resident, load_engine
from sokrates.generation import Asker
from sokrates.traces.prompt import PromptStyle


def load_asker(name: str, config: Config) -> Asker:
    """Load model, tokenizer and prompt style of `name` (see `models.resolve`) into the configured engine."""
    engine = _load(name, config)
    return _asker(name, config, lambda: engine)


class Askers:
    """Models ready to be asked, one at a time. Their engine is started when it is first needed.

    `rank`: the largest rank of the adapters that will come, for which an engine that stays keeps room.
    """

    def __init__(self, config: Config, *, rank: int) -> None:
        room = max(rank, config.trace_generation.max_lora_rank)
        generation = config.trace_generation.model_copy(update={"max_lora_rank": room})
        self._config = config.model_copy(update={"trace_generation": generation})
        self._engine: Engine | None = None
        self._name = self._base = ""
        self.started = 0
        """Engines started so far."""

    def __enter__(self) -> Askers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def get(self, name: str) -> Asker:
        """A model, ready to be asked. Errors: as `models.resolve`; when it is first asked, as `engines.load_engine`."""
        return _asker(name, self._config, partial(self._start, name))

    def _start(self, name: str) -> Engine:
        paths = models.resolve(name)
        free_memory()
        if isinstance(self._engine, Resident) and self._base == paths.base_name:
            self._engine.wake()
            if name != self._name:
                self._engine.load_adapter(paths.adapter)
        elif self._engine is None or name != self._name:
            self.close()
            self._engine = _load(name, self._config, stays=True)
            self.started += 1
        self._name, self._base = name, paths.base_name
        return self._engine

    def rest(self) -> None:
        """Give the device's memory to something else until the next model is asked."""
        if isinstance(self._engine, Resident):
            self._engine.sleep()
        else:
            self.close()

    def close(self) -> None:
        """End the engine, if there is one."""
        if isinstance(self._engine, Resident):
            self._engine.close()
        self._engine = None


def free_memory() -> None:
    """Give back to the device what models that are no longer used have left to PyTorch."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():  # to ask for a device may initialise it: no fork could use it
        torch.cuda.empty_cache()


def _load(name: str, config: Config, *, stays: bool = False) -> Engine:
    model = config.language_model.model_copy(update={"model": name})
    return load_engine(config.trace_generation.engine, model, config.trace_generation, stays=stays)


def _asker(name: str, config: Config, start: Callable[[], Engine]) -> Asker:
    paths = models.resolve(name)
    return Asker(
        start=start,
        tokenizer=models.load_tokenizer(name),
        style=models.style(paths, PromptStyle(**config.prompt.model_dump())),
        model=paths.base_name,
        adapter=name if paths.adapter else None,
        weights=_weights(Path(paths.adapter or paths.base)),
    )


def _weights(folder: Path) -> str:
    """A hash of the safetensors in a folder; "" for a hub name, which is trusted to mean the same model."""
    return " ".join(stage.file_hash(path) for path in sorted(folder.glob("*.safetensors")))
