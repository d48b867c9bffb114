"""What the results say of throughput, in the package's own file, by which `sokrates loop --dry-run` estimates.

    python -m benchmarks.throughput

Run it after a benchmark has written new results; a test looks whether the file still agrees with them. Of generation it
takes our fastest way of each engine with an adapter where that was measured, since the loop samples from adapters; of
training the ways that the configuration can ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.generation_shapes import SHAPES
from benchmarks.machine import PROJECT
from sokrates import jsonl
from sokrates.models import EMBEDDED, parameters
from sokrates.throughput import FILE, Figure

RESULTS = PROJECT / "benchmarks" / "results"
TARGET = PROJECT / "src" / "sokrates" / FILE

_ENGINES = {"vllm": ("vllm-lora", "vllm"), "transformers": ("batch-64",)}
"""Rows of each engine's rate, the first that is there; batches as large as the engine's default."""
_SFT = {"packed": ("packed-joined", "packed"), "padded": ("like-lengths", "longest")}
_DPO = {"continue": "train-ours", "stack": "train-stack"}
_UNCOUNTED = ("prepare", "first_batch")
"""Of a start: what only the benchmark does."""


def gather(results: Path = RESULTS) -> list[Figure]:
    """The figures of all results, in the order of their files."""
    found: list[Figure] = []
    readers = {"generation": _generation, "end-to-end": _end_to_end, "sft": _sft, "dpo": _dpo}
    for kind, reader in readers.items():
        for path in sorted(results.glob(f"{kind}-*.json")):
            found += reader(jsonl.read_json(path), path.name)
    return found


def _generation(result: dict[str, Any], source: str) -> Iterator[Figure]:
    rows = {row["row"]: row for row in result["rows"]}
    for engine, names in _ENGINES.items():
        row = next((rows[name] for name in names if name in rows), None)
        if row is None:
            continue
        about = _about(result, row["machine"], engine, source)
        yield Figure(work="generate", rate=row["traces_per_second"], tokens=row["tokens_per_trace"], **about)
        start = sum(seconds for part, seconds in row["start_seconds"].items() if part not in _UNCOUNTED)
        if engine == "vllm":  # what a start of transformers takes was not measured with the imports
            yield Figure(work="start", rate=round(start, 2), tokens=0, **about)


def _end_to_end(result: dict[str, Any], source: str) -> Iterator[Figure]:
    engine = result["engine"].removesuffix("Engine").lower()
    device = "cuda" if result["machine"]["gpu"] else "cpu"
    about = _about(result | {"shape": EMBEDDED, "device": device}, result["machine"], engine, source)
    traces = result["summary"]["total_traces"]
    tokens = round(result["summary"]["completion_tokens"] / traces, 2)
    yield Figure(work="generate", rate=result["traces_per_second_after_load"], tokens=tokens, **about)
    yield Figure(work="start", rate=result["seconds"]["load"], tokens=0, **about)


def _sft(result: dict[str, Any], source: str) -> Iterator[Figure]:
    rows = {row["row"]: row for row in result["rows"]}
    for way, names in _SFT.items():
        row = next((rows[name] for name in names if name in rows), None)
        if row is not None:
            about = _about(result, result["machine"], way, source)
            tokens = result["lengths"]["together"]["mean"]
            yield Figure(work="sft", rate=round(row["examples_per_second"], 3), tokens=tokens, **about)


def _dpo(result: dict[str, Any], source: str) -> Iterator[Figure]:
    rows = {row["row"]: row for row in result["training"]}
    for way, name in _DPO.items():
        if name in rows:
            row, lengths = rows[name], rows[name]["lengths"]
            tokens = 2 * lengths["prompt"] + lengths["chosen"] + lengths["rejected"]
            about = _about(result, result["machine"], way, source)
            yield Figure(work="dpo", rate=row["pairs_per_second"], tokens=round(tokens, 1), **about)


def _about(result: dict[str, Any], machine: dict[str, Any], way: str, source: str) -> dict[str, Any]:
    gpu = machine["gpu"]
    return {
        "way": way,
        "device": result["device"],
        "machine": f"an {gpu['name']}" if gpu else f"{machine['cores']} CPU cores",
        "parameters": _parameters(result["shape"]),
        "source": source,
    }


def _parameters(shape: str) -> int:
    """Parameters of a shape's matrices; of the embedded model all."""
    known = SHAPES[shape]
    if known.architecture is None:
        return parameters(EMBEDDED) or 0
    matrices = 1 if known.tied else 2
    return known.architecture.layer_parameters + matrices * known.architecture.output_parameters


def main() -> None:
    """Write the package's file."""
    found = gather()
    jsonl.write_json(TARGET, found)
    print(f"{len(found)} figures in {TARGET}")


if __name__ == "__main__":
    main()
