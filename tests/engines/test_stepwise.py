"""Step by step with the cache kept: the same tokens as re-encoding everything at every token, whatever is replaced."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import lru_cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sokrates import models
from sokrates.config import GenerationConfig, ModelConfig
from sokrates.engines import load_engine
from sokrates.engines.engine import Request, Sampling
from sokrates.engines.stepwise import StepwiseEngine
from sokrates.engines.transformers import TransformersEngine
from sokrates.errors import SokratesError
from sokrates.guides import Mask
from tests import tiny

MOST = 70
ACTION = re.compile(r"(?:^|[ \t])Action[ \t]*:", re.IGNORECASE)


class Shape:
    """A guide under which any model writes steps: labels and line breaks are given, letters are the model's."""

    def __init__(self, tokenizer) -> None:
        self.tokenizer = tokenizer
        pieces = {i: tokenizer.decode([i]) for i in range(len(tokenizer))}
        self.letters = tuple(
            i for i, piece in pieces.items() if piece.isascii() and piece.isalpha() and piece.islower()
        )
        self.line_break = tokenizer.encode("\n")[0]

    def follow(self, problem, stream) -> ShapeFollower:
        return ShapeFollower(self)


class ShapeFollower:
    def __init__(self, shape: Shape) -> None:
        self.shape, self.text = shape, ""

    def feed(self, token_id: int) -> None:
        self.text += self.shape.tokenizer.decode([token_id])

    def mask(self) -> Mask:
        *ended, line = self.text.split("\n")
        label = ("Thought: ", "Action: ")[len(ended) % 2]
        if len(line) < len(label) and label.startswith(line):
            return Mask([self.shape.tokenizer.encode(label[len(line) :])[0]], True)
        long_enough = len(line) > len(label) + 2 + (7 * len(ended)) % 11
        return Mask([self.shape.line_break] if long_enough else self.shape.letters, True)


class Judge:
    """A watcher whose verdict depends on nothing but the step and its place."""

    def __init__(self, seed: int, share: float = 0.6) -> None:
        self.seed, self.share, self.seen = seed, share, []

    def look(self, request: Request, step: str) -> str | None:
        self.seen.append((request.problem_id, step))
        luck = random.Random(f"{self.seed} {request.problem_id} {step}")
        if luck.random() > self.share:
            return step
        kind = luck.randrange(10)
        if kind == 0:
            return None
        thought, _, action = step.partition("\n")
        return (
            step[: len(step) - 1],
            step + "abc",
            "Thought: x\nAction: y",
            f"Thought: {'longer than it was ' * 3}\n{action}",
            f"{thought}\nAction: other",
        )[kind % 5]


def reference(folder, request: Request, judge: Judge, max_steps: int) -> tuple[int, ...]:
    """Greedy, with everything computed anew for each token."""
    tokens: list[int] = []
    begin = steps = 0
    model, tokenizer = loaded(folder)
    while len(tokens) < MOST and _actions(tokenizer.decode(tokens)) < max_steps:
        follower = shape_of(folder).follow(None, 0)
        for token in tokens:
            follower.feed(token)
        with torch.inference_mode():
            logits = model(torch.tensor([[*request.prompt_ids, *tokens]])).logits[0, -1]
        allowed = list(follower.mask().token_ids)
        tokens.append(allowed[int(logits[allowed].argmax())])
        text = tokenizer.decode(tokens)
        if _actions(text) <= steps:
            continue
        steps += 1
        step = text[begin:].strip("\n")
        start = text[: text.index(step, begin)]
        wanted = judge.look(request, step)
        if wanted is None:
            return tuple(_prefix(tokenizer, tokens, text[:begin]))
        if wanted != step:
            text = f"{start}{wanted}\n"
            kept = _prefix(tokenizer, tokens, text)
            tokens = [*kept, *tokenizer.encode(text[len(tokenizer.decode(kept)) :])]
        begin = len(start + wanted)
    return tuple(tokens[:MOST])


def _actions(text: str) -> int:
    return sum(bool(ACTION.search(line)) for line in text.split("\n")[:-1])


def _prefix(tokenizer, tokens: Sequence[int], text: str) -> list[int]:
    return next(
        list(tokens[:n]) for n in range(len(tokens), -1, -1) if text.startswith(tokenizer.decode(list(tokens[:n])))
    )


@lru_cache
def loaded(folder):
    return models.load_model(str(folder), device="cpu"), models.load_tokenizer(str(folder))


@lru_cache
def shape_of(folder) -> Shape:
    return Shape(loaded(folder)[1])


def engine_of(folder, max_batch: int, kind=StepwiseEngine):
    model, tokenizer = loaded(folder)
    engine = kind(model, tokenizer, max_batch=max_batch, batch_tokens=10**6)
    engine._guide = lambda name: shape_of(folder)
    return engine


def requests(count: int, seed: int = 0) -> list[Request]:
    source = random.Random(seed)
    return [
        Request(tuple(source.randrange(3, 300) for _ in range(source.randint(1, 30))), f"p{i}", 0) for i in range(count)
    ]


def sampling(max_steps: int = 4, **changed) -> Sampling:
    return Sampling(
        **({"temperature": 0, "top_p": 1, "max_tokens": MOST, "max_steps": max_steps, "seed": 0} | changed),
        guide="grammar",
    )


@pytest.fixture(scope="module", params=[{}, {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1}])
def folder(tmp_path_factory, request):
    return tiny.build(tmp_path_factory.mktemp("tiny") / "model", **request.param)


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), max_batch=st.integers(1, 6), share=st.sampled_from([0.0, 0.5, 1.0]))
def test_greedy_tokens_are_those_of_re_encoding(folder, seed, max_batch, share):
    asked = requests(4, seed)
    judges = Judge(seed, share), Judge(seed, share)
    expected = {r.problem_id: reference(folder, r, judges[0], 3) for r in asked}
    found = engine_of(folder, max_batch).generate(asked, sampling(3), judges[1])
    assert {c.request.problem_id: c.token_ids for c in found} == expected
    assert sorted(judges[1].seen) == sorted(judges[0].seen), "every step is looked at once"
    assert len(judges[0].seen) >= 4


def test_little_is_computed_again(folder):
    engine = engine_of(folder, 4)
    fed = []
    forward = engine._forward
    engine._forward = lambda tokens, cache, starts: (fed.append(tokens.shape), forward(tokens, cache, starts))[1]
    asked = [Request(tuple(range(5, 205)), f"p{i}", 0) for i in range(4)]
    list(engine.generate(asked, sampling(), Judge(3, share=1.0)))
    prompts = [columns for rows, columns in fed if columns >= 200]
    assert len(prompts) == 1, "no prompt is computed twice"
    assert sum(1 < columns < 200 for _, columns in fed) >= 2, "replaced steps are computed"


@pytest.mark.parametrize("temperature", [0, 1.0])
def test_without_a_watcher_the_texts_are_those_of_whole_traces(folder, temperature):
    asked = requests(7, seed=4)
    how = sampling(temperature=temperature, top_p=0.95)
    whole = {c.request.problem_id: c for c in engine_of(folder, 3, TransformersEngine).generate(asked, how)}
    found = {c.request.problem_id: c for c in engine_of(folder, 3).generate(asked, how)}
    assert found == whole


def test_a_step_beyond_its_limit_ends_the_trace(folder):
    completions = list(engine_of(folder, 3).generate(requests(3), sampling(max_step_tokens=8)))
    assert {(len(c.token_ids), c.finish_reason) for c in completions} == {(8, "length")}


@pytest.mark.parametrize("text", ["", "Thought: x", "Thought: x\nAction: y\nAction: z", "Thought: x\nAction: y\n"])
def test_only_a_step_can_stand_in_its_place(folder, text):
    class Odd:
        def look(self, request, step):
            return text

    with pytest.raises(SokratesError, match="cannot stand in a step's place"):
        list(engine_of(folder, 1).generate(requests(1), sampling(), Odd()))


def test_a_replaced_step_stands_as_it_was_given(folder):
    class Once:
        def look(self, request, step):
            return "Thought: a\nAction: b" if step.count("\n") and not step.endswith("Action: b") else step

    (done,) = engine_of(folder, 1).generate(requests(1), sampling(max_steps=2), Once())
    assert done.text == "Thought: a\nAction: b\nThought: a\nAction: b"


def test_it_is_found_by_the_configuration(tiny_model):
    model, config = ModelConfig(model=str(tiny_model), device="cpu"), GenerationConfig(stepwise=True)
    assert isinstance(load_engine("auto", model, config), StepwiseEngine)
    with pytest.raises(SokratesError, match="does not go step by step"):
        load_engine("vllm", model, config)
