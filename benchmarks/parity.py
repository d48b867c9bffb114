"""Whether every way to generate says the same: greedy texts of the embedded model, each way against the plain one.

Reported for each way: accuracy and share of valid steps, and their differences from the plain way in points (at most 5
may be, by the plan's validation); the share of completions that are equal token by token, and the share of tokens up to
the first difference. In float32 all should be equal; in bfloat16 the ways round differently, and a text that has parted
once goes its own way. Ways with an adapter are compared with the plain way with the same adapter. Each way runs in a
process of its own.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from typing import Any

import click
import msgspec

from benchmarks.generation import device_here
from benchmarks.generation_child import PACKAGES, installed
from benchmarks.generation_rows import ROWS, WARM_UP, Engines, requests, sampling_of
from benchmarks.generation_shapes import SHAPES, prepare
from benchmarks.gpu import describe_gpu
from benchmarks.machine import PROJECT, describe
from benchmarks.processes import Limits, run_jobs
from sokrates import jsonl
from sokrates.errors import SokratesError
from sokrates.generation import Judge

WAYS = {
    "plain": ROWS["plain"],
    "cached": ROWS["cached"],
    "batch-64": ROWS["batch-64"],
    "vllm": ROWS["vllm"],
    "plain-lora": dataclasses.replace(ROWS["plain"], name="plain-lora", adapter=True),
    "batch-64-lora": dataclasses.replace(ROWS["batch-64"], name="batch-64-lora", adapter=True),
    "vllm-lora": ROWS["vllm-lora"],
}
POINTS = 5.0
"""The most that accuracy and step validity may differ by."""


class Said(msgspec.Struct):
    """What one way said, in the order of the problems."""

    row: str
    token_ids: list[tuple[int, ...]]
    correct: list[bool]
    valid_steps: int
    steps: int


def ask(way: str, problems: int, device: str, dtype: str, work: Path) -> Said:
    """The greedy completions of one way, judged."""
    row = WAYS[way]
    bench = prepare(SHAPES["embedded"], work, WARM_UP + problems)
    engine = Engines(bench, device, dtype, work).get(row, row.batch)
    greedy = dataclasses.replace(sampling_of(row, real=True), temperature=0.0)
    wanted = [request for request in requests(bench.tasks[WARM_UP:]) if request.sample == 0]
    completions = {done.request.problem_id: done for done in engine.generate(wanted, greedy)}
    ordered = [completions[request.problem_id] for request in wanted]
    judge = Judge(greedy.max_steps, greedy.seed, "embedded", None)
    traces = [judge(completion) for completion in ordered]
    return Said(
        row=way,
        token_ids=[completion.token_ids for completion in ordered],
        correct=[bool(trace.correct) for trace in traces],
        valid_steps=sum(trace.valid_step_count for trace in traces),
        steps=sum(trace.total_step_count for trace in traces),
    )


def compare(said: Said, plain: Said) -> dict[str, Any]:
    """A way's figures beside the plain way's."""
    pairs = list(zip(said.token_ids, plain.token_ids, strict=True))
    accuracy, validity = mean(said.correct), said.valid_steps / max(said.steps, 1)
    differences = accuracy - mean(plain.correct), validity - plain.valid_steps / max(plain.steps, 1)
    points = [round(100 * difference, 2) for difference in differences]
    return {
        "row": said.row,
        "against": plain.row,
        "accuracy": round(accuracy, 4),
        "valid_steps": round(validity, 4),
        "accuracy_points": points[0],
        "valid_steps_points": points[1],
        "within_5_points": max(map(abs, points)) <= POINTS,
        "equal_completions": round(mean(mine == theirs for mine, theirs in pairs), 4),
        "equal_tokens": round(
            sum(common(mine, theirs) for mine, theirs in pairs) / max(sum(len(theirs) for _, theirs in pairs), 1), 4
        ),
    }


def common(left: Sequence[int], right: Sequence[int]) -> int:
    """How many tokens are equal before the first difference."""
    return next(
        (index for index, (one, other) in enumerate(zip(left, right, strict=False)) if one != other),
        min(len(left), len(right)),
    )


@click.command()
@click.option("--problems", default=100, show_default=True)
@click.option("--ways", default=",".join(WAYS), show_default=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--dtype", help="float32 or bfloat16.  [default: bfloat16 on CUDA, else float32]")
@click.option("--output", type=Path, help="JSON file.  [default: one in benchmarks/results]")
@click.option("--parts", type=Path, help="Folder for what the ways said, to go on in.  [default: a new one]")
@click.option("--seconds", default=570.0, show_default=True, help="Time for everything.")
@click.option("--commit", help="The commit, where the code was copied here without its history.")
@click.option("--only", type=click.Choice(list(WAYS)), hidden=True, help="Ask this way, here, and write what it says.")
def main(
    problems: int,
    ways: str,
    device: str,
    dtype: str | None,
    output: Path | None,
    parts: Path | None,
    seconds: float,
    commit: str | None,
    only: str | None,
) -> None:
    """Ask every way, compare, print the table and write it as JSON."""
    place = device_here() if device == "auto" else device
    number = dtype or ("bfloat16" if place == "cuda" else "float32")
    parts = parts or Path(tempfile.mkdtemp(prefix="sokrates-parity-"))
    work = Path(tempfile.gettempdir()) / "sokrates-benchmarks" / "embedded"
    parts.mkdir(parents=True, exist_ok=True)
    if only:
        jsonl.write_json(parts / f"{only}.json", ask(only, problems, place, number, work))
        return
    wanted = [way for way in ways.split(",") if way in WAYS and (WAYS[way].engine != "vllm" or find_spec("vllm"))]
    until = time.monotonic() + seconds
    for way in wanted:
        options = ["--problems", str(problems), "--device", place, "--dtype", number, "--parts", str(parts)]
        command = [sys.executable, "-m", "benchmarks.parity", "--only", way, *options]
        run_jobs([way], lambda _, command=command: command, parts, Limits(), log=parts / f"{way}.log", until=until)
    result = {
        "what": "greedy texts of the embedded model, each way against the plain one",
        "problems": problems,
        "device": place,
        "dtype": number,
        "ways": _compared(parts),
        "machine": describe(*installed(*PACKAGES), commit=commit) | {"gpu": describe_gpu()},
    }
    target = (
        output or PROJECT / "benchmarks" / "results" / f"parity-{'gpu' if place == 'cuda' else 'cpu'}-{number}.json"
    )
    jsonl.write_json(target, result)
    print(f"{'':16}{'accuracy':>10}{'valid steps':>13}{'points':>16}{'equal texts':>13}{'equal tokens':>14}")
    for row in result["ways"]:
        if "error" in row:
            print(f"{row['row']}: failed")
            continue
        points = f"{row['accuracy_points']:+.2f} {row['valid_steps_points']:+.2f}"
        print(
            f"{row['row']:16}{row['accuracy']:>10.1%}{row['valid_steps']:>13.1%}{points:>16}"
            f"{row['equal_completions']:>13.1%}{row['equal_tokens']:>14.1%}"
        )
    print(f"written: {target}")


def _compared(parts: Path) -> list[dict[str, Any]]:
    """Every way that has a file, against the plain way with the same adapter."""
    found = {way: jsonl.read_json(parts / f"{way}.json") for way in WAYS if (parts / f"{way}.json").is_file()}
    rows = []
    for way, values in found.items():
        plain = found.get("plain-lora" if WAYS[way].adapter else "plain")
        if "error" in values:
            rows.append(values)
        elif plain is None or "error" in plain:
            raise SokratesError(f"{parts}: nothing to compare {way} with; expected what the plain way says")
        else:
            rows.append(compare(msgspec.convert(values, Said), msgspec.convert(plain, Said)))
    return rows


if __name__ == "__main__":
    main()
