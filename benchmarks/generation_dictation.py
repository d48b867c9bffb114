"""A sampler that dictates: a model with random weights then writes real traces.

Contract: as `engines.vllm_sampler.Sampler`, whose work it leaves as it is; samples whose stream is in the table get its
tokens forced after everything else, so that what a sampler and a guide cost is paid in full. The table is a JSON file
{stream: token ids}, named by the environment, since vLLM's engine is a process of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.generation_rows import GOLD
from sokrates.engines.vllm_sampler import Sampler


class Dictator(Sampler):
    """See the module's contract."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        table = json.loads(Path(os.environ[GOLD]).read_text())
        self._gold = {int(name): token_ids for name, token_ids in table.items()}

    def begin(self, settings: Mapping[str, Any], params: Any, output: Sequence[int]) -> Any:
        gold = self._gold.get(settings["stream"])
        return super().begin({**settings, "script": gold} if gold else settings, params, output)
