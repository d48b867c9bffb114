"""DPO on an adapter, from the plan's plain ways to ours, side by side: loading, memory, speed and losses.

Ways: TRL as it comes, after merge and unload, with a reference copy of the model, and on the adapter itself; then ours,
the reference kept and the prompts shared, each alone and together, training on (`continue`) or stacked (`stack`).

`--shape embedded` is the shipped model. `0.6b` and `8b` are Qwen3's shapes with random weights, written once to
`--work` as one safetensors file that all ways load (16 GB at 8b), found in the page cache by all. Pairs are gold traces
over the same with sloppy steps, prompts about 400 tokens and traces about 150; memory is measured at 2 pairs of 1,024
tokens. Each job runs in a process of its own and leaves a file in `--parts`; what is there is not run again.
`--jobs ''` only puts the files together.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

import click

from benchmarks.dpo_report import summarise, table
from benchmarks.generation import RESULTS, device_here
from benchmarks.generation_shapes import SHAPES
from benchmarks.processes import Limits, run_jobs
from sokrates import jsonl

MACHINE = "machine"
LOADED = ("plain-merge", "ours", "stack")
REMEMBERED = ("plain-copy", "ours", "plain-merge-same", "plain-merge", "stack", "plain-trl")
TRAINED = ("plain-ordered", "ours", "plain-trl", "plain-merge", "stack", "cache", "sharing", "plain-copy")
"""What is measured in which part, what matters most first: time may run out."""
ROOM = 40 * 2**30
PAIRS = {"embedded": 256, "tiny": 64, "0.6b": 512, "8b": 128}


@click.command()
@click.option("--shape", type=click.Choice(list(SHAPES)), default="embedded", show_default=True)
@click.option("--jobs", default="all", show_default=True, help="Jobs or parts (load, memory, train), comma-separated.")
@click.option("--pairs", default=0, help="Pairs of an epoch.  [default: suits the shape]")
@click.option("--learning-rate", default=2e-5, show_default=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--dtype", help="float32 or bfloat16.  [default: bfloat16 on CUDA, else float32]")
@click.option("--output", type=Path, default=RESULTS, help="Folder for the JSON.")
@click.option("--parts", type=Path, help="Folder for the files of the jobs, to go on in.  [default: a new one]")
@click.option("--work", type=Path, help="Folder for weights and problems.  [default: in memory, else temporary]")
@click.option("--seconds", default=570.0, show_default=True, help="Time for everything.")
@click.option("--job-seconds", default=150.0, show_default=True, help="Time for one job, beyond 60 s to start.")
@click.option("--commit", help="The commit, where the code was copied here without its history.")
def main(
    shape: str, jobs: str, pairs: int, learning_rate: float, device: str, dtype: str | None, output: Path,
    parts: Path | None, work: Path | None, seconds: float, job_seconds: float, commit: str | None,
) -> None:  # fmt: skip
    """Measure jobs, print the tables, and write them as JSON."""
    until = time.monotonic() + seconds
    place = device_here() if device == "auto" else device
    number = dtype or ("bfloat16" if place == "cuda" else "float32")
    parts = parts or Path(tempfile.mkdtemp(prefix="sokrates-parts-"))
    work = work or _roomy() / "sokrates-benchmarks" / f"dpo-{shape}"
    for folder in (parts, work):
        folder.mkdir(parents=True, exist_ok=True)
    options = {"shape": shape, "work": work, "parts": parts, "device": place, "dtype": number}
    options |= {"pairs": pairs or PAIRS[shape], "learning-rate": learning_rate}
    if commit:
        options["commit"] = commit

    def command(names: list[str]) -> list[str]:
        given = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        return [sys.executable, "-m", "benchmarks.dpo_child", "--job", names[0], *given]

    limits = Limits(start=60, job=job_seconds)
    for job in choose(jobs, place):
        run_jobs([job], command, parts, limits, log=parts / f"{job}.log", until=until)
        if job == MACHINE and "error" in (failed := jsonl.read_json(parts / f"{MACHINE}.json")):
            raise click.ClickException(failed["error"])
    summary = summarise(parts, all_jobs(place))
    target = output / f"dpo-{shape}-{'gpu' if place.startswith('cuda') else 'cpu'}.json"
    jsonl.write_json(target, summary)
    print(table(summary))
    print(f"written: {target}")


def _roomy() -> Path:
    """A folder in memory where it has room for an 8B model, which a disk is slow to take; else the temporary one."""
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > ROOM:
        return memory
    return Path(tempfile.gettempdir())


def all_jobs(device: str) -> list[str]:
    """Every job in the order in which they run."""
    places = ["cpu"] if device == "cpu" else [device, "cpu"]
    return [
        MACHINE,
        *(f"load-{way}-{place}" for place in places for way in LOADED),
        *(f"memory-{way}" for way in REMEMBERED),
        *(f"train-{way}" for way in TRAINED),
    ]


def choose(names: str, device: str) -> list[str]:
    """The jobs that are named, `machine` before any other. Errors: click.UsageError for a name of none."""
    known = all_jobs(device)
    if names == "all":
        return known
    wanted = [name for name in names.split(",") if name]
    found = [job for job in known if job in wanted or job.partition("-")[0] in wanted]
    if unknown := [name for name in wanted if not any(name in (job, job.partition("-")[0]) for job in known)]:
        raise click.UsageError(f"no job or part {', '.join(unknown)}; there are {', '.join(known)}")
    return [MACHINE, *(job for job in found if job != MACHINE)] if found else []


if __name__ == "__main__":
    main()
