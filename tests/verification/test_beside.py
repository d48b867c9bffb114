"""Work beside its maker: every item once, worker processes only where they pay, none lost when one dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from sokrates.verification.beside import Beside


def work(item: str) -> tuple[str, int]:
    kind, _, rest = item.partition(" ")
    if kind == "slow":
        time.sleep(0.05)
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "kill-once" and not Path(rest).exists():
        Path(rest).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "fail":
        raise ValueError(item)
    return item, os.getpid()


def names(results) -> list[str]:
    return sorted(item for item, _ in results)


def test_little_work_is_done_here():
    with Beside(work, share=1.0) as beside:
        results = list(beside.run(f"quick {i}" for i in range(50)))
    assert [item for item, _ in results] == [f"quick {i}" for i in range(50)]
    assert {result[1] for _, result in results} == {os.getpid()}


def test_much_work_moves_to_workers_which_end():
    items = [f"slow {i}" for i in range(8)]
    with Beside(work, workers=1) as beside:
        results = list(beside.run(items))
    assert names(results) == sorted(items)
    pids = [result[1] for _, result in results]
    assert pids[0] == os.getpid(), "the first shows what it costs"
    assert set(pids[1:]) - {os.getpid()} and beside.seconds > 0
    assert not multiprocessing.active_children()


def test_the_maker_does_not_wait_for_the_workers():
    made = []

    def maker():
        for i in range(6):
            made.append(i)
            yield f"slow {i}"

    with Beside(work, workers=1, share=-1.0) as beside:
        first = next(beside.run(maker()))
        assert first[0].startswith("slow") and len(made) == 6, "all were made before the first result was waited for"


@pytest.mark.parametrize("share", [-1.0])
def test_an_item_that_ends_its_worker_comes_out_without_a_result(share):
    items = ["quick 1", "kill", "quick 2", "quick 3"]
    with Beside(work, workers=2, share=share) as beside:
        results = dict(beside.run(items))
    assert set(results) == set(items)
    assert [item for item, result in results.items() if result is None] == ["kill"]


def test_a_worker_that_dies_by_chance_loses_nothing(tmp_path):
    items = [f"quick {i}" for i in range(5)] + [f"kill-once {tmp_path / 'died'}"] + [f"slow {i}" for i in range(5)]
    with Beside(work, workers=1, share=-1.0) as beside:
        results = list(beside.run(items))
    assert names(results) == sorted(items)
    assert all(result is not None for _, result in results)


def test_what_the_work_raises_ends_the_run():
    with pytest.raises(ValueError, match="fail 3"), Beside(work, workers=1, share=-1.0) as beside:
        list(beside.run(["quick 1", "fail 3", "quick 2"]))
    assert not multiprocessing.active_children()
