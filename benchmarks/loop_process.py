"""One process watched from outside: what each of its stages took, and the most memory that was in use meanwhile.

Contract: a stage ends when its file appears, the last with the process; its seconds are the clock's, from the end of
the one before. Memory is the GPU's, whoever uses it (NVML); without one it is that of the process and its children.
Processor time, which neighbours on the machine spoil less than the clock's, is that of the process and of the children
that it has seen end. A process that fails, or is at work when the time is over, is ended with all its children. It does
not know what is done.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from benchmarks.gpu import describe_gpu, meter
from benchmarks.machine import PROJECT
from benchmarks.processes import end, end_of

POLL = 0.1
"""Seconds between two looks."""


class Failed(Exception):
    """A process that did not do what it was started for; its message is the end of its log."""


class Use:
    """A context manager that sees what a process uses while it is open: the most memory, in GiB; the GPU; seconds of
    the processor."""

    def __init__(self, process: subprocess.Popen[bytes], *, on_gpu: bool) -> None:
        self._pid, self._meter = process.pid, meter() if on_gpu else None
        self._most = 0.0
        self._first = self._last = processor_seconds(process.pid)

    def __enter__(self) -> Use:
        if self._meter:
            self._meter.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._meter:
            self._meter.__exit__(kind, error, at)

    def look(self) -> None:
        """Take another look."""
        self._last = max(self._last, processor_seconds(self._pid))
        if self._meter is None:
            self._most = max(self._most, resident(self._pid))

    def figures(self) -> dict[str, Any]:
        memory = {"peak_memory_gib": round(self._most, 2), "gpu_utilisation": None}
        if self._meter:
            memory = {"peak_memory_gib": self._meter.peak_memory, "gpu_utilisation": self._meter.utilisation}
        return {"processor_seconds": round(self._last - self._first, 2), **memory}


def processor_seconds(pid: int) -> float:
    """Seconds of the processor that a process and its children that have ended have used; 0 where it is gone."""
    try:
        return sum(psutil.Process(pid).cpu_times()[:4])
    except psutil.NoSuchProcess:
        return 0.0


def resident(pid: int) -> float:
    """GiB that a process and its children have in memory; 0 where it is gone."""
    total = 0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**30


def watch(
    command: Sequence[str],
    marks: Mapping[str, Path],
    log: Path,
    *,
    until: float,
    on_stage: Callable[[str, dict[str, Any]], None],
) -> None:
    """Run a command; `on_stage` gets each stage's name, in the order of the marks, and its figures when it has ended.

    `until`: the `time.monotonic()` at which it is ended. Errors: Failed where it fails, leaves out a stage or is ended.
    """
    on_gpu = describe_gpu() is not None
    with log.open("ab") as output:
        output.write(f"== {' '.join(command)}\n".encode())
        output.flush()
        began = time.monotonic()
        process = subprocess.Popen(
            command, cwd=PROJECT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, env=environment()
        )
    try:
        for left, (name, mark) in enumerate(marks.items(), start=1 - len(marks)):
            with Use(process, on_gpu=on_gpu) as use:
                status = _wait(process, mark if left else None, use, until)
                ended = time.monotonic()
            if status or not mark.exists():
                raise Failed(f"{name}: exit status {status}\n{end_of(log)}")
            on_stage(name, {"seconds": round(ended - began, 2), **use.figures()})
            began = ended
    finally:
        end(process)


def _wait(process: subprocess.Popen[bytes], mark: Path | None, use: Use, until: float) -> int | None:
    """Wait for a file or for the process's end, whichever comes first; its exit status where it has ended."""
    while mark is None or not mark.exists():
        use.look()
        if (status := process.poll()) is not None:
            return status
        if time.monotonic() >= until:
            os.killpg(process.pid, signal.SIGKILL)
            raise Failed("out of time")
        time.sleep(POLL)
    return None


def environment() -> dict[str, str]:
    """The environment in which `-m sokrates` is this project's."""
    paths = [str(PROJECT / "src"), str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
