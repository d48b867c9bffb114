"""Likelihood displacement: DPO may make the chosen completion less likely too; an SFT term holds it up.

The embedded model with a new adapter is trained on pairs of a gold trace over one that is nearly the same (one number
in one action is another) or that has sloppy steps, on a CPU, once for each loss, from the same start and in the same
order. What is shown is by how much the log-probabilities of both completions have changed since the start, in nats per
completion, and what they are per token.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec
import peft
import torch

from benchmarks.generation import RESULTS
from benchmarks.machine import describe
from sokrates import jsonl, models
from sokrates.config import DPOConfig
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.gold import gold_completion, gold_outline, write_outline
from sokrates.traces.prompt import PromptStyle, encode_completion, encode_prompt
from sokrates.traces.sloppy import sloppy_outline
from sokrates.training.data import PairIds
from sokrates.training.dpo import Progress, train_dpo

LOSSES: dict[str, tuple[list[str], list[float]]] = {
    "sigmoid": (["sigmoid"], [1.0]),
    "sigmoid + sft": (["sigmoid", "sft"], [1.0, 1.0]),
}


def near(problem: Problem, source: random.Random) -> str:
    """The gold trace with one number in one action made another."""
    text = gold_completion(problem)
    place = source.choice(list(re.finditer(r"(?<=[\[ ])\d+(?=[\],])", text)))
    return text[: place.start()] + str((int(place[0]) + source.randint(1, 3)) % 10) + text[place.end() :]


def sloppy(problem: Problem, source: random.Random) -> str:
    """The gold trace with about half of its steps unsound."""
    return write_outline(problem, sloppy_outline(problem, gold_outline(problem), source, rate=0.5))


REJECTED: dict[str, Callable[[Problem, random.Random], str]] = {"near": near, "sloppy": sloppy}


def pairs(kind: str, count: int, tokenizer: Any) -> list[PairIds]:
    """Pairs of the problems whose rejected text differs from the gold one."""
    source, found = random.Random(5), []
    for problem in generate(count, GeneratorSettings(1, 3), seed=9, prefix="displacement"):
        texts = [gold_completion(problem), REJECTED[kind](problem, source)]
        if texts[0] != texts[1]:
            prompt = tuple(encode_prompt(tokenizer, problem, PromptStyle(instructions=False)))
            completions = (tuple(encode_completion(tokenizer, text)) for text in texts)
            found.append(PairIds(problem.problem_id, prompt, *completions))
    return found


def train(losses: str, data: list[PairIds], config: DPOConfig, folder: Path) -> list[dict[str, float]]:
    """The history under these losses."""
    kinds, weights = LOSSES[losses]
    torch.manual_seed(config.seed)
    lora = peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    model = peft.get_peft_model(models.load_model(models.EMBEDDED, device="cpu"), lora)
    settings = DPOConfig.model_validate(config.model_dump() | {"loss_type": kinds, "loss_weights": weights})
    tokenizer = models.load_tokenizer(models.EMBEDDED)
    result = train_dpo(model, tokenizer, data, settings, folder, base_name=models.EMBEDDED, progress=False)
    return [_change(entry, config.beta) for entry in result.history]


def _change(entry: Progress, beta: float) -> dict[str, float]:
    """A reward is beta times the change of the log-probability since the start."""
    figures: dict[str, float] = msgspec.structs.asdict(entry)
    return figures | {"chosen_change": entry.chosen_reward / beta, "rejected_change": entry.rejected_reward / beta}


@click.command()
@click.option("--pairs", "count", default=48, show_default=True, help="Problems to make pairs of.")
@click.option("--epochs", default=3, show_default=True)
@click.option("--learning-rate", default=1e-3, show_default=True)
@click.option("--beta", default=0.1, show_default=True)
@click.option("--output", type=Path, default=RESULTS, help="Folder for the JSON.")
def main(count: int, epochs: int, learning_rate: float, beta: float, output: Path) -> None:
    """Train once for each loss, print what became of both completions, and write it as JSON."""
    config = DPOConfig(
        num_epochs=epochs, learning_rate=learning_rate, beta=beta, gradient_accumulation_steps=1, logging_steps=2
    )
    machine = describe("torch", "transformers", "trl", "peft")
    summary: dict[str, Any] = {"machine": machine, "config": config.model_dump(), "rejected": {}}
    for kind in REJECTED:
        data = pairs(kind, count, models.load_tokenizer(models.EMBEDDED))
        tokens = sum(len(pair.chosen_ids) + len(pair.rejected_ids) for pair in data) / (2 * len(data))
        rows = summary["rejected"][kind] = {"pairs": len(data), "completion_tokens": round(tokens, 1), "losses": {}}
        with tempfile.TemporaryDirectory() as name:
            for number, losses in enumerate(LOSSES):
                history = train(losses, data, config, Path(name) / str(number))
                rows["losses"][losses] = history
                print(f"{kind}, {losses}: step, chosen and rejected: change (nats), log-probability a token; margin")
                for entry in history:
                    print(_line(entry), flush=True)
                jsonl.write_json(output / "displacement-embedded-cpu.json", summary)


def _line(entry: dict[str, float]) -> str:
    changes = f"{entry['chosen_change']:+8.3f} {entry['rejected_change']:+8.3f}"
    tokens = f"{entry['chosen_logp_per_token']:+.4f} {entry['rejected_logp_per_token']:+.4f}"
    return f"  {entry['step']:4} {changes}   {tokens}  {entry['margin']:.3f}"


if __name__ == "__main__":
    main()
