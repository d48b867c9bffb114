"""A loop that is killed again and again ends with the files of one that was not, and does no finished stage again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.test_oak import SMALL

KILLS = 20
KEPT = (
    *("data/*.jsonl", "*/traces/traces.jsonl", "evaluation/*/traces.jsonl", "*/pairs.jsonl", "*/pairs.json"),
    *("**/adapter_model.safetensors", "**/probe.json", "results.json", "references.json", "differences.json"),
)
"""Files that hold no time of day, which must be the same byte for byte."""
FINISHED = ("**/summary.json", "**/training.json")
"""What a stage writes last."""


def start(folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "sokrates", "loop", "--model", "embedded", *SMALL, "oak_loop.output=run"],
            cwd=folder,
            stdout=log,
            stderr=log,
        )


def contents(folder: Path) -> dict[str, bytes]:
    found = (path for pattern in KEPT for path in (folder / "run").glob(pattern) if ".training" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def stamps(folder: Path) -> dict[str, int]:
    stages = [path for pattern in FINISHED for path in (folder / "run").glob(pattern) if ".training" not in path.parts]
    return {str(path): path.stat().st_mtime_ns for path in stages}


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_loop_killed_at_random_moments_equals_one_that_was_not(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    began = time.monotonic()
    assert start(whole).wait() == 0
    seconds = time.monotonic() - began
    moments = random.Random(7)
    done: dict[str, int] = {}
    ended = 0
    for _ in range(KILLS):
        process = start(killed)
        try:
            ended += process.wait(moments.uniform(0.1, 0.6) * seconds) == 0
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        after = stamps(killed)
        assert done.items() <= after.items(), "a finished stage was done again"
        done = after
    assert ended < KILLS / 2, "too few kills hit a loop at work"
    assert start(killed).wait() == 0
    assert done.items() <= stamps(killed).items()
    expected = contents(whole)
    assert len(expected) > 20
    found = contents(killed)
    assert found.keys() == expected.keys()
    assert [name for name in expected if expected[name] != found[name]] == []
