"""The generation stage: problems to verified traces, streamed through the engine and the verifier to disk.

Contract: the folder gets `traces.jsonl` (in the order of problems and samples) and `summary.json`, whole or not at all.
Finished samples go to a journal first: a stage that was killed goes on with those it lacks; since a sample's random
stream is fixed by the seed, the problem and the sample's number, the result equals an uninterrupted one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from sokrates import jsonl, stage
from sokrates.clock import Clock
from sokrates.config import Config, GenerationConfig
from sokrates.disk import Writing
from sokrates.engines.engine import Completion, Engine, Pipeline, Request, Sampling
from sokrates.errors import BadRecord, SokratesError
from sokrates.logic.language import ENGLISH, FORMULAS
from sokrates.problems import Problem
from sokrates.problems.reading import language_of
from sokrates.traces.building import build_trace
from sokrates.traces.prompt import PromptStyle, encode_prompt
from sokrates.traces.trace import Trace
from sokrates.verification.beside import Beside
from sokrates.verification.files import DIED, TRACES
from sokrates.verification.summary import Tally
from sokrates.verification.verify import verify

JOURNAL = "journal.jsonl"

OnTrace = Callable[[Trace], Any]

_PARTS = ("load", "generate", "verify", "write")
HOW_RUN = {
    *("engine", "max_batch", "batch_tokens", "num_problems", "tensor_parallel_size", "gpu_memory", "max_lora_rank"),
    *("replicas", "address"),
}
"""Settings that say how the work is done, not what comes out."""


class Asker(msgspec.Struct, frozen=True):
    """A model ready to be asked: its engine, its tokenizer, how it wants its prompts, and its names for the record."""

    start: Callable[[], Engine]
    """Its engine, ready; started where that was not done yet, so that work that is done already starts none."""
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
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Sample, verify and write the traces of all problems; returns the summary. `on_trace` sees each finished trace.

    The summary's `seconds` say where the time went, after what the `clock` says already: load (the engine's start, or
    its taking up of another adapter), generate (which includes waiting for the engine), verify (what verification costs
    this process) and write. Rates leave load out.

    Errors: SokratesError where the folder holds another run, or a prompt does not fit the model's window.
    """
    _check_languages(problems, generation.solver_type)
    if stage.begin(output, _settings(problems, asker, generation), config):
        finished: dict[str, Any] = jsonl.read_json(output / stage.SUMMARY)
        return finished
    clock = clock or Clock()
    target, journal = output / TRACES, output / JOURNAL
    traces = list(jsonl.read(target, Trace)) if target.is_file() else jsonl.read_partial(journal, Trace)
    for trace in traces:
        if on_trace:
            on_trace(trace)
    resumed = len(traces)
    requests = list(_requests(problems, asker, generation, {(t.problem_id, t.sample) for t in traces}))
    with jsonl.partial_path(journal).open("ab") as file, clock.part("generate"):
        for trace in _sampled(requests, asker, generation, clock):
            with clock.part("write", of="generate"), Writing(journal):
                file.write(msgspec.json.encode(trace) + b"\n")
                file.flush()
            traces.append(trace)
            if on_trace:
                on_trace(trace)
    with clock.part("write"):
        order = {problem.problem_id: index for index, problem in enumerate(problems)}
        jsonl.write(target, sorted(traces, key=lambda t: (order[t.problem_id], t.sample)))
    summary = _summary(traces, resumed, clock, generation)
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
    window = asker.start().window
    for problem in problems:
        length = prompt_length(problem, asker)
        if length < window:
            kept.append(problem)
            continue
        message = f"its prompt has {length} tokens; expected fewer than the model's window of {window}"
        bad = BadRecord(message, path=str(path), line=0, problem_id=problem.problem_id)
        set_aside.add(bad, msgspec.json.encode(problem).decode())
    return kept


def prompt_length(problem: Problem, asker: Asker) -> int:
    """The tokens of a problem's prompt."""
    return len(encode_prompt(asker.tokenizer, problem, asker.style))


def _settings(problems: Sequence[Problem], asker: Asker, generation: GenerationConfig) -> dict[str, Any]:
    """What the traces depend on; how they are batched is left out, so that a smaller batch can go on."""
    return {
        "generation": generation.model_dump(exclude=HOW_RUN),
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


def _sampled(requests: Sequence[Request], asker: Asker, generation: GenerationConfig, clock: Clock) -> Iterator[Trace]:
    """Each completion as a verified trace, in any order; what verification costs this process is `verify`'s time."""
    judge = Judge(generation.max_steps, generation.seed, asker.model, asker.adapter)
    with clock.part("load", of="generate"):
        engine = asker.start()
    if isinstance(engine, Pipeline):
        clock.add("verify", 0.0)
        yield from engine.finished(requests, sampling(generation), judge)
        return
    with Beside(judge) as beside:
        for completion, trace in beside.run(engine.generate(requests, sampling(generation))):
            yield judge.unverified(completion) if trace is None else trace
    clock.add("verify", beside.seconds, of="generate")


@dataclass(frozen=True, slots=True)
class Judge:
    """Makes a completion a verified trace. Picklable, for verification runs in processes of its own."""

    max_steps: int
    seed: int
    model: str
    adapter: str | None

    def __call__(self, completion: Completion) -> Trace:
        return verify(self._trace(completion))

    def unverified(self, completion: Completion) -> Trace:
        """The trace of a completion whose verification ended the process that was at it."""
        trace = self._trace(completion)
        trace.invalid_reason = DIED
        return trace

    def _trace(self, completion: Completion) -> Trace:
        request = completion.request
        assert request.problem is not None
        trace = build_trace(request.problem, completion.text, max_steps=self.max_steps)
        trace.sample = request.sample
        trace.finish_reason = completion.finish_reason
        trace.prompt_tokens = len(request.prompt_ids)
        trace.completion_tokens = len(completion.token_ids)
        trace.model, trace.adapter, trace.seed = self.model, self.adapter, self.seed
        return trace


def _summary(traces: Sequence[Trace], resumed: int, clock: Clock, generation: GenerationConfig) -> dict[str, Any]:
    tally = Tally()
    for trace in traces:
        tally.add(trace)
    new = traces[resumed:]
    working = clock.total() - clock.seconds.get("load", 0.0)
    return tally.summary(working, generation.model_dump()) | {
        "traces_per_second": round(len(new) / working, 3),
        "tokens_per_second": round(sum(trace.completion_tokens for trace in new) / working, 1),
        "resumed_traces": resumed,
        "completion_tokens": sum(trace.completion_tokens for trace in traces),
        "seconds": {name: round(clock.seconds[name], 3) for name in _PARTS if name in clock.seconds},
        "verification_share": round(clock.seconds["verify"] / working, 5),
    }


def select(problems: Sequence[Problem], count: int, seed: int) -> list[Problem]:
    """`count` of the problems, drawn by the seed and kept in their order; all for 0. Errors: more than there are."""

    if count > len(problems):
        raise SokratesError(f"{count} problems were asked for, the file has {len(problems)}; 0 takes all")
    if not count:
        return list(problems)
    chosen = sorted(random.Random(seed).sample(range(len(problems)), count))
    return [problems[index] for index in chosen]
