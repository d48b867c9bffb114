"""A process watched from outside: its stages by the files that it leaves."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.loop_process import Failed, watch

_CHILD = """
import sys, time
from pathlib import Path
held = bytearray(200 * 2**20)
for name in sys.argv[1:]:
    if name == "fails":
        sys.exit("it broke")
    began = time.monotonic()
    while time.monotonic() < began + 0.5:
        pass
    Path(name).touch()
time.sleep(0.5)
"""


def watched(folder: Path, *made: str, expected: tuple[str, ...], seconds: float = 30) -> dict[str, dict[str, Any]]:
    marks = {name: folder / name for name in expected}
    command = [sys.executable, "-c", _CHILD, *(name if name == "fails" else str(folder / name) for name in made)]
    found: dict[str, dict[str, Any]] = {}
    until = time.monotonic() + seconds
    watch(command, marks, folder / "log.txt", until=until, on_stage=lambda name, figures: found.update({name: figures}))
    return found


def test_stages_end_with_their_files_and_the_last_with_the_process(tmp_path):
    began = time.monotonic()
    found = watched(tmp_path, "one", "two", expected=("one", "two"))
    elapsed = time.monotonic() - began
    assert list(found) == ["one", "two"]
    assert found["one"]["seconds"] >= 0.5 and found["two"]["seconds"] >= 0.9
    assert sum(figures["seconds"] for figures in found.values()) == pytest.approx(elapsed, abs=0.5)
    assert 0.1 < found["two"]["processor_seconds"] < 0.9
    assert found["two"]["peak_memory_gib"] >= 0.2


def test_a_process_that_fails_or_leaves_a_stage_out_is_an_error_that_shows_its_log(tmp_path):
    with pytest.raises(Failed, match=r"(?s)two: exit status 1.*it broke"):
        watched(tmp_path, "one", "fails", expected=("one", "two"))
    with pytest.raises(Failed, match="three: exit status 0"):
        watched(tmp_path, "one", "two", expected=("one", "two", "three"))


def test_a_process_is_ended_when_the_time_is_over(tmp_path):
    began = time.monotonic()
    with pytest.raises(Failed, match="out of time"):
        watched(tmp_path, "one", *["one"] * 60, expected=("one", "never"), seconds=1)
    assert time.monotonic() - began < 5
