"""Traces and pairs as token ids: an end-of-text token stands only where a text came to its end."""

from __future__ import annotations

import msgspec

from sokrates import models
from sokrates.config import PairsConfig
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.building import build_trace
from sokrates.traces.gold import gold_completion
from sokrates.traces.prompt import PromptStyle
from sokrates.training.examples import examples, pair_ids
from sokrates.training.preferences import build_pairs
from sokrates.verification.verify import verify

STYLE = PromptStyle(instructions=False)


def test_a_text_that_was_cut_is_not_taught_to_end():
    tokenizer = models.load_tokenizer("embedded")
    (problem,) = generate(1, GeneratorSettings(3, 3), seed=1)
    text = gold_completion(problem)
    whole = verify(build_trace(problem, text))
    whole.finish_reason = "stop"
    for reason in ("length", "max_steps"):
        cut = verify(build_trace(problem, text[: len(text) // 2]))
        cut = msgspec.structs.replace(cut, sample=1, finish_reason=reason)
        pairs, _ = build_pairs([whole, cut], PairsConfig())
        (ids,) = pair_ids(pairs, tokenizer, STYLE)
        assert ids.chosen_ids[-1] == tokenizer.eos_token_id
        assert tokenizer.eos_token_id not in ids.rejected_ids
        ended, unended = examples([whole, cut], tokenizer, STYLE)
        assert ended.completion_ids[-1] == tokenizer.eos_token_id
        assert tokenizer.eos_token_id not in unended.completion_ids


def test_a_trace_that_says_nothing_of_its_end_is_whole():
    tokenizer = models.load_tokenizer("embedded")
    (problem,) = generate(1, GeneratorSettings(1, 1), seed=1)
    (example,) = examples([build_trace(problem, gold_completion(problem))], tokenizer, STYLE)
    assert example.completion_ids[-1] == tokenizer.eos_token_id
