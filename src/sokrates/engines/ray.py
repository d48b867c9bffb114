"""The engine over Ray: replicas of another engine on the GPUs of one machine or many, and behind them what is made of
each completion on the processors, in one streaming pipeline (`ray_pipeline`).

Contract: `engine.Engine`; results come in any order, each sample's once. Requests are taken as they are needed: a fixed
number of batches is on the way, which keeps every replica busy, and nothing more is held, however many requests there
are. A replica that dies is started again where there is room for it, and what it had not given out is done again; since
a text depends on its request alone, that changes nothing. It does not know how a replica generates.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain, islice
from typing import Any, TypeVar

import ray
from ray.data.exceptions import ExecutionTimeoutError
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sokrates import models
from sokrates.config import GenerationConfig, ModelConfig
from sokrates.engines import ray_pipeline
from sokrates.engines.engine import Completion, Engine, Request, Sampling, check_window
from sokrates.errors import SokratesError

T = TypeVar("T")
Batch = list[Request]

BATCH = 64
"""Requests that travel together: enough that Ray's milliseconds for a batch do not count."""
AHEAD = 3072
"""Requests at a replica, running and waiting: six times vLLM's batch. A batch of requests is back when its longest text
is; meanwhile those of other batches take the places of the others."""
OBJECT_STORE = 2**30
"""Bytes of shared memory of a Ray that is started here; what is on the way takes about 10 MB a replica."""

QUIET_SECONDS = 300.0
KNOCK_SECONDS = 10

_QUIET: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}


class RayEngine:
    """An engine made of `replicas` engines, each made by `load` in a process of its own."""

    def __init__(
        self,
        load: Callable[[], Engine],
        *,
        window: int,
        replicas: int,
        gpus: int = 0,
        address: str | None = None,
        batch: int = BATCH,
        ahead: int = AHEAD,
        quiet: float = QUIET_SECONDS,
    ) -> None:
        """`gpus`: what a replica gets, all on one machine, where the cluster has any. `address`: where Ray runs; None
        starts it here for as long as it is needed. `batch`: requests that travel together. `ahead`: requests at a
        replica. `quiet`: as `ray_pipeline.Feed`."""
        self.window = window
        self._load = load
        self._replicas = replicas
        self._gpus = gpus
        self._address = address
        self._batch = batch
        self._quiet = quiet
        self._calls = max(1, ahead // batch)

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[Completion]:
        """The completions of all requests, batch by batch. Errors: as `finished`."""
        return self.finished(requests, sampling, _unchanged)

    def finished(
        self, requests: Iterable[Request], sampling: Sampling, finish: Callable[[Completion], T]
    ) -> Iterator[T]:
        """What `finish` makes of each request's completion, wherever the cluster has a processor free.

        `finish` is pickled and goes with the batches: it should be small. Errors: SokratesError as
        `engine.check_window`, for a cluster that is out of reach or has too few GPUs, and as replicas and `finish`
        raise it; Ray's own error, with the place it came from, for whatever else they raise.
        """
        if sampling.max_step_tokens:
            raise SokratesError("step by step is for --engine transformers: Ray's replicas write whole traces")
        with _cluster(self._address), _told():
            yield from self._run(self._batches(requests), sampling, finish, self._room())

    def _room(self) -> int:
        """The GPUs of each replica. Errors: SokratesError for fewer than they need; Ray would wait for more."""
        found = [int(node["Resources"].get("GPU", 0)) for node in ray.nodes() if node["Alive"]]
        if not self._gpus or not any(found):
            return 0
        room = sum(here // self._gpus for here in found)
        if room < self._replicas:
            raise SokratesError(
                f"{self._replicas} replicas of {self._gpus} GPUs: the cluster's {len(found)} machines have "
                f"{sum(found)} GPUs, enough for {room}; give --replicas and --tensor-parallel-size that fit there"
            )
        return self._gpus

    def _batches(self, requests: Iterable[Request]) -> Iterator[Batch]:
        waiting = iter(requests)
        while batch := list(islice(waiting, self._batch)):
            check_window(batch, self.window)
            yield batch

    def _run(
        self, batches: Iterator[Batch], sampling: Sampling, finish: Callable[[Completion], T], gpus: int
    ) -> Iterator[T]:
        first = list(islice(batches, self._replicas * self._calls))
        if not first:
            return
        way = _Way(chain(first, batches), self._quiet)
        way.send(len(first))
        dataset = ray_pipeline.build(
            way.feed, self._load, sampling, finish, replicas=self._replicas, gpus=gpus, calls=self._calls
        )
        with closing(ray_pipeline.results(dataset)) as arriving:
            for number, results in arriving:
                if way.arrived(number):
                    way.send(1)
                    yield from results
                if not way.batches:
                    return
        raise SokratesError(f"Ray lost {ray_pipeline.named(next(iter(way.batches.values())))}; run the command again")


class _Way:
    """The batches on the way by number: sent into the pipeline as others come back."""

    def __init__(self, waiting: Iterator[Batch], quiet: float) -> None:
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self.feed = ray.remote(num_cpus=0, scheduling_strategy=here)(ray_pipeline.Feed).remote(quiet)
        self.batches: dict[int, Batch] = {}
        self._waiting = waiting
        self._sent = 0

    def send(self, most: int) -> None:
        """Send the next batches; where there are fewer the feed is closed."""
        for batch in islice(self._waiting, most):
            self.batches[self._sent] = batch
            self._sent += 1
            most -= 1
            ray.get(self.feed.send.remote(pickle.dumps(batch)))
        if most:
            ray.get(self.feed.close.remote())

    def arrived(self, number: int) -> bool:
        """Take note that the results of a batch are here; whether they are for the first time."""
        if self.batches.pop(number, None) is None:
            return False
        self.feed.finish.remote(number)
        return True


def load_ray(model: ModelConfig, config: GenerationConfig) -> RayEngine:
    """Replicas of the vLLM engine as a configuration describes them; nothing is loaded before they are asked.

    Errors: as `models.resolve`.
    """
    return RayEngine(
        partial(_load_vllm, model, config),
        window=models.window(models.load_config(model.model)),
        replicas=config.replicas,
        gpus=0 if model.device == "cpu" else config.tensor_parallel_size,
        address=config.address,
        ahead=AHEAD if not config.max_batch else 6 * config.max_batch,
    )


def _load_vllm(model: ModelConfig, config: GenerationConfig) -> Engine:
    from sokrates.engines.vllm import load_vllm

    return load_vllm(model, config)


def _unchanged(completion: Completion) -> Completion:
    return completion


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """A connection to Ray, made here unless the program has one. Errors: SokratesError where nobody answers."""
    if ray.is_initialized():
        yield
        return
    if address is not None and address.startswith("ray://"):
        raise SokratesError(
            f"{address}: Ray Data does not run through Ray's client; give --address auto on a machine of the cluster, "
            "or send the command there with `ray job submit`"
        )
    os.environ.update({name: value for name, value in _ENVIRONMENT.items() if name not in os.environ})
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        if address is None:
            ray.init("local", include_dashboard=False, object_store_memory=OBJECT_STORE, **_QUIET)
        else:
            _knock(address)
            ray.init(address, **_QUIET)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        if address is None:
            raise SokratesError(f"Ray cannot be started here: {str(error).strip()}") from error
        raise SokratesError(
            f"Ray does not answer at {address}: {str(error).strip()}; see there with `ray status`, and set "
            "RAY_AUTH_MODE=token where it asks for a token"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Errors: OSError where nobody listens; Ray itself would try for minutes. `auto` names no place."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=KNOCK_SECONDS).close()


@contextmanager
def _told() -> Iterator[None]:
    """What Ray raises where replicas or results do not come, as the user's error."""
    try:
        yield
    except GetTimeoutError as error:
        raise SokratesError(
            f"not all replicas were there after {ray_pipeline.START_SECONDS} s; other work may hold the cluster's GPUs "
            "(`ray status` shows it): wait for it or give fewer --replicas"
        ) from error
    except ExecutionTimeoutError as error:
        raise SokratesError(
            f"nothing came back from Ray's cluster any more: {error}; `ray status` shows what is left of it, and the "
            "same command goes on where it stopped"
        ) from error
