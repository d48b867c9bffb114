"""The model that ships: its size, its architecture and its tokenizer."""

from __future__ import annotations

from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sokrates import models
from sokrates.logic.rules import CONCLUDE
from sokrates.problems.words import CONCEPTS, NAMES, PROPERTIES
from sokrates.traces.prompt import PromptStyle
from sokrates.training.tokenizer import LARGEST_NUMBER

FOLDER = files("sokrates") / "embedded"
PRETRAINED = ("MODUS_PONENS", "MODUS_TOLLENS", "AND_INTRO", "AND_ELIM", "UNIV_INSTANTIATION")
"""Rules whose names its tokenizer was made to know; it was before there were others."""


@pytest.fixture(scope="module")
def tokenizer():
    return models.load_tokenizer("embedded")


def test_it_is_small_and_safe_to_read():
    sizes = {path.name: len(path.read_bytes()) for path in FOLDER.iterdir()}
    assert sum(sizes.values()) <= 10 * 2**20
    assert {"config.json", "model.safetensors", "tokenizer.json", "prompt.json", "README.md"} <= sizes.keys()
    assert not [name for name in sizes if name.endswith((".bin", ".pt", ".pkl"))]


def test_it_loads_with_the_architecture_that_engines_serve():
    model = models.load_model("embedded", device="cpu")
    assert model.config.model_type == "qwen3"
    assert 4_000_000 < sum(parameter.numel() for parameter in model.parameters()) < 6_000_000
    assert PromptStyle.load(str(FOLDER)) == PromptStyle(instructions=False)


def test_every_line_number_is_one_token_wherever_it_stands(tokenizer):
    for number in range(LARGEST_NUMBER + 1):
        alone = tokenizer.encode(str(number), add_special_tokens=False)
        assert len(alone) == 1
        for text in (f"\n  [{number}] Max", f" (line {number}), so", f' args="[{number}, {number}]" />'):
            assert alone[0] in tokenizer.encode(text, add_special_tokens=False), text


def test_words_and_rules_are_one_token(tokenizer):
    words = [f" {word}" for word in (*CONCEPTS, *PROPERTIES, *NAMES)] + [f" {concept}es" for concept in CONCEPTS]
    for text in [*words, *PRETRAINED, CONCLUDE]:
        assert len(tokenizer.encode(text, add_special_tokens=False)) == 1, text


@given(text=st.text(max_size=60).filter(lambda text: "<" not in text))
def test_any_text_encodes(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text
