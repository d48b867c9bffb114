"""A random two-layer Qwen3, its tokenizer, and token ids to train it on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from sokrates.training.data import Example, PairIds
from tests.training import tiny_training


@pytest.fixture
def new_base() -> Callable[[], Qwen3ForCausalLM]:
    """Makes the same model each time it is called: training uses a model up."""
    return tiny_training.base


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    return tiny_training.make_tokenizer()


@pytest.fixture
def examples() -> list[Example]:
    return tiny_training.make_examples(12)


@pytest.fixture
def pairs() -> list[PairIds]:
    return tiny_training.make_pairs(10)
