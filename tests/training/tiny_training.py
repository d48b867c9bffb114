"""A random two-layer Qwen3, its tokenizer, and token ids to train it on: the same ones in every process.

Run as a program it trains in a process of its own, which can be one of several, and can be killed at a step:
`python -m tests.training.tiny_training '{"stage": "dpo", "output": "out", "config": {}, "kill_after": 3}'`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM, TrainerCallback

from sokrates import config, ranks
from sokrates.errors import SokratesError
from sokrates.training import dpo, processes, sft
from sokrates.training.data import Example, PairIds

VOCABULARY = 64


def base() -> Qwen3ForCausalLM:
    torch.manual_seed(0)
    shape = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 48}
    settings = Qwen3Config(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, tie_word_embeddings=True, **shape
    )
    return Qwen3ForCausalLM(settings).eval()


def adapter(dropout: float = 0.0) -> PeftModel:
    """The base with an adapter that does something, as SFT leaves it."""
    torch.manual_seed(7)
    lora = LoraConfig(r=4, lora_dropout=dropout, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(base(), lora)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    return model


def make_tokenizer() -> PreTrainedTokenizerFast:
    words = {"<pad>": 0, "<eos>": 1} | {f"w{index}": index for index in range(2, VOCABULARY)}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token="<eos>")), pad_token="<pad>", eos_token="<eos>"
    )


def _ids(source: random.Random, shortest: int, longest: int) -> tuple[int, ...]:
    return tuple(source.randrange(2, VOCABULARY) for _ in range(source.randint(shortest, longest)))


def make_examples(count: int) -> list[Example]:
    source = random.Random(1)
    return [Example(f"example-{index}", _ids(source, 4, 9), _ids(source, 3, 7)) for index in range(count)]


def make_pairs(count: int) -> list[PairIds]:
    source = random.Random(2)
    return [
        PairIds(f"pair-{index}", _ids(source, 4, 9), _ids(source, 3, 9), _ids(source, 3, 9)) for index in range(count)
    ]


class KillAfter(TrainerCallback):
    """Ends the last process after a step as a machine that is taken away does: nothing runs any more."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step and ranks.rank() == ranks.count() - 1:
            os.kill(os.getpid(), signal.SIGKILL)


def killed_after(make: Any, step: int) -> Any:
    """A `make_trainer` whose trainer kills its process after a step; 0 never does."""

    def make_trainer(*args: Any, **options: Any) -> Any:
        trainer = make(*args, **options)
        trainer.add_callback(KillAfter(step))
        return trainer

    return make_trainer


def train(
    stage: str, output: str, settings: dict[str, Any], kill_after: int = 0, count: int = 12, progress: bool = False
) -> Any:
    """One training of `count` examples (a quarter more held out) or pairs."""
    common = {"base_name": "tiny", "progress": progress}
    if stage == "sft":
        sft.make_trainer = killed_after(sft.make_trainer, kill_after)
        known = make_examples(count + count // 4)
        return sft.train_sft(
            base(), make_tokenizer(), known[:count], config.SFTConfig(**settings), Path(output),
            heldout=known[count:], **common,
        )  # fmt: skip
    dpo.make_trainer = killed_after(dpo.make_trainer, kill_after)
    start = adapter(dropout=0.1)
    return dpo.train_dpo(
        start, make_tokenizer(), make_pairs(count), config.DPOConfig(**settings), Path(output), **common
    )


if __name__ == "__main__":
    try:
        train(**json.loads(sys.argv[1]))
        processes.part()
    except SokratesError as error:
        sys.exit(f"SokratesError: {error}")
