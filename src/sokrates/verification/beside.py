"""Work on items beside whatever makes them, so that the maker does not wait: verification beside generation.

Contract: every item comes out once, with its result, in any order, as soon as it is ready and the next item is asked
for. The work is done in this process while that takes next to none of the time, since starting a process costs as much
as a thousand traces; from then on in worker processes. The caller waits only when there is nothing left to make. An
item whose work ends its worker comes out without a result; no other is lost. Items and the work must be picklable. It
does not bound how far the work falls behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Generic, TypeVar

from sokrates.verification.pool import available_cpus
from sokrates.verification.workers import end, one_by_one, start

T = TypeVar("T")
R = TypeVar("R")

SHARE = 0.01
"""The share of the time that the work may take in this process."""


class Beside(Generic[T, R]):
    """A context manager that ends its worker processes."""

    def __init__(self, work: Callable[[T], R], *, workers: int = 0, share: float = SHARE) -> None:
        """`workers`: most processes, started as they are needed; 0 leaves one processor to the maker."""
        self._work, self._share = work, share
        self._workers = workers or max(1, available_cpus() - 1)
        self._executor: ProcessPoolExecutor | None = None
        self._pending: list[T] = []
        self._begun: dict[Future[list[R]], list[T]] = {}
        self.seconds = 0.0
        """What the work has cost the caller: done here, handed over, collected, and waited for at the end."""

    def __enter__(self) -> Beside[T, R]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._executor:
            end(self._executor, kill=error is not None)
            self._executor = None

    def run(self, items: Iterable[T]) -> Iterator[tuple[T, R | None]]:
        """Each item with its result; None where the work ended the worker. Errors: what the work raises."""
        began = time.monotonic()
        for item in items:
            entered = time.monotonic()
            results = self._take(item, entered - began)
            self.seconds += time.monotonic() - entered
            yield from results
        while self._pending or self._begun:
            entered = time.monotonic()
            self._submit()
            wait(self._begun, return_when=FIRST_COMPLETED)
            results = self._collect()
            self.seconds += time.monotonic() - entered
            yield from results

    def _take(self, item: T, elapsed: float) -> list[tuple[T, R | None]]:
        """Begin or do the work on an item; the results that are ready."""
        if self._executor is None and self.seconds <= self._share * elapsed:
            return [(item, self._work(item))]
        self._pending.append(item)
        if len(self._begun) < 2 * self._workers:
            self._submit()
        return self._collect()

    def _submit(self) -> None:
        """Hand what is pending to a worker, in one piece: the further the workers are behind, the larger it is."""
        if not self._pending:
            return
        if self._executor is None:
            self._executor = start(self._workers)
        try:
            future = self._executor.submit(_each, self._work, self._pending)
        except BrokenProcessPool as error:  # found out here: dealt with where it is collected
            future = Future()
            future.set_exception(error)
        self._begun[future] = self._pending
        self._pending = []

    def _collect(self) -> list[tuple[T, R | None]]:
        """The results that are ready."""
        results: list[tuple[T, R | None]] = []
        lost: list[T] = []
        for future in [future for future in self._begun if future.done()]:
            items = self._begun.pop(future)
            try:
                results += zip(items, future.result(), strict=True)
            except BrokenProcessPool:
                lost += items
        return results + self._again(lost) if lost else results

    def _again(self, items: list[T]) -> list[tuple[T, R | None]]:
        """End the broken workers; all that they had begun is done again, each item by itself."""
        if self._executor:
            end(self._executor, kill=True)
            self._executor = None
        for begun in self._begun.values():
            items = items + begun
        self._begun.clear()
        return list(zip(items, one_by_one(self._work, items), strict=True))


def _each(work: Callable[[T], R], items: list[T]) -> list[R]:
    return [work(item) for item in items]
