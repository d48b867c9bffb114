"""Replicas on Ray: real ones of vLLM in one run, and small stand-ins for what can go wrong."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from sokrates import models
from sokrates.config import GenerationConfig, ModelConfig
from sokrates.engines import load_engine
from sokrates.engines.engine import Completion, Request, Sampling
from sokrates.errors import SokratesError
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.prompt import PromptStyle, encode_prompt

ray = pytest.importorskip("ray")

from sokrates.engines.ray import RayEngine, load_ray  # noqa: E402
from sokrates.engines.ray_pipeline import FINISHED, TRIES, Feed  # noqa: E402

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
SAMPLING = Sampling(temperature=0.7, top_p=0.95, max_tokens=250, max_steps=24, seed=5)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A Ray with two processors and, so it is told, two GPUs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT / 'src'}{os.pathsep}{ROOT}")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_memory_monitor_refresh_ms", "0")  # it would kill replicas for what others on the machine take
        ray.init("local", num_cpus=2, num_gpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
        yield
        ray.shutdown()


@dataclass
class Echo:
    """An engine of one line: a text that depends on the request, after what `before` does with it."""

    before: Callable[[Request], None] = lambda _: None
    window: int = 100

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[Completion]:
        for request in requests:
            self.before(request)
            yield Completion(request, (1,), f"{sampling.seed} {request.problem_id} {request.sample}", "stop")


def requests(number: int) -> Iterator[Request]:
    return (Request((5, 6), f"p{index}", 0) for index in range(number))


def echo_engine(before: Callable[[Request], None] = lambda _: None, **settings: int) -> RayEngine:
    return RayEngine(
        partial(Echo, before), window=100, **({"replicas": 2, "gpus": 1, "batch": 3, "ahead": 6} | settings)
    )


# What vLLM's replicas do, all seen in one run, for their start takes most of the time.


def recording_replica(folder: Path):
    """vLLM with the embedded model; a file named by the process gets a line for each completion."""
    from sokrates.engines.vllm import VllmEngine

    class Recording(VllmEngine):
        def generate_arriving(self, take, sampling):
            with (folder / str(os.getpid())).open("a") as file:
                for completion in super().generate_arriving(take, sampling):
                    print(completion.request.problem_id, file=file, flush=True)
                    yield completion

    return Recording("embedded", device="cpu", max_batch=8)


def with_process(completion: Completion) -> tuple[Completion, int]:
    return completion, os.getpid()


@pytest.fixture(scope="module")
def run(cluster, tmp_path_factory):
    """(requests, results, completions by process, the process that was killed) of a run in which a replica dies."""
    folder = tmp_path_factory.mktemp("replicas")
    tokenizer = models.load_tokenizer("embedded")
    style = models.style(models.resolve("embedded"), PromptStyle())
    problems = generate(20, GeneratorSettings(most_hops=3), seed=3)
    asked = [
        Request(tuple(encode_prompt(tokenizer, problem, style)), problem.problem_id, sample, problem)
        for problem in problems
        for sample in range(2)
    ]
    engine = RayEngine(partial(recording_replica, folder), window=1024, replicas=2, batch=4, ahead=12)
    results, killed = [], 0
    for result in engine.finished(iter(asked), SAMPLING, with_process):
        results.append(result)
        if not killed and len(list(folder.iterdir())) == 2:
            killed = int(min(folder.iterdir(), key=lambda path: len(path.read_text())).name)
            os.kill(killed, signal.SIGKILL)
    done = {int(path.name): path.read_text().split() for path in folder.iterdir()}
    return asked, results, done, killed


def test_a_killed_replica_loses_nothing_and_doubles_nothing(run):
    asked, results, _, killed = run
    assert killed
    found = Counter((completion.request.problem_id, completion.request.sample) for completion, _ in results)
    assert found == Counter((request.problem_id, request.sample) for request in asked)


def test_replicas_share_the_work_and_others_do_what_the_killed_one_had(run):
    asked, _, done, killed = run
    assert len(done) >= 2 and killed in done, "a third is there where it was started again in time"
    others = [name for process, names in done.items() if process != killed for name in names]
    assert len(done[killed]) < len(asked) / 2 < len(others)


def test_what_is_made_of_completions_is_made_elsewhere(run):
    _, results, done, _ = run
    assert not {process for _, process in results} & {os.getpid(), *done}


def test_the_texts_are_those_of_the_transformers_engine(run):
    asked, results, _, _ = run
    engine = load_engine("transformers", ModelConfig(device="cpu"), GenerationConfig())
    expected = {(c.request.problem_id, c.request.sample): c for c in engine.generate(asked, SAMPLING)}
    assert {(c.request.problem_id, c.request.sample): c for c, _ in results} == expected
    assert sum(completion.finish_reason == "stop" for completion in expected.values()) > 30, "most should say an answer"


# What can go wrong, with engines that start at once.


def test_requests_are_taken_as_results_are(cluster):
    taken = count()

    def endless() -> Iterator[Request]:
        for index in count():
            next(taken)
            yield Request((5, 6), f"p{index}", 0)

    stream = echo_engine().finished(endless(), SAMPLING, with_process)
    for _ in range(30):
        next(stream)
    assert next(taken) <= 30 + 2 * 6 + 3
    stream.close()


def test_results_come_while_others_are_still_to_be_asked_for(cluster):
    got: list[Completion] = []

    def dependent() -> Iterator[Request]:
        for request in requests(40):
            yield request
            if request.problem_id == "p30":
                assert got, "the first results should be here before the last request is taken"

    for completion in echo_engine().generate(dependent(), SAMPLING):
        got.append(completion)
    assert {completion.text for completion in got} == {f"5 p{index} 0" for index in range(40)}
    assert list(echo_engine().generate(iter(()), SAMPLING)) == []


def refuse(request: Request) -> None:
    if request.problem_id == "p7":
        raise SokratesError("p7: cannot be answered; expected another")


def refuse_completion(completion: Completion) -> None:
    refuse(completion.request)


@pytest.mark.parametrize("finishing", [False, True])
def test_an_error_of_a_replica_or_behind_it_ends_the_run_with_its_words(cluster, finishing):
    engine = echo_engine() if finishing else echo_engine(refuse)
    with pytest.raises(SokratesError, match=r"^p7: cannot be answered; expected another$"):
        list(engine.finished(requests(50), SAMPLING, refuse_completion if finishing else with_process))


def fail(completion: Completion) -> None:
    raise ValueError(f"a mistake at {completion.request.problem_id}")


def test_any_other_error_is_shown_with_its_place(cluster):
    with pytest.raises(ray.exceptions.RayError, match=r"(?s)in fail.*a mistake at p"):
        list(echo_engine().finished(requests(5), SAMPLING, fail))


def die(request: Request) -> None:
    if request.problem_id == "p7":
        os._exit(1)


# Slow: Ray may go on starting what was killed again and again, and then has no room for the next run on this machine.
@pytest.mark.slow
def test_a_request_that_kills_every_replica_is_named(cluster):
    with pytest.raises(SokratesError, match=rf"^p6 .* to p8 .*: generated {TRIES} times without a result"):
        list(echo_engine(die, replicas=1, ahead=1).generate(requests(12), SAMPLING))


def hang_once(mark: Path, request: Request) -> None:
    if request.problem_id == "p7" and not mark.exists():
        mark.touch()
        time.sleep(10**6)


@pytest.mark.slow
def test_what_a_lost_replica_had_is_done_by_another(cluster, tmp_path):
    engine = echo_engine(partial(hang_once, tmp_path / "mark"), quiet=2)
    texts = [completion.text for completion in engine.generate(requests(30), SAMPLING)]
    assert sorted(texts) == sorted(f"5 p{index} 0" for index in range(30))
    assert (tmp_path / "mark").exists()


def no_model() -> Echo:
    models.resolve("/no/such/model")
    return Echo()


def test_a_replica_that_cannot_start_says_why(cluster):
    began = time.monotonic()
    with pytest.raises(SokratesError, match="/no/such/model: no such folder"):
        list(RayEngine(no_model, window=100, replicas=2).generate(requests(5), SAMPLING))
    assert time.monotonic() - began < 60, "Ray should not try again and again"
    with pytest.raises(SokratesError, match="/no/such/model: no such folder"):
        load_ray(ModelConfig(model="/no/such/model"), GenerationConfig())


@pytest.mark.parametrize(("replicas", "gpus", "room"), [(3, 1, 2), (2, 2, 1), (1, 3, 0)])
def test_too_few_gpus_are_counted_before_anything_starts(cluster, replicas, gpus, room):
    engine = echo_engine(replicas=replicas, gpus=gpus)
    with pytest.raises(SokratesError, match=rf"{replicas} replicas of {gpus} GPUs: .* have 2 GPUs, enough for {room}"):
        next(engine.generate(requests(1), SAMPLING))


def test_a_prompt_beyond_the_window_is_named(cluster):
    with pytest.raises(SokratesError, match="full: its prompt has 100 tokens"):
        list(echo_engine().generate([Request((5,) * 100, "full", 0)], SAMPLING))


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.0.1:9", "Ray does not answer at 127.0.0.1:9: "),
        ("ray://127.0.0.1:9", "does not run through Ray's client"),
    ],
)
def test_an_address_where_no_ray_is(address, told):
    script = f"""
from sokrates.engines.engine import Request, Sampling
from sokrates.engines.ray import RayEngine
engine = RayEngine(list, window=9, replicas=1, address={address!r})
list(engine.generate([Request((1,), "p", 0)], Sampling(0, 1, 1, 1, 0)))
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert "SokratesError: " in done.stderr and told in done.stderr


def test_a_feed_keeps_a_batch_until_its_results_are_back():
    async def story() -> None:
        feed = Feed(quiet=60)
        early = asyncio.create_task(feed.take(1))
        await feed.send(b"first")
        await asyncio.sleep(0)
        assert not early.done()
        await feed.send(b"second")
        assert await early == (1, b"second")
        assert [await feed.take(0), await feed.take(0)] == [(0, b"first"), (0, b"first")]
        assert [await feed.begin(0), await feed.begin(0), await feed.begin(1)] == [1, 2, 1]
        await feed.finish(0)
        await feed.close()
        assert [await feed.take(0), await feed.take(1)] == [(0, FINISHED), (1, b"second")]
        last = asyncio.create_task(feed.take(2))
        await asyncio.sleep(0.01)
        assert not last.done(), "the second may yet be lost"
        await feed.finish(1)
        assert await last is None

    asyncio.run(story())


def test_a_feed_gives_out_again_what_does_not_come_back():
    async def story() -> None:
        feed = Feed(quiet=0.01)
        for batch in (b"a", b"b", b"c"):
            await feed.send(batch)
        waiting = asyncio.create_task(feed.take(3))
        await asyncio.sleep(0.05)
        assert not waiting.done(), "as long as more may come, those on the way are not taken for lost"
        await feed.finish(1)
        await feed.close()
        assert [await waiting, await feed.take(4)] == [(0, b"a"), (2, b"c")]
        await feed.finish(0)
        assert [await feed.take(3), await feed.take(5)] == [(0, FINISHED), (2, b"c")]
        await feed.finish(2)
        assert await feed.take(6) is None

    asyncio.run(story())
