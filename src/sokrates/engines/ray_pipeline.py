"""The Ray Data pipeline behind `engines.ray`: a feed of batches, the stage of replicas, the stage of processors.

Contract: a batch travels as one row, its number and its pickled content, in a block of its own; what is made of it has
the same number. Ray may run any part again: a batch whose results are back is then empty, and a number may come twice.
A SokratesError travels as content too, since Ray would bury it in its own. It does not know what a completion is about.
"""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa
import ray
import ray.data
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

from sokrates.engines.engine import Completion, Engine, Request, Sampling
from sokrates.errors import SokratesError

TRIES = 4
"""How often a batch is begun, since the replica that had it died or was lost, before it is given up."""
START_SECONDS = 900
"""How long all replicas together may take to be there."""
FINISHED = b""
"""The content of a batch that needs no more work."""


@runtime_checkable
class Continuous(Protocol):
    """An engine that takes further requests while it generates, so that it does not run empty between batches."""

    def generate_arriving(self, take: Callable[[int], Iterable[Request]], sampling: Sampling) -> Iterator[Completion]:
        """Completions as they finish. `take(most)` gives the requests that are there now; with none there and none
        running it ends."""
        ...


@dataclass(frozen=True, slots=True)
class Failure:
    """What stands in the place of a batch's results where a SokratesError prevented them."""

    message: str


class Feed:
    """An actor that holds the batches on the way, from when they are sent until their results are back.

    When all are sent and none has come back for `quiet` seconds, those on the way are given out again: where they were
    is lost, or so slow that others may as well try.
    """

    def __init__(self, quiet: float) -> None:
        self._quiet = quiet
        self._batches: dict[int, bytes] = {}
        self._begun: defaultdict[int, int] = defaultdict(int)
        self._sent = 0
        self._again: list[int] = []
        self._closed = False
        self._changed = asyncio.Condition()

    async def send(self, batch: bytes) -> None:
        """The next batch; its number is how many were sent before."""
        async with self._changed:
            self._batches[self._sent] = batch
            self._sent += 1
            self._changed.notify_all()

    async def close(self) -> None:
        """No more batches come."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def take(self, position: int) -> tuple[int, bytes] | None:
        """Number and content of what is given out at this position, the same whenever it is asked; None at the end.

        The content is `FINISHED` where the results are back.
        """
        async with self._changed:
            while position >= self._sent + len(self._again):
                if self._closed and not self._batches:
                    return None
                try:
                    await asyncio.wait_for(self._changed.wait(), self._quiet)
                except TimeoutError:
                    if self._closed:
                        self._again += self._batches
            number = position if position < self._sent else self._again[position - self._sent]
            return number, self._batches.get(number, FINISHED)

    async def begin(self, number: int) -> int:
        """How often the batch has been begun, this time counted."""
        self._begun[number] += 1
        return self._begun[number]

    async def finish(self, number: int) -> None:
        """The results of a batch are back."""
        async with self._changed:
            self._batches.pop(number, None)
            self._begun.pop(number, None)
            self._changed.notify_all()


class FeedSource(Datasource):
    """The batches of a feed as a Ray data source: one task, which yields them as they come."""

    def __init__(self, feed: Any) -> None:
        super().__init__()
        self._feed = feed

    def estimate_inmemory_data_size(self) -> int | None:
        return None

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:
        feed = self._feed

        def batches() -> Iterator[pa.Table]:
            for position in count():
                taken = ray.get(feed.take.remote(position))
                if taken is None:
                    return
                number, content = taken
                yield _table([number], [content])

        unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ReadTask(batches, unknown)]


class Replica:
    """An engine in a process of its own. Calls come from many threads, one a batch; one more thread generates."""

    def __init__(self, load: Callable[[], Engine], sampling: Sampling, feed: Any) -> None:
        self._sampling = sampling
        self._feed = feed
        self._arrived = threading.Condition()
        self._waiting: deque[Request] = deque()
        self._results: defaultdict[tuple[str, int], list[Future[Completion]]] = defaultdict(list)
        self._failure: BaseException | None = None
        try:
            self._engine = load()
        except SokratesError as error:  # told in the first call
            self._failure = error
        else:
            threading.Thread(target=self._run, daemon=True).start()

    def __call__(self, batches: pa.Table) -> pa.Table:
        return _each(batches, self._complete)

    def _complete(self, number: int, requests: list[Request]) -> list[Completion]:
        if ray.get(self._feed.begin.remote(number)) > TRIES:
            raise SokratesError(
                f"{named(requests)}: generated {TRIES} times without a result, since replicas died of them or of what "
                "they had beside them, or were lost; Ray's logs say why, most often memory ran out"
            )
        with self._arrived:
            if self._failure:
                raise self._failure
            results: list[Future[Completion]] = [Future() for _ in requests]
            for request, result in zip(requests, results, strict=True):
                self._results[request.problem_id, request.sample].append(result)
            self._waiting.extend(requests)
            self._arrived.notify()
        return [result.result() for result in results]

    def _run(self) -> None:
        """Generate what arrives, for ever. What goes wrong is raised in the calls, for nobody else is there to tell."""
        try:
            while True:
                with self._arrived:
                    self._arrived.wait_for(lambda: self._waiting)
                for completion in self._generate():
                    self._take_result(completion)
        except BaseException as error:
            with self._arrived:
                self._failure = error
                for result in (result for results in self._results.values() for result in results):
                    result.set_exception(error)

    def _generate(self) -> Iterator[Completion]:
        if isinstance(self._engine, Continuous):
            return self._engine.generate_arriving(self._take, self._sampling)
        return self._engine.generate(self._take(len(self._waiting)), self._sampling)

    def _take(self, most: int) -> list[Request]:
        with self._arrived:
            return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def _take_result(self, completion: Completion) -> None:
        key = completion.request.problem_id, completion.request.sample
        with self._arrived:
            result = self._results[key].pop()
            if not self._results[key]:
                del self._results[key]
        result.set_result(completion)


def build(
    feed: Any,
    load: Callable[[], Engine],
    sampling: Sampling,
    finish: Callable[[Completion], Any],
    *,
    replicas: int,
    gpus: int,
    calls: int,
) -> Any:
    """The pipeline over a feed as a Ray dataset that does not run yet; `calls`: batches that a replica has at once."""
    # Replicas, their feed and its source leave the processors to the second stage, however few a machine has. But the
    # source asks for a trace of one: Ray fuses two stages that ask for the same, and would feed one replica alone.
    # It stays on this machine: Ray 2.60 may stand still when it is started again elsewhere.
    here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
    dataset = ray.data.read_datasource(FeedSource(feed), num_cpus=0.001, override_num_blocks=1, label_selector=here)
    context = dataset.context
    context.target_max_block_size = 1  # so that a batch is not held back until others fill its block
    context.wait_for_min_actors_s = START_SECONDS  # the first replica to be there would take the batches of all
    context.enable_progress_bars = context.print_on_execution_start = False
    pool = ray.data.ActorPoolStrategy(
        size=replicas,
        max_tasks_in_flight_per_actor=calls,
        max_concurrent_calls_per_actor=calls,
        enable_true_multi_threading=True,
    )
    generated = dataset.map_batches(
        Replica,
        fn_constructor_args=(load, sampling, feed),
        batch_size=1,
        batch_format="pyarrow",
        compute=pool,
        num_cpus=0,
        num_gpus=gpus,
    )
    # A quarter of a processor each: those that wait for what was lost with a machine should not take the place of all.
    return generated.map_batches(
        _finish, fn_kwargs={"finish": finish}, batch_size=1, batch_format="pyarrow", num_cpus=0.25
    )


def results(dataset: Any) -> Generator[tuple[int, list[Any]], None, None]:
    """Run the pipeline: the numbers of the batches and what came of them, as they finish. Errors: those on the way."""
    tables = iter(dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0))
    try:
        for row in (row for table in tables for row in table.to_pylist()):
            if row["content"] == FINISHED:
                continue
            content = pickle.loads(row["content"])
            if isinstance(content, Failure):
                raise SokratesError(content.message)
            yield row["number"], content
    finally:
        tables.close()  # ends the pipeline, whatever is still in it


def named(requests: Sequence[Request]) -> str:
    """A batch, told to a user."""
    first, last = requests[0], requests[-1]
    return f"{first.problem_id} (sample {first.sample}) to {last.problem_id} (sample {last.sample})"


def _finish(batches: pa.Table, finish: Callable[[Completion], Any]) -> pa.Table:
    return _each(batches, lambda _, completions: [finish(completion) for completion in completions])


def _each(batches: pa.Table, work: Callable[[int, list[Any]], list[Any]]) -> pa.Table:
    """The same rows, their content replaced by what `work` makes of number and content."""
    rows = batches.to_pylist()
    numbers = [row["number"] for row in rows]
    return _table(numbers, [_worked(row["number"], row["content"], work) for row in rows])


def _worked(number: int, content: bytes, work: Callable[[int, list[Any]], list[Any]]) -> bytes:
    if content == FINISHED:
        return content
    given = pickle.loads(content)
    if isinstance(given, Failure):
        return content
    try:
        return pickle.dumps(work(number, given))
    except SokratesError as error:
        return pickle.dumps(Failure(str(error)))


def _table(numbers: Sequence[int], contents: Sequence[bytes]) -> pa.Table:
    return pa.table({"number": pa.array(numbers, pa.int64()), "content": pa.array(contents, pa.large_binary())})
