"""Traces generated a second, from the plan's plain way to vLLM with an adapter and a guide, side by side.

Rows: (a) one problem at a time, the text computed again at each step; (b) one problem at a time, the cache kept; (c)
batched across problems with transformers; (d) vLLM; (e) vLLM with a LoRA adapter; (f) vLLM with each guide, with the
adapter and without, beside the same text without a guide. All have the same problems, model, sampling and lengths.

`--shape embedded` is the shipped model and its real text. `0.6b` and `8b` are Qwen3's shapes with random weights (speed
does not depend on what the weights say): prompts by the real prompt builder of about 400 tokens, and exactly 150 tokens
a trace, or in (f) gold traces of about that length, dictated token by token.

Each group of rows that share an engine runs in a process of its own; a row's file is written to `--parts` as it ends,
and a row whose file is there is not run again. `--rows ''` only puts the files together.
"""

from __future__ import annotations

import sys
import tempfile
import time
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from benchmarks.generation_child import MACHINE
from benchmarks.generation_report import plot, summarise, table
from benchmarks.generation_rows import ROWS, choose_rows
from benchmarks.generation_shapes import SHAPES
from benchmarks.machine import PROJECT
from benchmarks.processes import Limits, run_jobs
from sokrates import jsonl

RESULTS = PROJECT / "benchmarks" / "results"


@click.command()
@click.option("--shape", type=click.Choice(list(SHAPES)), default="embedded", show_default=True)
@click.option("--rows", default="all", show_default=True, help="Names or letters, comma-separated.")
@click.option("--problems", default=0, help="Problems measured at a time.  [default: suits the row]")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--dtype", help="float32 or bfloat16.  [default: bfloat16 on CUDA, else float32]")
@click.option("--output", type=Path, default=RESULTS, help="Folder for the JSON and the plot.")
@click.option("--parts", type=Path, help="Folder for the files of the rows, to go on in.  [default: a new one]")
@click.option(
    "--work", type=Path, help="Folder for the model's shape and the problems.  [default: in the temporary folder]"
)
@click.option("--seconds", default=570.0, show_default=True, help="Time for everything.")
@click.option("--row-seconds", default=150.0, show_default=True, help="Time for one row.")
@click.option("--commit", help="The commit, where the code was copied here without its history.")
def main(
    shape: str,
    rows: str,
    problems: int,
    device: str,
    dtype: str | None,
    output: Path,
    parts: Path | None,
    work: Path | None,
    seconds: float,
    row_seconds: float,
    commit: str | None,
) -> None:
    """Measure rows, print the table, and write it as JSON and as a plot."""
    until = time.monotonic() + seconds
    place = device_here() if device == "auto" else device
    number = dtype or ("bfloat16" if place == "cuda" else "float32")
    parts = parts or Path(tempfile.mkdtemp(prefix="sokrates-parts-"))
    work = work or Path(tempfile.gettempdir()) / "sokrates-benchmarks" / shape
    parts.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    try:
        gpus = gpu_count() if place.startswith("cuda") else 0
        chosen = choose_rows(rows, SHAPES[shape].real, vllm=find_spec("vllm") is not None, gpus=gpus)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    limits = Limits(job=row_seconds)

    def command(names: list[str]) -> list[str]:
        options = ["--shape", shape, "--work", str(work), "--parts", str(parts), "--device", place, "--dtype", number]
        options += ["--problems", str(problems), *(["--commit", commit] if commit else [])]
        return [sys.executable, "-m", "benchmarks.generation_child", "--rows", ",".join(names), *options]

    if chosen:
        run_jobs([MACHINE], command, parts, limits, log=parts / "machine.log", until=until)
    for group, members in groupby(chosen, key=lambda row: row.group):
        names = [row.name for row in members]
        run_jobs(names, command, parts, limits, log=parts / f"{group}.log", until=until)
    summary = summarise(parts, list(ROWS), MACHINE)
    target = output / f"generation-{shape}-{_place(summary)}"
    jsonl.write_json(target.with_name(f"{target.name}.json"), summary)
    print(table(summary))
    print(f"written: {target}.json")
    if find_spec("matplotlib") is None:
        print("no plot: matplotlib is not installed")
    else:
        plot(summary, target.with_name(f"{target.name}.png"))


def _place(summary: dict[str, Any]) -> str:
    """cpu, gpu, or 2gpu where a row had two."""
    if not summary["device"].startswith("cuda"):
        return "cpu"
    most = max((figures.get("gpus", 1) for figures in summary["rows"]), default=1)
    return "gpu" if most == 1 else f"{most}gpu"


def gpu_count() -> int:
    """How many GPUs there are."""
    import torch

    return torch.cuda.device_count()


def device_here() -> str:
    """cuda where there is a GPU, else cpu."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    main()
