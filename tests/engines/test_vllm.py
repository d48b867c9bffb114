"""The vLLM engine with the real vLLM on a CPU: the transformers engine's texts, token for token."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from sokrates import models
from sokrates.config import GenerationConfig, ModelConfig
from sokrates.engines import Completion, Request, Sampling, load_engine, vllm_start
from sokrates.engines.transformers import TransformersEngine, ready
from sokrates.errors import SokratesError
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.prompt import PromptStyle, encode_prompt
from sokrates.traces.trace import Trace
from tests import adapters, tiny

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]

SAMPLED = Sampling(temperature=0.7, top_p=0.95, max_tokens=400, max_steps=24, seed=42)
GREEDY = replace(SAMPLED, temperature=0.0, max_tokens=120)
PROBLEMS = list(generate(12, GeneratorSettings(1, 5), seed=3))


@pytest.fixture(scope="module", autouse=True)
def environment():
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """Adapters of the embedded model by name; `other` is one of another base."""
    root = tmp_path_factory.mktemp("adapters")
    base = tiny.build(root / "base")
    return {
        "first": adapters.build(root / "first", seed=1),
        "second": adapters.build(root / "second", seed=2),
        "wide": adapters.build(root / "wide", rank=20),
        "other": adapters.build(root / "other", base=str(base)),
    }


@pytest.fixture(scope="module")
def requests() -> list[Request]:
    tokenizer = models.load_tokenizer("embedded")
    prompts = [tuple(encode_prompt(tokenizer, p, PromptStyle(instructions=False))) for p in PROBLEMS]
    return [
        Request(prompt, problem.problem_id, sample, problem)
        for problem, prompt in zip(PROBLEMS, prompts, strict=True)
        for sample in (0, 1)
    ]


def new_engine(name: str, **settings):
    from sokrates.engines.vllm import VllmEngine

    return VllmEngine(name, device="cpu", **settings)


@pytest.fixture(scope="module")
def engine():
    return new_engine("embedded", max_lora_rank=12, block_size=32)


@pytest.fixture(scope="module")
def adapted(folders):
    """An engine that was started with an adapter; tests leave the first one in it."""
    return new_engine(str(folders["first"]), max_batch=8)


def by_sample(completions) -> dict[tuple[str, int], Completion]:
    found = {}
    for completion in completions:
        key = (completion.request.problem_id, completion.request.sample)
        assert key not in found, "given out twice"
        found[key] = completion
    return found


def expected(name: str, requests, sampling) -> dict[tuple[str, int], Completion]:
    """What the transformers engine says."""
    model = ready(models.load_model(str(name), device="cpu"))
    engine = TransformersEngine(model, models.load_tokenizer(str(name)), max_batch=64, batch_tokens=65536)
    return by_sample(engine.generate(requests, sampling))


@pytest.mark.parametrize("sampling", [SAMPLED, GREEDY])
def test_says_what_the_transformers_engine_says(engine, requests, sampling):
    found = by_sample(engine.generate(requests, sampling))
    assert found == expected("embedded", requests, sampling)
    assert {c.finish_reason for c in found.values()} >= {"stop"}
    same = sum(found[p.problem_id, 0].text == found[p.problem_id, 1].text for p in PROBLEMS)
    assert same == len(PROBLEMS) if sampling is GREEDY else same < len(PROBLEMS)


def test_with_an_adapter_too(adapted, folders, requests):
    found = by_sample(adapted.generate(requests, SAMPLED))
    assert found == expected(folders["first"], requests, SAMPLED)
    assert found != expected("embedded", requests, SAMPLED), "the adapter should change something"


def test_a_sample_does_not_depend_on_what_is_beside_it(engine, requests):
    whole = by_sample(engine.generate(requests, SAMPLED))
    few = random.Random(0).sample(requests, 5)
    assert by_sample(engine.generate(few, SAMPLED)).items() <= whole.items()
    other = by_sample(engine.generate(few, replace(SAMPLED, seed=43)))
    assert any(other[key].token_ids != whole[key].token_ids for key in other)


def test_every_way_to_end(engine, requests):
    short = replace(SAMPLED, max_tokens=30)
    one_step = replace(SAMPLED, max_steps=1)
    for sampling, reason in ((short, "length"), (one_step, "max_steps")):
        found = by_sample(engine.generate(requests[:8], sampling))
        assert found == expected("embedded", requests[:8], sampling)
        assert reason in {c.finish_reason for c in found.values()}
    assert not engine._engine.has_unfinished_requests()


def test_completions_come_as_they_finish_and_the_rest_can_be_left(engine, requests):
    run = engine.generate(requests, SAMPLED)
    first = next(run)
    assert len(requests) // 2 < engine._engine.get_num_unfinished_requests() < len(requests)
    with pytest.raises(RuntimeError, match="under way"):
        next(engine.generate(requests[:1], SAMPLED))
    run.close()
    assert not engine._engine.has_unfinished_requests()
    again = by_sample(engine.generate(requests, SAMPLED))
    assert again[first.request.problem_id, first.request.sample] == first


def test_requests_are_fed_in_as_places_become_free(adapted, folders, requests, monkeypatch):
    monkeypatch.setattr("sokrates.engines.vllm.WAITING", 2)
    step, most = adapted._engine.step, 0

    def counted():
        nonlocal most
        most = max(most, adapted._engine.get_num_unfinished_requests())
        return step()

    monkeypatch.setattr(adapted._engine, "step", counted)
    short = replace(SAMPLED, max_tokens=40)
    assert by_sample(adapted.generate(requests, short)) == expected(folders["first"], requests, short)
    assert most == 8 + 2


def test_samples_of_a_prompt_share_its_computation(engine, requests):
    prompt, cached = engine.prompt_tokens, engine.cached_tokens
    fresh = [replace(r, prompt_ids=(5, *r.prompt_ids)) for r in requests if r.sample == 0]
    mixed = [replace(r, sample=sample) for sample in range(3) for r in fresh]
    list(engine.generate(mixed, replace(SAMPLED, max_tokens=4)))
    lengths = sum(len(r.prompt_ids) for r in fresh)
    assert engine.prompt_tokens - prompt == 3 * lengths
    # Two of three samples find all whole blocks of the prompt.
    assert engine.cached_tokens - cached >= 2 * sum(len(r.prompt_ids) // 32 * 32 - 32 for r in fresh)
    assert 0 < engine.cache_hit_rate < 1


def test_a_token_that_ends_the_text(engine, requests, monkeypatch):
    reference = TransformersEngine(
        models.load_model("embedded", device="cpu"), engine._decoder._tokenizer, max_batch=8, batch_tokens=65536
    )
    usual = by_sample(engine.generate(requests[:8], GREEDY))
    ends = {next(iter(usual.values())).token_ids[20]}
    monkeypatch.setattr(engine, "_ends", engine._ends | ends)
    monkeypatch.setattr(reference, "_ends", reference._ends | ends)
    found = by_sample(engine.generate(requests[:8], GREEDY))
    assert found == by_sample(reference.generate(requests[:8], GREEDY))
    assert any(c.token_ids[-1] in ends and c.finish_reason == "stop" for c in found.values())


def test_a_row_that_vllm_ends_by_itself_is_an_error(engine, requests, monkeypatch):
    from sokrates.engines.vllm import _sampling_params

    token = next(engine.generate(requests[:1], GREEDY)).token_ids[20]
    monkeypatch.setattr(
        "sokrates.engines.vllm._sampling_params",
        lambda row, sampling, ends: _sampling_params(row, sampling, ends | {token}),
    )
    with pytest.raises(SokratesError, match=r"sample 0: vLLM ended it with 'stop' after \d+ tokens; expected"):
        list(engine.generate(requests[:2], GREEDY))
    assert not engine._engine.has_unfinished_requests()


@pytest.mark.parametrize("guide", ["grammar", "solver", "random"])
def test_a_guide_says_what_it_says_in_the_transformers_engine(engine, requests, guide):
    hot = replace(SAMPLED, temperature=1.5, top_p=1.0, max_tokens=100)
    guided = replace(hot, guide=guide)
    found = by_sample(engine.generate(requests[:12], guided))
    assert found == expected("embedded", requests[:12], guided)
    assert found != by_sample(engine.generate(requests[:12], hot)), "the guide should change something"
    if guide != "grammar":
        aimless = [replace(requests[0], problem=None)]
        with pytest.raises(SokratesError):
            list(engine.generate(aimless, guided))
        assert not engine._engine.has_unfinished_requests()


def test_log_probs_are_transformers_own(engine):
    from sokrates.engines.agreement import difference, reference

    found = reference("embedded", "cpu", "float32")
    assert engine.difference.largest < 1e-4
    assert difference(found, engine.log_probs(found.probes)).largest < 1e-4


def test_adapters_follow_each_other_and_each_is_itself(adapted, folders, requests):
    from sokrates.engines.agreement import reference
    from sokrates.traces.probes import PROBE_FILE, encode

    first = adapted.log_probs(adapted._probes.probes)
    adapted.load_adapter(folders["second"])
    second = adapted.log_probs(adapted._probes.probes)
    assert first != second
    assert adapted.difference.largest < 1e-4
    few = requests[:4]
    assert by_sample(adapted.generate(few, SAMPLED)) == expected(folders["second"], few, SAMPLED)
    assert len(adapted._engine.list_loras()) == 1

    wrong = reference(str(folders["second"]), "cpu", "float32")
    (folders["first"] / PROBE_FILE).write_bytes(encode(wrong))
    with pytest.raises(SokratesError, match=r"first: the engine does not compute what the trainer does: .* differ by"):
        adapted.load_adapter(folders["first"])
    (folders["first"] / PROBE_FILE).write_bytes(encode(reference(str(folders["first"]), "cpu", "float32")))
    adapted.load_adapter(folders["first"])
    assert adapted.log_probs(adapted._probes.probes) == first

    adapted.load_adapter(None)
    assert by_sample(adapted.generate(few, SAMPLED)) == expected("embedded", few, SAMPLED)
    assert not adapted._engine.list_loras() and adapted.difference.largest < 1e-4
    adapted.load_adapter(folders["first"])
    assert adapted.log_probs(adapted._probes.probes) == first


def test_adapters_that_do_not_fit(engine, adapted, folders, tmp_path):
    with pytest.raises(SokratesError, match=r"other: an adapter of .*base; the engine runs embedded"):
        adapted.load_adapter(folders["other"])
    with pytest.raises(SokratesError, match=r"wide: its rank is 20; the engine has room for 16: .*max_lora_rank=32"):
        engine.load_adapter(folders["wide"])
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "adapter_config.json").write_text((folders["first"] / "adapter_config.json").read_text())
    with pytest.raises(SokratesError, match="broken: an adapter without weights"):
        adapted.load_adapter(broken)
    with pytest.raises(SokratesError, match="a model; expected a folder with an adapter"):
        adapted.load_adapter("embedded")


def test_requests_and_settings_that_it_does_not_take(engine):
    with pytest.raises(SokratesError, match=f"long: its prompt has 2048 tokens; expected at most {engine.window - 1}"):
        engine.generate([Request((5,) * 2048, "long", 0)], SAMPLED)
    (only,) = engine.generate([Request((5,) * 2040, "full", 0)], SAMPLED)
    assert len(only.token_ids) <= 8 and only.finish_reason in ("length", "stop")
    with pytest.raises(SokratesError, match="step by step is for --engine transformers"):
        engine.generate([], replace(SAMPLED, max_step_tokens=10))
    engine.sleep()  # frees nothing, and breaks nothing
    engine.wake()
    assert list(engine.generate([Request((5,) * 10, "after", 0)], SAMPLED))
    with pytest.raises(SokratesError, match="sleep mode needs a CUDA device"):
        new_engine("embedded", sleep_mode=True)


def test_what_vllm_says_at_its_start_reaches_the_user():
    with pytest.raises(SokratesError, match=r"vLLM cannot start \(where it speaks of memory: .*: .*block"):
        new_engine("embedded", check=False, num_gpu_blocks_override=1)


def test_a_build_for_another_device_is_named():
    with pytest.raises(SokratesError, match=r"the installed vLLM is not built for CUDA: .*--engine transformers"):
        vllm_start.import_vllm(cuda=True)


def test_loads_by_name(folders):
    model = ModelConfig(model="embedded", device="cpu")
    with pytest.raises(SokratesError, match="tensor_parallel_size 2: this machine has 0 CUDA devices"):
        load_engine("vllm", model, GenerationConfig(tensor_parallel_size=2))
    assert isinstance(load_engine("auto", model, GenerationConfig()), TransformersEngine)


APART = """
import json, sys
import psutil
from sokrates.engines import Request, Sampling
from sokrates.engines.vllm import VllmEngine

engine = VllmEngine(sys.argv[1], device="cpu", max_batch=8)
requests = [Request(tuple(ids), name, sample) for ids, name, sample in json.loads(sys.argv[2])]
said = [(c.request.problem_id, c.request.sample, c.token_ids) for c in engine.generate(requests, Sampling(%s))]
beside = len(psutil.Process().children(recursive=True))
engine.close()
left = [child for child in psutil.Process().children() if "EngineCore" in " ".join(child.cmdline())]
print(json.dumps({"said": said, "beside": beside, "left": len(left)}))
"""


def test_with_vllm_in_a_process_of_its_own_as_on_a_gpu(folders, requests):
    few, short = requests[:6], replace(SAMPLED, max_tokens=60)
    asked = json.dumps([(r.prompt_ids, r.problem_id, r.sample) for r in few])
    settings = f"{short.temperature}, {short.top_p}, {short.max_tokens}, {short.max_steps}, {short.seed}"
    run = subprocess.run(
        [sys.executable, "-c", APART % settings, str(folders["second"]), asked],
        env=environ(VLLM_ENABLE_V1_MULTIPROCESSING="1"),
        stdout=subprocess.PIPE,
        check=True,
    )
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["beside"] > 0 and found["left"] == 0
    wanted = expected(folders["second"], few, short)
    assert {(name, sample): tuple(ids) for name, sample, ids in found["said"]} == {
        key: completion.token_ids for key, completion in wanted.items()
    }


def environ(**more: str) -> dict[str, str]:
    """The environment of a process that imports the project from here."""
    path = os.pathsep.join(filter(None, ("src", os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, **more}


RUN = ("--model", "embedded", "--samples-per-problem", "2", "--max-thought-tokens", "60", "--seed", "7")


def generation(folder: Path, data: Path, engine: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "sokrates", "generate", "--engine", engine, "--data", str(data)]
    return subprocess.Popen([*command, "--output", str(folder), *RUN], env=environ(), start_new_session=True)


def said(folder: Path) -> list[tuple[str, int, str]]:
    from sokrates import jsonl

    return [(t.problem_id, t.sample, t.completion) for t in jsonl.read(folder / "traces.jsonl", Trace)]


# Behind the tests with engines of the module: on a CPU an engine that ends takes what all of a process share with it.
def test_a_sample_that_vllm_interrupts_goes_on_as_before(requests, monkeypatch):
    cramped = new_engine("embedded", check=False, block_size=32, num_gpu_blocks_override=70)
    scheduler = cramped._engine.engine_core.engine_core.scheduler
    interrupt = MagicMock(wraps=scheduler._preempt_request)
    monkeypatch.setattr(scheduler, "_preempt_request", interrupt)
    guided = replace(SAMPLED, guide="grammar")
    assert by_sample(cramped.generate(requests, guided)) == expected("embedded", requests, guided)
    assert interrupt.call_count > 0


def test_a_killed_run_goes_on_and_ends_as_any_other(tmp_path):
    from sokrates import jsonl

    data = tmp_path / "problems.jsonl"
    jsonl.write(data, list(generate(60, GeneratorSettings(1, 5), seed=11)))
    for name in ("transformers", "vllm"):
        assert generation(tmp_path / name, data, name).wait() == 0
    killed = generation(tmp_path / "killed", data, "vllm")
    journal = jsonl.partial_path(tmp_path / "killed" / "journal.jsonl")
    while killed.poll() is None and not (journal.is_file() and journal.read_bytes().count(b"\n") >= 5):
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert 5 <= journal.read_bytes().count(b"\n") < 120, "it should have been killed in the middle"
    assert generation(tmp_path / "killed", data, "vllm").wait() == 0
    summary = json.loads((tmp_path / "killed" / "summary.json").read_text())
    assert 5 <= summary["resumed_traces"] < 120
    whole = said(tmp_path / "vllm")
    assert len(whole) == len({(problem, sample) for problem, sample, _ in whole}) == 120
    assert said(tmp_path / "killed") == whole == said(tmp_path / "transformers")
