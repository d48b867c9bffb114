"""What guides promise, kept by the model that ships, sampling at temperature 1."""

from __future__ import annotations

import pytest

from sokrates import models
from sokrates.config import Config, ModelConfig
from sokrates.engines import load_engine
from sokrates.engines.engine import Request
from sokrates.generation import sampling
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.building import build_trace
from sokrates.traces.prompt import PromptStyle, encode_prompt
from sokrates.traces.trace import Trace
from sokrates.verification.summary import Tally
from sokrates.verification.verify import verify


def sampled(guide: str, count: int) -> tuple[dict, list[Trace]]:
    """The summary and the traces of one sample of each of `count` problems."""
    generation = Config().trace_generation.model_copy(update={"guide": guide, "temperature": 1.0, "max_batch": 128})
    engine = load_engine("transformers", ModelConfig(model="embedded", device="cpu", dtype="float32"), generation)
    tokenizer, style = models.load_tokenizer("embedded"), PromptStyle.load(models.resolve("embedded").base)
    problems = {p.problem_id: p for p in generate(count, GeneratorSettings(distractors=2), seed=77)}
    requests = [Request(tuple(encode_prompt(tokenizer, p, style)), p.problem_id, 0, p) for p in problems.values()]
    tally, traces = Tally(), []
    for completion in engine.generate(requests, sampling(generation)):
        trace = build_trace(problems[completion.request.problem_id], completion.text)
        trace.finish_reason = completion.finish_reason
        traces.append(verify(trace))
        tally.add(trace)
    return tally.summary(1, None), traces


@pytest.mark.parametrize("count", [8, pytest.param(500, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_every_action_is_valid_under_the_solver_guide(count):
    summary, traces = sampled("solver", count)
    assert summary["valid_actions"] == summary["actions"] > 4 * count
    assert all(step.action_valid for trace in traces for step in trace.emitted)
    assert summary["step_validity"] < 1, "claims stay the model's"


@pytest.mark.parametrize("count", [8, pytest.param(500, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_no_action_is_malformed_under_the_grammar_guide(count):
    summary, _ = sampled("grammar", count)
    assert summary["malformed_actions"] == 0 and summary["actions"] > 4 * count
    assert summary["action_validity"] < 1
