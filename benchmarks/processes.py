"""Measurements in processes of their own: one that fails or hangs takes no other with it.

Contract: jobs that share a process run there in order, and each leaves a file when it ends. A process that dies, or is
at one job for longer than its limit, is killed with all its children; the job that it was at is written down as failed,
with the end of the process's log, and a new process takes up the rest; after two processes in a row that finished
nothing the rest is given up as well. Jobs whose file is there from an earlier call are not run, save those that failed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import PROJECT
from sokrates import jsonl

POLL = 0.2


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for a process to start, for one job after that, and for everything."""

    start: float = 240
    job: float = 150
    all: float = 570


def run_jobs(
    jobs: Sequence[str],
    command: Callable[[list[str]], list[str]],
    folder: Path,
    limits: Limits,
    *,
    log: Path,
    until: float,
) -> None:
    """Run jobs, each of which leaves `folder/JOB.json`; `command` makes the command line for those that are left.

    `until`: the `time.monotonic()` at which all ends; what was not reached then is left without a file.
    """
    for job in jobs:
        if _file(folder, job).is_file() and "error" in jsonl.read_json(_file(folder, job)):
            _file(folder, job).unlink()
    in_vain = 0
    while left := [job for job in jobs if not _file(folder, job).is_file()]:
        if time.monotonic() >= until:
            return
        failed_at = _run(left, command(left), folder, limits, log, until)
        if failed_at is None or time.monotonic() >= until:
            continue
        in_vain = in_vain + 1 if failed_at == left[0] else 0
        for job in left if in_vain == 2 else [failed_at]:
            jsonl.write_json(_file(folder, job), {"row": job, "error": end_of(log)})


def _run(jobs: list[str], command: list[str], folder: Path, limits: Limits, log: Path, until: float) -> str | None:
    """Watch one process; the job that it failed at, if any."""
    with log.open("ab") as output:
        output.write(f"== {' '.join(command)}\n".encode())
        output.flush()
        process = subprocess.Popen(
            command, cwd=PROJECT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        return _watch(process, list(jobs), folder, limits, until)
    finally:
        end(process)


def _watch(process: subprocess.Popen[bytes], jobs: list[str], folder: Path, limits: Limits, until: float) -> str | None:
    deadline = time.monotonic() + limits.start + limits.job
    while jobs:
        ended = process.poll() is not None
        while jobs and _file(folder, jobs[0]).is_file():
            print(f"{jobs.pop(0)}: done", flush=True)
            deadline = time.monotonic() + limits.job
        if jobs and (ended or time.monotonic() > min(deadline, until)):
            print(f"{jobs[0]}: {'its process ended' if ended else 'out of time'}", flush=True)
            return jobs[0]
        time.sleep(POLL)
    return None


def end(process: subprocess.Popen[bytes]) -> None:
    """End the process, gently if it is about to end by itself, and whatever it has started."""
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _file(folder: Path, job: str) -> Path:
    return folder / f"{job}.json"


def end_of(log: Path) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
