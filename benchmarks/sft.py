"""Fine-tuning, the plain ways of laying examples into batches beside packing with attention by segments.

    python -m benchmarks.sft --shape embedded|tiny|0.6b|8b

Every row trains the same LoRA adapter (rank 64, all linear layers) on the same examples in the same steps, so that the
losses can be compared step by step, in a process of its own. `embedded` is the shipped model; the others are Qwen3's
shapes with random weights. Examples are gold traces of the problem generator behind prompts without the worked example.
A row's file is written to `--parts` as it ends, and a row whose file is there is not run again.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import click

from benchmarks.generation import RESULTS, device_here
from benchmarks.generation_shapes import SHAPES
from benchmarks.processes import Limits, run_jobs
from benchmarks.sft_child import MACHINE
from benchmarks.sft_report import summarise, table
from sokrates import jsonl


@click.command()
@click.option("--shape", type=click.Choice(list(SHAPES)), default="embedded", show_default=True)
@click.option("--rows", default="all", show_default=True, help="Names, comma-separated.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--dtype", help="float32 or bfloat16.  [default: bfloat16 on CUDA, else float32]")
@click.option("--group", default=0, help="Examples of an optimizer step.  [default: 128, at 8B 64, on a CPU 16]")
@click.option("--steps", default=8, show_default=True, help="Most steps that are counted, of each row.")
@click.option("--distractors", default=1.0, show_default=True, help="The generator's: 1 gives prompts of 360 tokens.")
@click.option("--profile", is_flag=True, help="Also the operations of one step of our row that took longest.")
@click.option("--output", type=Path, default=RESULTS, help="Folder for the JSON.")
@click.option("--parts", type=Path, help="Folder for the files of the rows, to go on in.  [default: a new one]")
@click.option("--seconds", default=570.0, show_default=True, help="Time for everything.")
@click.option("--row-seconds", default=40.0, show_default=True, help="Time for the steps of one row.")
@click.option("--commit", help="The commit, where the code was copied here without its history.")
def main(
    shape: str,
    rows: str,
    device: str,
    dtype: str | None,
    group: int,
    steps: int,
    distractors: float,
    profile: bool,
    output: Path,
    parts: Path | None,
    seconds: float,
    row_seconds: float,
    commit: str | None,
) -> None:
    """Measure rows, print the table, and write it as JSON."""
    from benchmarks.sft_rows import WAYS, missing

    until = time.monotonic() + seconds
    place = device_here() if device == "auto" else device
    number = dtype or ("bfloat16" if place.startswith("cuda") else "float32")
    if not group:
        group = (64 if shape == "8b" else 128) if place.startswith("cuda") else 16
    parts = parts or Path(tempfile.mkdtemp(prefix="sokrates-parts-"))
    parts.mkdir(parents=True, exist_ok=True)
    output.mkdir(parents=True, exist_ok=True)
    names = list(WAYS) if rows == "all" else rows.split(",")
    if unknown := [name for name in names if name not in WAYS]:
        raise click.UsageError(f"no row {unknown[0]!r}; there are {', '.join(WAYS)}")
    skipped = {name: why for name in names if (why := missing(WAYS[name], place))}
    limits = Limits(start=120, job=4 * row_seconds + 60)

    def command(jobs: list[str]) -> list[str]:
        options = ["--shape", shape, "--parts", str(parts), "--device", place, "--dtype", number]
        options += ["--group", str(group), "--steps", str(steps), "--seconds", str(row_seconds)]
        options += ["--distractors", str(distractors), *(["--commit", commit] if commit else [])]
        options += ["--profile"] if profile and jobs[0] == "packed" else []
        return [sys.executable, "-m", "benchmarks.sft_child", "--row", jobs[0], *options]

    for name in [MACHINE, *(name for name in names if name not in skipped)]:
        run_jobs([name], command, parts, limits, log=parts / f"{name}.log", until=until)
    summary = summarise(parts, list(WAYS), MACHINE, skipped)
    target = output / f"sft-{shape}-{'gpu' if place.startswith('cuda') else 'cpu'}.json"
    jsonl.write_json(target, summary)
    print(table(summary))
    print(f"written: {target}")


if __name__ == "__main__":
    main()
