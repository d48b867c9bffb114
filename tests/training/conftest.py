"""A random two-layer Qwen3, its tokenizer, and token ids to train it on."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from sokrates.training.data import Example, PairIds

VOCABULARY = 64


@pytest.fixture
def new_base() -> Callable[[], Qwen3ForCausalLM]:
    """Makes the same model each time it is called: training uses a model up."""

    def make() -> Qwen3ForCausalLM:
        torch.manual_seed(0)
        shape = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 48}
        config = Qwen3Config(
            vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, tie_word_embeddings=True, **shape
        )
        return Qwen3ForCausalLM(config).eval()

    return make


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    words = {"<pad>": 0, "<eos>": 1} | {f"w{index}": index for index in range(2, VOCABULARY)}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token="<eos>")), pad_token="<pad>", eos_token="<eos>"
    )


def _ids(source: random.Random, shortest: int, longest: int) -> tuple[int, ...]:
    return tuple(source.randrange(2, VOCABULARY) for _ in range(source.randint(shortest, longest)))


@pytest.fixture
def examples() -> list[Example]:
    source = random.Random(1)
    return [Example(f"example-{index}", _ids(source, 4, 9), _ids(source, 3, 7)) for index in range(12)]


@pytest.fixture
def pairs() -> list[PairIds]:
    source = random.Random(2)
    return [PairIds(f"pair-{index}", _ids(source, 4, 9), _ids(source, 3, 9), _ids(source, 3, 9)) for index in range(10)]
