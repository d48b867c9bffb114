"""`sokrates verify` over whole files: the memory it takes, what ten broken lines in a million do, and how it scales.

Each run is the command itself in a process of its own, which says at its end how much memory it held at most. Files are
made of the traces of some thousands of problems, written again under other ids until there are enough of them; what the
verifier remembers of sentences is emptied many times before they come round.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.machine import PROJECT, VERIFICATION, describe
from sokrates import jsonl
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.building import build_trace
from sokrates.traces.gold import gold_completion
from sokrates.traces.trace import Trace

CHILD = """
import sys
from pathlib import Path
from sokrates.cli import main

if __name__ == "__main__":
    main(sys.argv[1:], standalone_mode=False)
    status = Path("/proc/self/status").read_text().splitlines()
    print("PEAK", next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""
"""The command, and then the most memory that its process held, in KiB."""

SHORT = "problem_id premises conclusion label final_answer correct num_steps steps".split()
BROKEN = (
    b"nonsense",
    b'{"problem_id": "cut off", "premises": ["Max is',
    b"[]",
    b'{"problem_id": "without steps"}',
    b"\xff\xfe",
    b"\0",
    b"[" * 100_000,
    b'"' + b"x" * (1 << 20),
    b'{"problem_id": "of a megabyte", "premises": ["' + b"x" * (1 << 20) + b'"]}',
    b'{"problem_id": "\\ud800"}',
)


def verified(source: Path, folder: Path, *options: str) -> dict[str, Any]:
    """What verifying a file took, and its summary."""
    script = folder / "child.py"
    script.write_text(CHILD)
    began = time.perf_counter()
    command = [sys.executable, str(script), "verify", str(source), "--output", str(folder / "out"), *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=_environment())
    seconds = time.perf_counter() - began
    summary = jsonl.read_json(folder / "out" / "summary.json")
    peak = int(ended.stdout.rpartition("PEAK")[2])
    return {
        "traces": summary["total_traces"],
        "steps": summary["total_steps"],
        "set_aside": summary["set_aside"],
        "file_megabytes": round(source.stat().st_size / 1e6, 1),
        "seconds": round(seconds, 1),
        "steps_per_second": round(summary["total_steps"] / seconds),
        "peak_megabytes": round(peak * 1024 / 1e6, 1),
    }


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT / "src")}


def lines(traces: Sequence[Trace], fields: Sequence[str] = Trace.__struct_fields__) -> Iterator[bytes]:
    """The traces as lines, again and again, each under an id of its own."""
    records = [{name: getattr(trace, name) for name in fields} for trace in traces]
    for number in count():
        yield jsonl.encode(records[number % len(records)] | {"problem_id": f"p{number}"})


def with_steps(path: Path, traces: Sequence[Trace], steps: int) -> None:
    """A file of about so many steps."""
    with jsonl.atomic(path) as file:
        for number, line in enumerate(lines(traces)):
            file.write(line)
            steps -= len(traces[number % len(traces)].steps)
            if steps <= 0:
                return


def with_broken_lines(path: Path, traces: Sequence[Trace], total: int) -> None:
    """A file of so many lines, ten of which are no traces."""
    broken = {(total // len(BROKEN)) * index + 7: line for index, line in enumerate(BROKEN)}
    with jsonl.atomic(path) as file:
        for number, line in zip(range(total), lines(traces, SHORT), strict=False):
            file.write(broken[number] + b"\n" if number in broken else line)


def short_traces(count: int) -> list[Trace]:
    """Gold traces of one or two steps over few premises."""
    settings = GeneratorSettings(1, 1, distractors=0.0)
    return [build_trace(problem, gold_completion(problem)) for problem in generate(count, settings, seed=2)]


def measure_memory(sampled: Sequence[Trace], output: Path) -> None:
    """Measure, print and write the memory that files of many lengths take, and a million lines with ten broken ones."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        by_steps = {}
        for steps in (10_000, 100_000, 1_000_000):
            with_steps(folder / "traces.jsonl", sampled, steps)
            by_steps[f"{steps} steps"] = _run(folder)
        with_broken_lines(folder / "traces.jsonl", short_traces(2000), 1_000_000)
        broken = _run(folder, "--skip-bad")
        errors = list(jsonl.read(folder / "broken.jsonl", dict))
    least, most = by_steps["10000 steps"], by_steps["1000000 steps"]
    result = {
        "what": "peak memory of `sokrates verify` over short and long files; a million lines, ten of them broken",
        "by_steps": by_steps,
        "peak_ratio": round(most["peak_megabytes"] / least["peak_megabytes"], 3),
        "million_lines": {
            **broken,
            "named_errors": [f"line {error['line']}: {error['error'][:100]}" for error in errors],
        },
        "machine": describe("msgspec", code=VERIFICATION),
    }
    jsonl.write_json(output, result)
    for title, row in [*by_steps.items(), ("a million lines", broken)]:
        print(f"{title:18}{row['traces']:>10,} traces{row['steps']:>12,} steps{row['seconds']:>9} s", end="")
        print(f"{row['peak_megabytes']:>9} MB at most, {row['set_aside']} set aside")
    print(f"memory {result['peak_ratio']} times for 100 times the steps; {len(errors)} named errors; {output}")


def _run(folder: Path, *options: str) -> dict[str, Any]:
    """Verify the folder's traces and clear away all but what was set aside."""
    result = verified(folder / "traces.jsonl", folder, *options)
    aside = folder / "out" / "traces.set-aside.jsonl"
    if aside.is_file():
        aside.rename(folder / "broken.jsonl")
    for path in (folder / "out").iterdir():
        path.unlink()
    return result


def spoilt(traces: Sequence[Trace], samples: int) -> Iterator[Trace]:
    """Each gold trace as so many samples of it, a third of whose steps cite other lines or claim something else."""
    rng = random.Random(1)
    for trace in traces:
        thoughts = [step.thought for step in trace.steps]
        for sample in range(samples):
            steps = [
                msgspec.structs.replace(
                    step,
                    option_args=tuple(rng.randrange(len(trace.premises) + step.step_idx) for _ in step.option_args)
                    if rng.random() < 1 / 6
                    else step.option_args,
                    thought=rng.choice(thoughts) if rng.random() < 1 / 6 else step.thought,
                )
                for step in trace.steps
            ]
            yield msgspec.structs.replace(trace, steps=steps, sample=sample, completion="")


def measure_scaling(source: Path, workers: Sequence[int], samples: int, output: Path) -> None:
    """Measure, print and write how long samples of gold traces that need z3 take with more and more processes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sampled = folder / "traces.jsonl"
        jsonl.write(sampled, spoilt(list(jsonl.read(source, Trace)), samples))
        rows = {}
        for number in workers:
            rows[f"{number} workers"] = verified(sampled, folder, "--workers", str(number))
            for path in (folder / "out").iterdir():
                path.unlink()
    first = rows[f"{workers[0]} workers"]["seconds"]
    result = {
        "what": "seconds that `sokrates verify` takes with 1 worker process and with more, starting them included",
        "input": f"the gold traces of {source.name}, {samples} spoilt samples of each",
        "by_workers": {name: {**row, "times_as_fast": round(first / row["seconds"], 2)} for name, row in rows.items()},
        "machine": describe("msgspec", "z3-solver", code=VERIFICATION),
    }
    jsonl.write_json(output, result)
    for title, row in result["by_workers"].items():
        print(f"{title:12}{row['traces']:>8,} traces{row['seconds']:>9} s, {row['times_as_fast']} times as fast")
