"""The generation stage: order, resume, and what it refuses."""

from __future__ import annotations

import pickle
import time

import msgspec
import pytest

from sokrates import jsonl
from sokrates.asking import load_asker
from sokrates.config import Config, load
from sokrates.errors import SokratesError
from sokrates.generation import generate_traces, select, within_window
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.trace import Trace
from tests.tiny import build

PROBLEMS = list(generate(3, GeneratorSettings(1, 2, distractors=0.0), seed=3))


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Config:
    model = build(tmp_path_factory.mktemp("model"), window=2048)
    return load(
        None,
        [
            f"model={model}",
            "prompt.instructions=false",
            "trace_generation.max_steps=1",
            "trace_generation.max_thought_tokens=20",
            "trace_generation.max_action_tokens=10",
        ],
    )


@pytest.fixture(scope="module")
def asker(config):
    return load_asker(config.model, config)


def test_traces_come_in_the_order_of_problems_and_samples(config, asker, tmp_path):
    summary = generate_traces(PROBLEMS, asker, config.trace_generation, tmp_path, config)
    traces = list(jsonl.read(tmp_path / "traces.jsonl", Trace))
    assert [(t.problem_id, t.sample) for t in traces] == [(p.problem_id, s) for p in PROBLEMS for s in (0, 1)]
    assert summary["total_traces"] == 6
    assert summary["completion_tokens"] == sum(t.completion_tokens for t in traces) > 0
    assert all(t.all_steps_valid is not None and t.label is not None and t.finish_reason for t in traces)


def test_a_killed_stage_goes_on_and_ends_equal(config, asker, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    generate_traces(PROBLEMS, asker, config.trace_generation, whole, config)

    class Killed(Exception):
        pass

    seen: list[Trace] = []

    def kill_after_two(trace: Trace) -> None:
        seen.append(trace)
        if len(seen) == 2:
            raise Killed

    with pytest.raises(Killed):
        generate_traces(PROBLEMS, asker, config.trace_generation, killed, config, on_trace=kill_after_two)
    assert not (killed / "traces.jsonl").exists()
    partial = killed / "journal.jsonl.partial"
    partial.write_bytes(partial.read_bytes() + b'{"problem_id": "cut in the mid')
    summary = generate_traces(PROBLEMS, asker, config.trace_generation, killed, config)
    assert summary["resumed_traces"] == 2
    assert (killed / "traces.jsonl").read_bytes() == (whole / "traces.jsonl").read_bytes()
    assert not partial.exists()


def test_a_finished_stage_is_not_done_again(config, asker, tmp_path):
    first = generate_traces(PROBLEMS, asker, config.trace_generation, tmp_path, config)

    def never(_: Trace) -> None:
        raise AssertionError("sampled again")

    assert generate_traces(PROBLEMS, asker, config.trace_generation, tmp_path, config, on_trace=never) == first


def test_a_smaller_batch_may_go_on(config, asker, tmp_path):
    first = generate_traces(PROBLEMS, asker, config.trace_generation, tmp_path, config)
    smaller = config.trace_generation.model_copy(update={"max_batch": 1})
    assert generate_traces(PROBLEMS, asker, smaller, tmp_path, config) == first


def test_other_labels_are_other_problems(config, asker, tmp_path):
    generate_traces(PROBLEMS, asker, config.trace_generation, tmp_path, config)
    relabelled = [msgspec.structs.replace(problem, label=None) for problem in PROBLEMS]
    with pytest.raises(SokratesError, match="problems was"):
        generate_traces(relabelled, asker, config.trace_generation, tmp_path, config)


def test_prompts_beyond_the_window_can_be_set_aside(asker, tmp_path):
    long = Problem(problem_id="long-one", premises=("Max is red.",) * 400, conclusion="Max is red.")
    aside = jsonl.SetAside(tmp_path / "aside.jsonl")
    assert within_window([PROBLEMS[0], long], asker, tmp_path / "p.jsonl", aside) == [PROBLEMS[0]]
    assert [(error["problem_id"], "window" in error["error"]) for error in aside.errors] == [("long-one", True)]


def test_a_folder_of_other_settings_is_refused(config, asker, tmp_path):
    generate_traces(PROBLEMS, asker, config.trace_generation, tmp_path, config)
    other = config.trace_generation.model_copy(update={"seed": 1})
    with pytest.raises(SokratesError, match=r"begun with other settings \(generation.seed was 42, is 1\)"):
        generate_traces(PROBLEMS, asker, other, tmp_path, config)


def test_a_prompt_beyond_the_window_names_its_problem(config, asker, tmp_path):
    long = Problem(problem_id="long-one", premises=("Max is red.",) * 400, conclusion="Max is red.")
    with pytest.raises(SokratesError, match="long-one"):
        generate_traces([long], asker, config.trace_generation, tmp_path, config)


def test_select_draws_by_the_seed_and_keeps_the_order():
    chosen = select(PROBLEMS, 2, seed=1)
    assert len(chosen) == 2
    assert [PROBLEMS.index(p) for p in chosen] == sorted(PROBLEMS.index(p) for p in chosen)
    assert select(PROBLEMS, 0, seed=1) == PROBLEMS
    assert {tuple(p.problem_id for p in select(PROBLEMS, 2, seed)) for seed in range(20)} != {()}
    with pytest.raises(SokratesError, match="the file has 3"):
        select(PROBLEMS, 4, seed=1)


def test_a_solver_type_names_the_language_of_the_problems(config, asker, tmp_path):
    generation = config.trace_generation.model_copy(update={"solver_type": "folio"})
    with pytest.raises(SokratesError, match=f"{PROBLEMS[0].problem_id}: its premises are controlled English"):
        generate_traces(PROBLEMS, asker, generation, tmp_path / "english", config)
    formulas = Problem(
        problem_id="f", premises=("P(a)",), premises_fol=("P(a)",), conclusion="P(a)", conclusion_fol="P(a)"
    )
    summary = generate_traces([formulas], asker, generation, tmp_path / "formulas", config)
    assert summary["total_traces"] == 2


def test_an_engine_may_take_over_the_verification(config, asker, tmp_path):
    engine = asker.start()

    class Whole:
        """An engine that hands on what another makes of each completion."""

        window = engine.window
        generate = engine.generate

        def finished(self, requests, sampling, finish):
            for completion in engine.generate(requests, sampling):
                yield pickle.loads(pickle.dumps(finish))(pickle.loads(pickle.dumps(completion)))

    expected = tmp_path / "one"
    generate_traces(PROBLEMS, asker, config.trace_generation, expected, config)
    whole = msgspec.structs.replace(asker, start=Whole)
    summary = generate_traces(PROBLEMS, whole, config.trace_generation, tmp_path / "two", config)
    assert summary["seconds"]["verify"] == 0
    assert (tmp_path / "two" / "traces.jsonl").read_bytes() == (expected / "traces.jsonl").read_bytes()


def test_a_trace_whose_verification_ends_its_process_is_kept_without_verdicts(config, asker, tmp_path, monkeypatch):
    class Lost:
        seconds = 0.0

        def __init__(self, work):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def run(self, completions):
            return ((completion, None) for completion in completions)

    monkeypatch.setattr("sokrates.generation.Beside", Lost)
    summary = generate_traces(PROBLEMS, asker, config.trace_generation, tmp_path, config)
    traces = list(jsonl.read(tmp_path / "traces.jsonl", Trace))
    assert len(traces) == 6 and summary["valid_traces"] == 0
    assert {trace.all_steps_valid for trace in traces} == {None}
    assert all("ended the worker process" in trace.invalid_reason for trace in traces)


def test_what_an_engine_takes_to_start_is_not_counted_as_generation(config, asker, tmp_path):
    def slowly():
        time.sleep(0.3)
        return asker.start()

    slow = msgspec.structs.replace(asker, start=slowly)
    summary = generate_traces(PROBLEMS, slow, config.trace_generation, tmp_path, config)
    seconds = summary["seconds"]
    assert seconds["load"] >= 0.3
    working = seconds["generate"] + seconds["verify"] + seconds["write"]
    assert summary["traces_per_second"] == pytest.approx(6 / working, rel=0.05)
