"""Records judged in order by worker processes: replaced when they die, ended when the work is."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sokrates.errors import SokratesError
from sokrates.verification.pool import Line, Pool, chunks

PROJECT = Path(__file__).parent.parent.parent


def lines(*texts: str) -> list[Line]:
    return [Line(number, text.encode()) for number, text in enumerate(texts, start=1)]


def judge(line: Line, *, fast_only: bool) -> str | None:
    """What is slow is for the workers; to kill ends the process, at once or later."""
    text = line.raw.decode()
    if fast_only and "slow" in text:
        return None
    if "kill" in text:
        time.sleep(0.2 * text.count("later"))
        os.kill(os.getpid(), signal.SIGKILL)
    if "wait" in text:
        time.sleep(60)
    return f"{text} {'here' if os.getpid() == int(text.split()[-1]) else 'there'}"


def text(kind: str) -> str:
    return f"{kind} {os.getpid()}"


def test_results_come_in_order_and_only_what_is_slow_leaves_this_process():
    kinds = ["fast", "slow", "slow", "fast", "fast", "fast", "slow", "fast", "slow", "fast"]
    given = lines(*map(text, kinds))
    with Pool(judge, workers=2, chunk=2) as pool:
        results = list(pool.judged(given))
    assert [line for line, _ in results] == given
    there = [result.endswith("there") for _, result in results]
    assert there == [True, True, True, True, False, False, True, True, True, True]
    assert not multiprocessing.active_children()


def test_one_worker_is_this_process():
    with Pool(judge, workers=1, chunk=2) as pool:
        assert [result[-4:] for _, result in pool.judged(lines(*map(text, ["slow", "fast", "slow"])))] == ["here"] * 3


def test_a_record_that_ends_its_worker_is_found_and_no_other_is_lost():
    kinds = ["slow"] * 5 + ["slow kill later"] + ["slow"] * 4 + ["slow kill"] + ["slow"] * 3
    with Pool(judge, workers=2, chunk=3) as pool:
        results = [result for _, result in pool.judged(lines(*map(text, kinds)))]
    assert [index for index, result in enumerate(results) if result is None] == [5, 10]


def test_little_is_read_ahead():
    read = []

    def source():
        for line in lines(*map(text, ["fast"] * 100)):
            read.append(line)
            yield line

    with Pool(judge, workers=2, chunk=4) as pool:
        for count, _ in enumerate(pool.judged(source()), start=1):
            assert len(read) <= count + 4


def test_chunks_are_bounded_by_records_and_by_bytes():
    assert [len(chunk) for chunk in chunks(lines(*"abcdefg"), 3)] == [3, 3, 1]
    assert [len(chunk) for chunk in chunks(lines(*["x" * (2 << 20)] * 5), 64)] == [2, 2, 1]
    assert list(chunks([], 3)) == []


def test_an_interrupt_ends_the_workers_in_the_middle_of_their_work():
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Pool(judge, workers=2, chunk=1) as pool:
        for _, result in pool.judged(lines(text("slow"), text("slow wait"), text("slow wait"))):
            assert result is not None
            raise KeyboardInterrupt
    assert time.monotonic() - began < 30
    assert not multiprocessing.active_children()


def fail(line: Line, *, fast_only: bool) -> str | None:
    raise ZeroDivisionError


def test_a_bug_in_the_judge_is_no_verdict():
    with pytest.raises(ZeroDivisionError), Pool(fail, workers=1) as pool:
        list(pool.judged(lines("x")))


def test_workers_that_cannot_start_are_no_fault_of_the_records(monkeypatch):
    monkeypatch.setattr("sokrates.verification.workers._start_worker", exit_at_once)
    with pytest.raises(SokratesError, match="end as soon as they start"), Pool(judge, workers=2) as pool:
        list(pool.judged(lines(text("slow"))))


def exit_at_once() -> None:
    os._exit(3)


ORPHANS = """
import os, sys, time
from sokrates.verification.pool import Line, Pool
from tests.verification.test_pool import judge

if __name__ == "__main__":
    lines = [Line(n, f"slow {'wait' if n else ''} 0".encode()) for n in range(3)]
    with Pool(judge, workers=2, chunk=1) as pool:
        for _ in pool.judged(lines):
            print(*pool._executor._processes, flush=True)
            time.sleep(60)
"""


def test_no_worker_outlives_a_killed_parent(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(ORPHANS)
    path = os.pathsep.join((str(PROJECT / "src"), str(PROJECT)))
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    ) as parent:
        assert parent.stdout
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert workers
    until = time.monotonic() + 20
    while any(map(_runs, workers)):
        assert time.monotonic() < until, "a worker outlives its parent"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
