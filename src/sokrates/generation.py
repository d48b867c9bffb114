"""The generation stage: problems to verified traces, streamed through the engine and the verifier to disk.

Contract: the folder gets `traces.jsonl` (in the order of problems and samples) and `summary.json`, whole or not at all.
Finished samples go to a journal first: a stage that was killed goes on with those it lacks; since a sample's random
stream is fixed by the seed, the problem and the sample's number, the result equals an uninterrupted one.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sokrates import jsonl, stage
from sokrates.config import Config, GenerationConfig
from sokrates.engines.engine import Completion, Engine, Request, Sampling
from sokrates.errors import BadRecord, SokratesError
from sokrates.logic.language import ENGLISH, FORMULAS
from sokrates.problems import Problem
from sokrates.problems.reading import language_of
from sokrates.traces.building import build_trace
from sokrates.traces.prompt import PromptStyle, encode_prompt
from sokrates.traces.trace import Trace
from sokrates.verification.files import TRACES
from sokrates.verification.summary import Tally
from sokrates.verification.verify import verify

JOURNAL = "journal.jsonl"

OnTrace = Callable[[Trace], Any]

_HOW_RUN = {
    *("engine", "max_batch", "batch_tokens", "num_problems", "tensor_parallel_size", "gpu_memory", "max_lora_rank"),
    *("replicas", "address"),
}
"""Settings that say how the work is done, not what comes out."""


class Asker(msgspec.Struct, frozen=True):
    """A model ready to be asked: its engine, its tokenizer, how it wants its prompts, and its names for the record."""

    engine: Engine
    tokenizer: Any
    style: PromptStyle
    model: str
    adapter: str | None = None
    weights: str = ""
    """A hash of the adapter's weights, or of a local model's: by it a stage knows its model again."""


def sampling(config: GenerationConfig) -> Sampling:
    return Sampling(
        temperature=config.temperature,
        top_p=config.top_p,
        max_tokens=config.max_steps * (config.max_thought_tokens + config.max_action_tokens),
        max_steps=config.max_steps,
        seed=config.seed,
        guide=config.guide,
        max_step_tokens=config.max_thought_tokens + config.max_action_tokens if config.stepwise else 0,
    )


def generate_traces(
    problems: Sequence[Problem],
    asker: Asker,
    generation: GenerationConfig,
    output: Path,
    config: Config,
    *,
    on_trace: OnTrace | None = None,
) -> dict[str, Any]:
    """Sample, verify and write the traces of all problems; returns the summary. `on_trace` sees each finished trace.

    Errors: SokratesError where the folder holds another run, or a prompt does not fit the model's window.
    """
    _check_languages(problems, generation.solver_type)
    if stage.begin(output, _settings(problems, asker, generation), config):
        finished: dict[str, Any] = jsonl.read_json(output / stage.SUMMARY)
        return finished
    started = time.monotonic()
    target, journal = output / TRACES, output / JOURNAL
    traces = list(jsonl.read(target, Trace)) if target.is_file() else jsonl.read_partial(journal, Trace)
    for trace in traces:
        if on_trace:
            on_trace(trace)
    requests = list(_requests(problems, asker, generation, {(t.problem_id, t.sample) for t in traces}))
    new, verifying = 0, 0.0
    with jsonl.partial_path(journal).open("ab") as file:
        for trace, seconds in _sampled(requests, problems, asker, generation):
            file.write(msgspec.json.encode(trace) + b"\n")
            file.flush()
            traces.append(trace)
            new, verifying = new + 1, verifying + seconds
            if on_trace:
                on_trace(trace)
    order = {problem.problem_id: index for index, problem in enumerate(problems)}
    jsonl.write(target, sorted(traces, key=lambda t: (order[t.problem_id], t.sample)))
    summary = _summary(traces, new, time.monotonic() - started, verifying, generation)
    jsonl.write_json(output / stage.SUMMARY, summary)
    jsonl.partial_path(journal).unlink()
    return summary


def _check_languages(problems: Sequence[Problem], solver_type: str) -> None:
    wanted = {"prontoqa": ENGLISH, "folio": FORMULAS}.get(solver_type)
    for problem in problems:
        found = language_of(problem.premises_fol)
        if wanted is not None and found is not wanted:
            raise SokratesError(
                f"{problem.problem_id}: its premises are {found.name}; solver_type {solver_type} expects {wanted.name}"
            )


def within_window(problems: Sequence[Problem], asker: Asker, path: Path, set_aside: jsonl.SetAside) -> list[Problem]:
    """The problems whose prompt fits the model's window; the others are set aside, as records of the file at `path`."""
    kept = []
    for problem in problems:
        length = len(encode_prompt(asker.tokenizer, problem, asker.style))
        if length < asker.engine.window:
            kept.append(problem)
            continue
        message = f"its prompt has {length} tokens; expected fewer than the model's window of {asker.engine.window}"
        bad = BadRecord(message, path=str(path), line=0, problem_id=problem.problem_id)
        set_aside.add(bad, msgspec.json.encode(problem).decode())
    return kept


def _settings(problems: Sequence[Problem], asker: Asker, generation: GenerationConfig) -> dict[str, Any]:
    """What the traces depend on; how they are batched is left out, so that a smaller batch can go on."""
    return {
        "generation": generation.model_dump(exclude=_HOW_RUN),
        "style": msgspec.to_builtins(asker.style),
        "model": asker.model,
        "weights": asker.weights,
        "problems": stage.records_hash(problems),
    }


def _requests(
    problems: Sequence[Problem], asker: Asker, generation: GenerationConfig, done: set[tuple[str, int]]
) -> Iterator[Request]:
    for problem in problems:
        prompt = tuple(encode_prompt(asker.tokenizer, problem, asker.style))
        for sample in range(generation.samples_per_problem):
            if (problem.problem_id, sample) not in done:
                yield Request(prompt, problem.problem_id, sample, problem)


def _sampled(
    requests: Sequence[Request], problems: Sequence[Problem], asker: Asker, generation: GenerationConfig
) -> Iterator[tuple[Trace, float]]:
    """Each completion as a verified trace, with the seconds that its verification took."""
    by_id = {problem.problem_id: problem for problem in problems}
    for completion in asker.engine.generate(requests, sampling(generation)):
        began = time.monotonic()
        trace = _trace(by_id[completion.request.problem_id], completion, asker, generation)
        yield trace, time.monotonic() - began


def _trace(problem: Problem, completion: Completion, asker: Asker, generation: GenerationConfig) -> Trace:
    trace = build_trace(problem, completion.text, max_steps=generation.max_steps)
    trace.sample = completion.request.sample
    trace.finish_reason = completion.finish_reason
    trace.prompt_tokens = len(completion.request.prompt_ids)
    trace.completion_tokens = len(completion.token_ids)
    trace.model, trace.adapter, trace.seed = asker.model, asker.adapter, generation.seed
    return verify(trace)


def _summary(
    traces: Sequence[Trace], new: int, elapsed: float, verifying: float, generation: GenerationConfig
) -> dict[str, Any]:
    tally = Tally()
    for trace in traces:
        tally.add(trace)
    tokens = sum(trace.completion_tokens for trace in traces)
    return tally.summary(elapsed, generation.model_dump()) | {
        "traces_per_second": round(new / elapsed, 3) if elapsed else 0.0,
        "resumed_traces": len(traces) - new,
        "completion_tokens": tokens,
        "verification_seconds": round(verifying, 3),
    }


def select(problems: Sequence[Problem], count: int, seed: int) -> list[Problem]:
    """`count` of the problems, drawn by the seed and kept in their order; all for 0. Errors: more than there are."""

    if count > len(problems):
        raise SokratesError(f"{count} problems were asked for, the file has {len(problems)}; 0 takes all")
    if not count:
        return list(problems)
    chosen = sorted(random.Random(seed).sample(range(len(problems)), count))
    return [problems[index] for index in chosen]
