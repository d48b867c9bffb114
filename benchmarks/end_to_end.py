"""The generation stage from nothing to verified traces on disk, and where its time goes.

The embedded model, problems of our generator, two samples of each: the stage itself, with its engine, its verification
beside it and its files. Seconds are of the whole process: import (Python and what the command needs), load (the model
into the engine, and the engine's start), generate (waiting for the engine included), verify (what verification takes
from the process that feeds the engine) and write.
"""

from __future__ import annotations

import time

BEGAN = time.perf_counter()

import shutil  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402

import click  # noqa: E402

from benchmarks.generation_child import PACKAGES, installed  # noqa: E402
from benchmarks.gpu import describe_gpu, meter  # noqa: E402
from benchmarks.machine import PROJECT, describe  # noqa: E402
from sokrates import jsonl  # noqa: E402
from sokrates.asking import load_asker  # noqa: E402
from sokrates.clock import Clock  # noqa: E402
from sokrates.config import Config, GenerationConfig, HardwareConfig  # noqa: E402
from sokrates.generation import generate_traces  # noqa: E402
from sokrates.problems.generator import GeneratorSettings, generate  # noqa: E402


@click.command()
@click.option("--problems", default=1500, show_default=True)
@click.option("--samples", default=2, show_default=True)
@click.option("--engine", type=click.Choice(["auto", "transformers", "vllm"]), default="auto", show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--guide", type=click.Choice(["none", "grammar", "solver", "random"]), default="none", show_default=True)
@click.option("--temperature", default=0.7, show_default=True)
@click.option("--folder", type=Path, help="Where the traces go.  [default: a temporary folder, emptied before]")
@click.option("--output", type=Path, help="JSON file.  [default: one in benchmarks/results]")
@click.option("--commit", help="The commit, where the code was copied here without its history.")
def main(
    problems: int,
    samples: int,
    engine: str,
    device: str,
    guide: str,
    temperature: float,
    folder: Path | None,
    output: Path | None,
    commit: str | None,
) -> None:
    """Run the stage once, print where the time went and write it as JSON."""
    clock = Clock()
    clock.add("import", time.perf_counter() - BEGAN)
    folder = folder or Path(tempfile.gettempdir()) / "sokrates-benchmarks" / "end-to-end"
    shutil.rmtree(folder, ignore_errors=True)
    generation = GenerationConfig.model_validate(
        {"samples_per_problem": samples, "engine": engine, "guide": guide, "temperature": temperature}
    )
    config = Config(trace_generation=generation, hardware=HardwareConfig(device=device))
    with clock.part("problems"):
        asked = list(generate(problems, GeneratorSettings(), seed=7, prefix="end-to-end"))
    with clock.part("load"):
        asker = load_asker(config.model, config)
    loading = {f"load: {part}": seconds for part, seconds in getattr(asker.engine, "seconds", {}).items()}
    with meter() as measured:
        summary = generate_traces(asked, asker, generation, folder, config, clock=clock)
    seconds = {name: round(value, 2) for name, value in clock.seconds.items()}
    total = time.perf_counter() - BEGAN
    result = {
        "what": "the generation stage, from nothing to verified traces on disk",
        "problems": problems,
        "samples_per_problem": samples,
        "engine": type(asker.engine).__name__,
        "device": device,
        "guide": guide,
        "temperature": temperature,
        "seconds": {**seconds, "total": round(total, 2)},
        "load_seconds": loading,
        "traces_per_second": round(summary["total_traces"] / total, 2),
        "traces_per_second_after_load": summary["traces_per_second"],
        "tokens_per_second_after_load": summary["tokens_per_second"],
        "verification_share": summary["verification_share"],
        "prefix_cache_hit_rate": getattr(asker.engine, "cache_hit_rate", None),
        "gpu_utilisation": measured.utilisation,
        "peak_memory_gib": measured.peak_memory,
        "summary": {key: value for key, value in summary.items() if isinstance(value, int | float)},
        "machine": describe(*installed(*PACKAGES), commit=commit) | {"gpu": describe_gpu()},
    }
    where = "gpu" if result["machine"]["gpu"] else "cpu"
    target = output or PROJECT / "benchmarks" / "results" / f"end-to-end-{where}.json"
    jsonl.write_json(target, result)
    for name, value in result["seconds"].items():
        print(f"{name:12}{value:>10.2f} s{value / total:>9.1%}")
    print(f"{summary['total_traces']} traces, {result['traces_per_second']:.1f} a second in all; {target}")


if __name__ == "__main__":
    main()
