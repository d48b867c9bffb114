"""Pretraining of the embedded model, from nothing, on text of our own generator.

Contract: problems are drawn without end from seeds that no other stage uses; a share of the traces is sloppy (see
`traces.sloppy`), so the result reasons plausibly but not soundly, and a share wanders (see `traces.wandering`).
Reserved problems (see `problems.splits`) are left out, and evaluation problems are drawn from those alone. The loss is
on all tokens. It does not resume.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sokrates import jsonl
from sokrates.disk import Writing
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.problems.splits import is_reserved
from sokrates.traces.gold import gold_outline, write_outline
from sokrates.traces.prompt import PromptStyle, build_prompt, encode_completion, encode_prompt
from sokrates.traces.sloppy import sloppy_outline
from sokrates.traces.wandering import wandering_outline
from sokrates.training.tokenizer import train_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

    from sokrates.config import PretrainConfig

STYLE = PromptStyle(instructions=False)
MAX_LENGTH = 1024
_CHUNK = 512
_BUCKET = 64
_AHEAD = 32
"""Batches that a worker makes ahead: those of more than one round. They are taken from the workers in turn, and while
one makes problems for a round the others would else wait for it: all together are then little faster than one."""


def documents(config: PretrainConfig, stream: int) -> Iterator[tuple[Any, str]]:
    """Problems with the text of a trace, without end, from one of many independent streams: easy ones first."""
    rng = random.Random(f"pretrain/{config.seed}/{stream}")
    for part in count():
        settings = _curriculum(config, part, rng)
        for problem in generate(_CHUNK, settings, seed=part, prefix=f"pretrain-{config.seed}-{stream}"):
            if is_reserved(problem):
                continue
            outline = gold_outline(problem)
            if config.wander and rng.random() < config.wander:
                outline = wandering_outline(problem, outline, rng)
            if rng.random() < config.noise:
                outline = sloppy_outline(problem, outline, rng, rate=config.noise_per_step)
            yield problem, write_outline(problem, outline)


def _curriculum(config: PretrainConfig, part: int, rng: random.Random) -> GeneratorSettings:
    """Short proofs in small ontologies for the first parts of a stream; then all sizes, short ones a little oftener."""
    if part < 4:
        hops_max, distractors = min(config.hops_min + part // 2, config.hops_max), 0.5
    else:
        hops_max = config.hops_max if rng.random() < 0.6 else min(config.hops_min + 2, config.hops_max)
        distractors = rng.choice((0.5, 1.0, 1.0, 2.0))
    return GeneratorSettings(config.hops_min, hops_max, distractors=distractors, second_facts=config.second_facts)


def make_tokenizer(config: PretrainConfig, sample: int = 4000) -> PreTrainedTokenizerFast:
    source = documents(config, stream=-1)
    texts = (build_prompt(problem, STYLE) + text for problem, text in (next(source) for _ in range(sample)))
    return train_tokenizer(texts, config.vocab_size)


class Batches:
    """An endless torch data set of right-padded batches, each of about `batch_tokens` tokens of like length.

    Every document comes `repeats` times, spread over as many rounds: making problems is slower than a GPU.
    """

    def __init__(self, config: PretrainConfig, tokenizer: PreTrainedTokenizerFast) -> None:
        self.config, self.tokenizer = config, tokenizer

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        from torch.utils.data import get_worker_info

        info = get_worker_info()
        source = documents(self.config, info.id if info else 0)
        rng = random.Random(info.id if info else 0)
        pool: deque[list[list[int]]] = deque(maxlen=self.config.repeats)
        while True:
            pool.append([self._encode(*next(source)) for _ in range(_CHUNK)])
            batches = list(self._cut(sorted((row for chunk in pool for row in chunk), key=len)))
            rng.shuffle(batches)
            yield from batches

    def _encode(self, problem: Any, text: str) -> list[int]:
        return encode_prompt(self.tokenizer, problem, STYLE) + encode_completion(self.tokenizer, text)

    def _cut(self, rows: list[list[int]]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        start = 0
        while start < len(rows):
            end, width = start, 0
            while end < len(rows):
                longer = -(-len(rows[end]) // _BUCKET) * _BUCKET
                if end > start and longer * (end - start + 1) > self.config.batch_tokens:
                    break
                end, width = end + 1, longer
            yield self._pad(rows[start:end], width)
            start = end

    def _pad(self, rows: list[list[int]], width: int) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        ids = torch.full((len(rows), width), self.tokenizer.pad_token_id, dtype=torch.long)
        labels = torch.full((len(rows), width), -100, dtype=torch.long)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = torch.tensor(row)
            labels[index, : len(row)] = ids[index, : len(row)]
        return ids, labels


def new_model(config: PretrainConfig, tokenizer: PreTrainedTokenizerFast) -> Any:
    """A Qwen3 model of the configured shape with fresh weights."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(config.seed)
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden,
            intermediate_size=config.intermediate,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.kv_heads,
            head_dim=config.hidden // config.heads,
            max_position_embeddings=MAX_LENGTH * 2,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def learning_rate_share(done: float) -> float:
    """Rise over the first 2%, hold, and fall linearly over the last 40% (`done`: share of the run, 0 to 1)."""
    return min(1.0, done / 0.02, (1.0 - done) / 0.4)


@dataclass
class PretrainResult:
    steps: int
    tokens: int
    seconds: float
    waited: float
    """Of these the seconds in which no problems were there to go on with: more workers would help."""
    final_loss: float
    parameters: int
    device: str


def pretrain(
    config: PretrainConfig, output: Path, *, on_step: Callable[[int, float, float, Any], None] | None = None
) -> PretrainResult:
    """Train for `config.seconds` or `config.steps`, whichever ends first, and save a bf16 model with its tokenizer.

    `on_step(step, loss, share_done, model)` is called every `config.logging_steps` steps.
    """
    import torch
    from torch.utils.data import DataLoader, IterableDataset

    class Endless(Batches, IterableDataset):
        pass

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = make_tokenizer(config)
    model = new_model(config, tokenizer).to(device)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, betas=(0.9, 0.95), weight_decay=0.1, fused=device == "cuda"
    )
    loader = DataLoader(
        Endless(config, tokenizer),
        batch_size=None,
        num_workers=config.num_workers,
        prefetch_factor=_AHEAD if config.num_workers else None,
        pin_memory=device == "cuda",
    )
    model.train()
    batches = iter(loader)
    started, waited, tokens, loss_value = time.monotonic(), 0.0, 0, float("nan")
    for step in count(1):
        asked = time.monotonic()
        ids, labels = next(batches)
        waited += time.monotonic() - asked
        done = max((time.monotonic() - started) / config.seconds, step / config.steps)
        if done >= 1.0:
            break
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * learning_rate_share(done)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
            loss = model(
                input_ids=ids.to(device, non_blocking=True),
                labels=labels.to(device, non_blocking=True),
                use_cache=False,
            ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        tokens += int(ids.numel())
        if step % config.logging_steps == 0:
            loss_value = float(loss.detach())
            if loss_value != loss_value:
                raise FloatingPointError(f"the loss is not a number at step {step}")
            if on_step:
                on_step(step, loss_value, done, model)
    result = PretrainResult(
        steps=step,
        tokens=tokens,
        seconds=time.monotonic() - started,
        waited=waited,
        final_loss=loss_value,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        device=device,
    )
    save(model, tokenizer, output)
    jsonl.write_json(output / "pretrain.json", {"config": config.model_dump(), "result": asdict(result)})
    return result


def save(model: Any, tokenizer: PreTrainedTokenizerFast, output: Path) -> None:
    """Write the model in bf16 with its tokenizer and prompt style."""
    import copy

    import torch

    with Writing(output):
        copy.deepcopy(model).to(torch.bfloat16).save_pretrained(output)
        tokenizer.save_pretrained(output)
    STYLE.save(output)
