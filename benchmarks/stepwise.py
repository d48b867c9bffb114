"""The cache kept across steps against re-encoding at each step, on the same greedy tokens; and continuous batching.

Every trace is forced to the same number of steps of the same number of tokens, whatever the model says, so that both
ways do the same work. Re-encoding goes on from the text so far with an empty cache at the beginning of each step, which
is the plan's way but for the engine under it: the same attention, cache and batching serve both, so that the ratio is
the cache's alone. The embedded model has its real weights; other shapes have random ones, made on the device. A shape's
float format is bfloat16 on CUDA, where batches of other sizes round differently: then the share of equal tokens is
reported, with the distance of the two best scores at each first difference.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import click
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from benchmarks.machine import PROJECT, describe
from sokrates import jsonl, models
from sokrates.engines.engine import Request, Sampling
from sokrates.engines.row import Row
from sokrates.engines.stepwise import StepwiseEngine
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.prompt import PromptStyle, encode_prompt

RESULTS = PROJECT / "benchmarks" / "results"
STEPS, STEP_TOKENS, PROMPT_TOKENS = 6, 25, 400
SHAPES = {  # layers, hidden, heads, key heads, intermediate, tied embeddings: the published configurations of Qwen3
    "0.6b": (28, 1024, 16, 8, 3072, True),
    "8b": (36, 4096, 32, 8, 12288, False),
}
Tokens = dict[str, tuple[int, ...]]


class Endless:
    """A stopper that ends nothing and sees no step."""

    actions = 0

    def feed(self, piece: str) -> None:
        return None


class ForcedEngine(StepwiseEngine):
    """The engine with traces that end at their limit only."""

    def _groups(self, requests: Sequence[Request], sampling: Sampling) -> Any:
        self._ends: frozenset[int] = frozenset()
        groups = super()._groups(requests, sampling)
        for group in groups:
            for row in group:
                _endless(row)
        return groups


def _endless(row: Row) -> None:
    row.stopper = Endless()  # type: ignore[assignment]


def load(shape: str, device: str) -> tuple[Any, Any]:
    """The model and a tokenizer; a shape's tokenizer is the embedded model's, whose text nobody reads."""
    tokenizer = models.load_tokenizer(models.EMBEDDED)
    if shape == models.EMBEDDED:
        return models.load_model(models.EMBEDDED, device=device), tokenizer
    layers, hidden, heads, kv_heads, intermediate, tied = SHAPES[shape]
    config = Qwen3Config(
        vocab_size=151936,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=128,
        intermediate_size=intermediate,
        max_position_embeddings=1024,
        tie_word_embeddings=tied,
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        model = Qwen3ForCausalLM(config).eval()
    torch.set_default_dtype(torch.float32)
    return model, tokenizer


def prompts(shape: str, count: int, tokenizer: Any) -> list[Request]:
    """Real prompts for the embedded model, random ones of `PROMPT_TOKENS` tokens for random weights."""
    if shape == models.EMBEDDED:
        problems = generate(count, GeneratorSettings(1, 5), seed=1)
        style = PromptStyle(instructions=False)
        return [Request(tuple(encode_prompt(tokenizer, p, style)), p.problem_id, 0) for p in problems]
    rng = random.Random(0)
    return [Request(tuple(rng.choices(range(10, 150000), k=PROMPT_TOKENS)), f"p{i}", 0) for i in range(count)]


def kept(engine: ForcedEngine, requests: Sequence[Request]) -> Tokens:
    """All steps with one cache."""
    return {c.request.problem_id: c.token_ids for c in engine.generate(requests, _sampling(STEPS * STEP_TOKENS))}


def re_encoded(engine: ForcedEngine, requests: Sequence[Request]) -> Tokens:
    """Each step from an empty cache."""
    tokens: Tokens = {request.problem_id: () for request in requests}
    for _ in range(STEPS):
        so_far = [Request(r.prompt_ids + tokens[r.problem_id], r.problem_id, 0) for r in requests]
        for completion in engine.generate(so_far, _sampling(STEP_TOKENS)):
            tokens[completion.request.problem_id] += completion.token_ids
    return tokens


def _sampling(tokens: int) -> Sampling:
    return Sampling(temperature=0, top_p=1, max_tokens=tokens, max_steps=10**6, seed=0)


def continuous(model: Any, requests: Sequence[Request]) -> Tokens:
    """The same with transformers' own continuous batching."""
    from transformers import GenerationConfig

    limit = STEPS * STEP_TOKENS
    settings = GenerationConfig(max_new_tokens=limit, do_sample=False, eos_token_id=-1, pad_token_id=0)
    model.set_attn_implementation("sdpa")  # it refuses an implementation that is not its own
    results = model.generate_batch([list(request.prompt_ids) for request in requests], generation_config=settings)
    by_prompt = {tuple(result.prompt_ids): tuple(result.generated_tokens) for result in results.values()}
    return {request.problem_id: by_prompt[request.prompt_ids] for request in requests}


def timed(way: Callable[[], Tokens], device: str) -> tuple[float, Tokens]:
    """Seconds and tokens of one run."""
    started = time.perf_counter()
    tokens = way()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started, tokens


@torch.inference_mode()
def agreement(model: Any, requests: Sequence[Request], left: Tokens, right: Tokens) -> dict[str, Any]:
    """The share of equal tokens, and of traces that differ the gap of the two best scores at the first difference."""
    equal = total = 0
    gaps = []
    for request in requests:
        pairs = list(zip(left[request.problem_id], right[request.problem_id], strict=True))
        equal += sum(a == b for a, b in pairs)
        total += len(pairs)
        first = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
        if first is not None:
            text = torch.tensor([[*request.prompt_ids, *left[request.problem_id][:first]]], device=model.device)
            best = model(text, logits_to_keep=1).logits[0, -1].float().topk(2).values
            gaps.append(round(float(best[0] - best[1]), 4))
    return {
        "equal_tokens": round(equal / total, 4),
        "equal_traces": len(requests) - len(gaps),
        "traces": len(requests),
        "gaps_at_first_difference": {"median": median(gaps), "largest": max(gaps)} if gaps else None,
    }


def compare(
    model: Any, tokenizer: Any, requests: Sequence[Request], batch: int, device: str, repetitions: int
) -> dict[str, Any]:
    """Both ways with batches of one size, taking turns; the best repetition of each counts."""
    engine = ForcedEngine(model, tokenizer, max_batch=batch, batch_tokens=10**6)
    ways = {"kept": lambda: kept(engine, requests), "re_encoded": lambda: re_encoded(engine, requests)}
    kept(engine, requests[:batch])
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    said: dict[str, Tokens] = {}
    for _ in range(repetitions):
        for name, way in ways.items():
            taken, said[name] = timed(way, device)
            seconds[name].append(taken)
    best = {name: min(runs) for name, runs in seconds.items()}
    return {
        "batch": batch,
        "traces": len(requests),
        "seconds": {name: [round(run, 3) for run in runs] for name, runs in seconds.items()},
        "seconds_per_trace": {name: round(run / len(requests), 4) for name, run in best.items()},
        "ratio": round(best["re_encoded"] / best["kept"], 2),
        **agreement(model, requests, said["kept"], said["re_encoded"]),
    }


@click.command()
@click.option("--shape", type=click.Choice([models.EMBEDDED, *SHAPES]), default=models.EMBEDDED, show_default=True)
@click.option("--device", default="cuda" if torch.cuda.is_available() else "cpu", show_default=True)
@click.option("--alone", default=8, show_default=True, help="Problems that are done one at a time.")
@click.option("--problems", default=64, show_default=True, help="Problems that are done in batches.")
@click.option("--batch", default=64, show_default=True)
@click.option("--repetitions", default=3, show_default=True)
@click.option("--continuous-batching", is_flag=True, help="Measure transformers' own continuous batching too.")
@click.option("--output", type=Path, help="JSON file.  [default: one in benchmarks/results]")
def main(
    shape: str,
    device: str,
    alone: int,
    problems: int,
    batch: int,
    repetitions: int,
    continuous_batching: bool,
    output: Path | None,
) -> None:
    """Measure, print the table and write it as JSON."""
    model, tokenizer = load(shape, device)
    requests = prompts(shape, max(alone, problems), tokenizer)
    rows = {
        "one_at_a_time": compare(model, tokenizer, requests[:alone], 1, device, repetitions),
        "batch": compare(model, tokenizer, requests[:problems], batch, device, repetitions),
    }
    per_trace = {name: row["seconds_per_trace"]["kept"] for name, row in rows.items()}
    result = {
        "what": f"greedy, {STEPS} steps of {STEP_TOKENS} tokens: cache kept against re-encoding at each step",
        "shape": shape,
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "dtype": str(model.dtype).removeprefix("torch."),
        "prompt_tokens": round(sum(len(r.prompt_ids) for r in requests) / len(requests), 1),
        **rows,
        "batching_ratio": round(per_trace["one_at_a_time"] / per_trace["batch"], 2),
    }
    for name, row in rows.items():
        taken = row["seconds_per_trace"]
        print(
            f"{name:15} kept {taken['kept']:.4f} s/trace, re-encoded {taken['re_encoded']:.4f}: "
            f"{row['ratio']} times; equal tokens {row['equal_tokens']:.2%}; {row['gaps_at_first_difference']}"
        )
    print(f"batching across problems: {result['batching_ratio']} times")
    if continuous_batching:
        result["continuous_batching"] = _continuous(model, tokenizer, requests[:problems], batch, device)
    result["machine"] = describe("torch", "transformers")
    jsonl.write_json(output or RESULTS / f"stepwise-{shape}-{device}.json", result)


def _continuous(model: Any, tokenizer: Any, requests: Sequence[Request], batch: int, device: str) -> dict[str, Any]:
    engine = ForcedEngine(model, tokenizer, max_batch=batch, batch_tokens=10**6)
    ours, expected = timed(lambda: kept(engine, requests), device)
    theirs, found = timed(lambda: continuous(model, requests), device)
    print(f"continuous batching {theirs:.2f} s, our engine {ours:.2f} s: {theirs / ours:.2f} times")
    return {
        "seconds": {"ours": round(ours, 3), "continuous_batching": round(theirs, 3)},
        "ratio": round(theirs / ours, 2),
        **agreement(model, requests, expected, found),
    }


if __name__ == "__main__":
    main()
