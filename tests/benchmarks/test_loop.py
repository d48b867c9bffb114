"""The loop's benchmark, real but tiny: two ways, side by side, and gone on with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.loop_work import row_tokens
from benchmarks.machine import PROJECT
from sokrates import jsonl

TINY = ("--problems", "10", "--evaluated", "3", "--iterations", "1", "--device", "cpu", "--within", "600")
LIGHT = ("data.hops_max=2", "data.distractors=0.0", "trace_generation.temperature=1.5", "sft.num_epochs=1")


def test_a_packed_row_is_as_long_as_a_step_needs():
    lengths = [300, 300, 300, 200, 200, 200]
    assert row_tokens(lengths, 3) in range(500, 506)
    assert row_tokens(lengths, 1) == 1500
    assert row_tokens([900, 10, 10], 3) == 900


def bench(folder: Path, *more: str) -> str:
    command = [sys.executable, "-m", "benchmarks.loop", *TINY, "--folder", str(folder / "work"), *more, *LIGHT]
    ended = subprocess.run(
        [*command, "--output", str(folder / "loop.json")], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_ways_do_the_same_work_and_one_that_is_there_is_not_run_again(tmp_path):
    bench(tmp_path, "--ways", "loop")
    first = jsonl.read_json(tmp_path / "work" / "loop.json")
    text = bench(tmp_path, "--ways", "loop,shell")
    assert "loop: is there" in text and jsonl.read_json(tmp_path / "work" / "loop.json") == first
    summary = jsonl.read_json(tmp_path / "loop.json")
    loop, shell = summary["ways"]
    assert (loop["way"], shell["way"]) == ("loop", "shell") and summary["unlike"] == []
    assert [stage["name"] for stage in loop["stages"][:-1]] == [stage["name"] for stage in shell["stages"]]
    assert shell["work"]["sampled_traces"] == {"iter1": 40} and shell["work"]["sft"]["steps"] == 1
    assert (loop["work"]["sft"]["rows"], shell["work"]["sft"]["rows"]) == (1, 10)
    assert shell["texts_of_our_loop"]["evaluate base"] == 1.0
    started = {way["way"]: way["seconds"]["start"] for way in (loop, shell)}
    assert started["shell"] > 2 * started["loop"] > 0
    assert (tmp_path / "loop.png").is_file()
