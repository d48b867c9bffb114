"""Measures one row of `benchmarks.sft` in this process; see `benchmarks.processes`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from benchmarks.generation_child import installed
from benchmarks.generation_shapes import SHAPES
from benchmarks.gpu import describe_gpu, measure_rates
from benchmarks.machine import describe
from sokrates import jsonl

MACHINE = "machine"
"""The job that measures what the machine can do."""
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "triton", "flash-attn", "liger-kernel")
"""What the figures may depend on."""


@click.command()
@click.option("--shape", required=True)
@click.option("--row", required=True)
@click.option("--parts", type=Path, required=True)
@click.option("--device", required=True)
@click.option("--dtype", required=True)
@click.option("--group", type=int, required=True)
@click.option("--steps", type=int, required=True)
@click.option("--seconds", type=float, required=True)
@click.option("--distractors", type=float, required=True)
@click.option("--profile", is_flag=True)
@click.option("--commit")
def main(shape: str, row: str, parts: Path, device: str, dtype: str, commit: str | None, **options: Any) -> None:
    """Measure a row and write its figures."""
    machine = describe(*installed(*PACKAGES), commit=commit) | {"gpu": describe_gpu()}
    common: dict[str, Any] = {"shape": shape, "device": device, "dtype": dtype, "machine": machine}
    if row == MACHINE:
        rates = measure_rates(device, dtype)
        figures: dict[str, Any] = {"row": row, "operations": rates.operations, "bytes": rates.bytes}
    else:
        from benchmarks.sft_rows import WAYS, measure

        with tempfile.TemporaryDirectory() as folder:
            figures = measure(WAYS[row], SHAPES[shape], device, dtype, folder=Path(folder), **options)
    jsonl.write_json(parts / f"{row}.json", common | figures)


if __name__ == "__main__":
    main()
