from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.processes import Limits, run_jobs
from sokrates import jsonl

_CHILD = """
import json, os, sys, time
folder, *jobs = sys.argv[1:]
for job in jobs:
    if job == "dies":
        sys.exit("it broke")
    if job == "hangs":
        time.sleep(600)
    with open(f"{folder}/{job}.json.partial", "w") as file:
        json.dump({"row": job, "process": os.getpid()}, file)
    os.rename(f"{folder}/{job}.json.partial", f"{folder}/{job}.json")
"""


def _run(jobs: list[str], folder: Path, limits: Limits) -> dict[str, dict[str, object]]:
    command = [sys.executable, "-c", _CHILD, str(folder)]
    log = folder / "log.txt"
    run_jobs(jobs, lambda left: [*command, *left], folder, limits, log=log, until=time.monotonic() + 60)
    return {job: jsonl.read_json(folder / f"{job}.json") for job in jobs}


def test_one_job_that_dies_loses_no_other(tmp_path: Path) -> None:
    found = _run(["first", "dies", "last"], tmp_path, Limits())
    assert "it broke" in str(found["dies"]["error"])
    assert "error" not in found["first"] and "error" not in found["last"]
    assert found["first"]["process"] != found["last"]["process"]


def test_a_job_that_hangs_is_given_up(tmp_path: Path) -> None:
    found = _run(["first", "hangs", "last"], tmp_path, Limits(start=20, job=0.5))
    assert "error" in found["hangs"]
    assert "error" not in found["last"]


def test_two_processes_in_vain_give_up_the_rest(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no engine')"]
    log = tmp_path / "log.txt"
    started: list[list[str]] = []

    def counted(left: list[str]) -> list[str]:
        started.append(left)
        return command

    run_jobs(["a", "b", "c", "d"], counted, tmp_path, Limits(), log=log, until=time.monotonic() + 60)
    assert len(started) == 2
    assert all("no engine" in jsonl.read_json(tmp_path / f"{job}.json")["error"] for job in "abcd")


def test_what_is_there_is_kept_and_what_failed_is_tried_again(tmp_path: Path) -> None:
    jsonl.write_json(tmp_path / "first.json", {"row": "first", "process": 0})
    jsonl.write_json(tmp_path / "last.json", {"row": "last", "error": "out of time"})
    found = _run(["first", "last"], tmp_path, Limits())
    assert found["first"]["process"] == 0
    assert "error" not in found["last"]


def test_nothing_starts_when_the_time_is_over(tmp_path: Path) -> None:
    run_jobs(["a"], lambda left: ["false"], tmp_path, Limits(), log=tmp_path / "log.txt", until=time.monotonic())
    assert not list(tmp_path.iterdir())
