"""Worker processes: how they start and end, and what is done when one of them dies.

Contract: a worker starts from nothing (spawn), leaves an interrupt to its parent and never outlives it. It does not
know what the workers are for.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import TypeVar

from sokrates.errors import SokratesError

T = TypeVar("T")
R = TypeVar("R")


def start(workers: int) -> ProcessPoolExecutor:
    """At most so many worker processes, each started when it is needed: safe beside threads and whatever is loaded."""
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker)


def end(executor: ProcessPoolExecutor, *, kill: bool = False) -> None:
    """Wait until the workers have ended; with `kill` in the middle of their work."""
    if kill:
        for process in list((executor._processes or {}).values()):
            process.kill()
    executor.shutdown(wait=True, cancel_futures=True)


def one_by_one(work: Callable[[T], R], items: Iterable[T]) -> list[R | None]:
    """The work on items that a worker may have died of, each by itself; None for one that ends its process.

    Errors: SokratesError where worker processes cannot run at all.
    """
    results: list[R | None] = []
    executor = _start_one()
    try:
        for item in items:
            try:
                results.append(executor.submit(work, item).result())
            except BrokenProcessPool:
                end(executor, kill=True)
                executor = _start_one()
                results.append(None)
    finally:
        end(executor, kill=True)
    return results


def _start_one() -> ProcessPoolExecutor:
    """One worker that is known to run, so that what ends it later is the item it is given."""
    executor = start(1)
    try:
        executor.submit(os.getpid).result()
    except BrokenProcessPool:
        raise SokratesError("worker processes end as soon as they start; --workers 1 needs none") from None
    return executor


def _start_worker() -> None:
    """An interrupt is the parent's to handle, and no worker outlives it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent:
        parent.join()
        os._exit(1)
