"""Records judged in their order, in this process while that is fastest, by worker processes where z3 is at work.

Contract: memory holds a few chunks of records, however many there are. The judge is called with `fast_only` here; what
it leaves (None) goes to the workers, as does the rest of its chunk. A worker that dies is replaced and no record is
lost: the chunks that it may have had are judged again, record by record in a process of their own, and the record that
ends that process too is yielded without a result. With one worker everything is judged here.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from types import TracebackType
from typing import Generic, NamedTuple, Protocol, TypeVar

from sokrates.verification.workers import end, one_by_one, start

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

CHUNK_BYTES = 4 << 20
"""A chunk is cut off where its records exceed this."""


class Line(NamedTuple):
    """A record as it stands in its file."""

    number: int
    raw: bytes


class Judge(Protocol[R_co]):
    """Judges a record. It must be picklable; what is wrong with a record is part of its result, never raised."""

    def __call__(self, line: Line, *, fast_only: bool) -> R_co | None:
        """The result; with `fast_only` None where the record needs z3."""


Chunk = list[Line]
Results = Sequence[R | None]
Waiting = deque[tuple[Chunk, Results[R] | Future[Results[R]]]]
"""Chunks in the order of the file, each with its results or the promise of them."""


def available_cpus() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Pool(Generic[R]):
    """Judges streams of records; a context manager that ends its worker processes."""

    def __init__(self, judge: Judge[R], workers: int = 1, chunk: int = 64) -> None:
        self.judge, self.workers, self.chunk = judge, workers, chunk
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> Pool[R]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._executor:
            end(self._executor, kill=error is not None)
            self._executor = None

    def judged(self, lines: Iterable[Line]) -> Iterator[tuple[Line, R | None]]:
        """Each record with its result, in order; None where judging it ended the worker process."""
        waiting: Waiting[R] = deque()
        for chunk in chunks(lines, self.chunk):
            waiting.append((chunk, self._begin(chunk)))
            while waiting and (len(waiting) > 2 * self.workers or _is_ready(waiting[0][1])):
                yield from self._collect(waiting)
        while waiting:
            yield from self._collect(waiting)

    def _begin(self, chunk: Chunk) -> Results[R] | Future[Results[R]]:
        if self.workers == 1:
            return [self.judge(line, fast_only=False) for line in chunk]
        here = self._judged_here(chunk)
        return self._submit(chunk) if here is None else here

    def _judged_here(self, chunk: Chunk) -> Results[R] | None:
        """The results of a chunk that needs no z3; None as soon as a record does."""
        results: list[R | None] = []
        for line in chunk:
            result = self.judge(line, fast_only=True)
            if result is None:
                return None
            results.append(result)
        return results

    def _submit(self, chunk: Chunk) -> Future[Results[R]]:
        if self._executor is None:
            self._executor = start(self.workers)
        try:
            return self._executor.submit(_judge_all, self.judge, chunk)
        except BrokenProcessPool as error:  # found out here: dealt with when this chunk's turn comes
            broken: Future[Results[R]] = Future()
            broken.set_exception(error)
            return broken

    def _collect(self, waiting: Waiting[R]) -> Iterator[tuple[Line, R | None]]:
        """The results of the chunk that is next."""
        chunk, begun = waiting.popleft()
        try:
            results = begun.result() if isinstance(begun, Future) else begun
        except BrokenProcessPool:
            self._replace_workers(waiting)
            results = one_by_one(partial(self.judge, fast_only=False), chunk)
        yield from zip(chunk, results, strict=True)

    def _replace_workers(self, waiting: Waiting[R]) -> None:
        """New workers; they do again what the old ones had begun."""
        if self._executor:
            end(self._executor, kill=True)
            self._executor = None
        for index, (chunk, begun) in enumerate(waiting):
            if isinstance(begun, Future) and (begun.cancelled() or begun.exception() is not None):
                waiting[index] = chunk, self._submit(chunk)


def chunks(lines: Iterable[Line], size: int) -> Iterator[Chunk]:
    """The records in runs of `size`, shorter where they are large."""
    chunk: Chunk = []
    held = 0
    for line in lines:
        chunk.append(line)
        held += len(line.raw)
        if len(chunk) >= size or held >= CHUNK_BYTES:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk


def _is_ready(begun: Results[R] | Future[Results[R]]) -> bool:
    return not isinstance(begun, Future) or begun.done()


def _judge_all(judge: Judge[R], chunk: Chunk) -> list[R | None]:
    return [judge(line, fast_only=False) for line in chunk]
