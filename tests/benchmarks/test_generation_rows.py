from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.generation_rows import ROWS, WARM_UP, Engines, choose_rows, measure
from benchmarks.generation_shapes import PROMPT_TOKENS, SHAPES, TRACE_TOKENS, Bench, prepare, tokenizer
from benchmarks.parity import common
from benchmarks.plain import PlainEngine
from sokrates import models
from sokrates.engines.engine import Request, Sampling
from sokrates.engines.transformers import TransformersEngine
from sokrates.traces.gold import gold_completion
from sokrates.traces.prompt import PromptStyle, build_prompt


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return prepare(SHAPES["tiny"], tmp_path_factory.mktemp("tiny"), WARM_UP + 4)


def test_every_id_of_the_tokenizer_decodes_and_text_comes_back(bench: Bench) -> None:
    made = models.load_tokenizer(bench.model)
    assert len(made) == 2048
    assert all(made.decode([number]) for number in range(3, len(made)))
    task = bench.tasks[0]
    gold = gold_completion(task.problem, max_steps=40)
    assert made.decode(task.gold_ids) == gold
    assert made.decode(task.prompt_ids) == build_prompt(task.problem, PromptStyle())
    assert tokenizer(2048).get_vocab() == made.get_vocab()


def test_the_work_has_about_the_lengths_it_should(bench: Bench) -> None:
    assert 200 < bench.shared < 300
    assert all(abs(len(task.prompt_ids) - PROMPT_TOKENS) < 50 for task in bench.tasks)
    assert all(abs(len(task.gold_ids) - TRACE_TOKENS) < 75 for task in bench.tasks)
    assert prepare(bench.shape, Path(bench.model).parent, len(bench.tasks)) == bench


def test_a_row_is_measured_as_it_says(bench: Bench, tmp_path: Path) -> None:
    figures = measure(ROWS["batch-64"], bench, Engines(bench, "cpu", "float32", tmp_path), problems=2)
    assert [part["traces"] for part in figures["repetitions"]] == [4, 4]
    ended = sum(
        n for reason, n in figures["finish_reasons"].items() if reason != "length"
    )  # by chance, at an end token
    assert TRACE_TOKENS * (8 - ended) / 8 <= figures["tokens_per_trace"] <= TRACE_TOKENS
    assert figures["shared_tokens"] == bench.shared


def test_rows_are_chosen_by_name_and_by_letter() -> None:
    names = [row.name for row in choose_rows("a,vllm", real=False, vllm=True, gpus=1)]
    assert names == ["vllm", "plain"]
    assert not [
        row for row in choose_rows("all", real=True, vllm=False, gpus=1) if row.engine == "vllm" or row.dictated
    ]
    with pytest.raises(ValueError, match="nonsense"):
        choose_rows("a,nonsense", real=False, vllm=True, gpus=1)


def test_rows_that_cannot_be_run_here() -> None:
    """They are left out of many, and an error by name."""
    assert "vllm-tp2" in [row.name for row in choose_rows("d", real=False, vllm=True, gpus=2)]
    assert "vllm-tp2" not in [row.name for row in choose_rows("d", real=False, vllm=True, gpus=1)]
    with pytest.raises(ValueError, match=r"rows vllm-tp2: expected .* there are 1 GPUs"):
        choose_rows("plain,vllm-tp2", real=False, vllm=True, gpus=1)
    with pytest.raises(ValueError, match="rows vllm-lora: expected vLLM"):
        choose_rows("vllm-lora", real=False, vllm=False, gpus=1)


@pytest.mark.parametrize("keep_cache", [True, False])
def test_the_plain_way_says_what_the_engine_says(keep_cache: bool) -> None:
    """Greedy, float32: one prompt at a time, computed again at each step or not, equals batching."""
    model, made = models.load_model("embedded", device="cpu"), models.load_tokenizer("embedded")
    tasks = _prompts(made)
    greedy = Sampling(temperature=0.0, top_p=1.0, max_tokens=120, max_steps=24, seed=0)
    plain = list(PlainEngine(model, made, keep_cache=keep_cache, step_tokens=33).generate(tasks, greedy))
    engine = TransformersEngine(model, made, max_batch=8, batch_tokens=10**6)
    batched = {done.request: done for done in engine.generate(tasks, greedy)}
    assert [done.request for done in plain] == tasks
    for done in plain:
        assert done == batched[done.request]


def _prompts(made: object) -> list[Request]:
    from sokrates.problems.generator import GeneratorSettings, generate
    from sokrates.traces.prompt import encode_prompt

    style = PromptStyle(instructions=False)
    return [
        Request(tuple(encode_prompt(made, problem, style)), problem.problem_id, sample)
        for problem in generate(2, GeneratorSettings(1, 3), seed=3)
        for sample in range(2)
    ]


def test_plain_sampling_differs_between_samples() -> None:
    torch.manual_seed(0)
    model, made = models.load_model("embedded", device="cpu"), models.load_tokenizer("embedded")
    hot = Sampling(temperature=5.0, top_p=1.0, max_tokens=20, max_steps=24, seed=0)
    first, second = PlainEngine(model, made, keep_cache=True).generate(_prompts(made)[:2], hot)
    assert first.token_ids != second.token_ids


def test_common_beginning() -> None:
    assert common((1, 2, 3), (1, 2, 4)) == 2
    assert common((1, 2), (1, 2, 4)) == 2
    assert common((), (1,)) == 0
