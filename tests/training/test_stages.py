"""What the training stages make of records: which examples are held out, and which pairs are too long."""

from __future__ import annotations

import msgspec

from sokrates.config import load
from sokrates.models import load_tokenizer, resolve
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.building import build_trace
from sokrates.traces.gold import gold_completion
from sokrates.traces.prompt import PromptStyle, encode_prompt
from sokrates.traces.text import render, render_action
from sokrates.traces.trace import Trace
from sokrates.training.data import Example
from sokrates.training.stages import fitting_pairs, held_out
from sokrates.verification.verify import verify


def example(name: str, token: int = 2) -> Example:
    return Example(name, (1,), (token,))


def test_a_share_of_the_examples_is_held_out_in_their_order():
    examples = [example(name) for name in "abcdefghij"]
    assert held_out(examples, 0.3) == (examples[3:], examples[:3])
    assert held_out(examples, 0.0) == (examples, [])


def test_a_problem_is_held_out_with_all_its_examples():
    examples = [example(name, token) for token in range(4) for name in "abcde"]
    training, held = held_out(examples, 0.25)
    assert held == [example(name, token) for name in "ab" for token in range(4)]
    assert {*training} | {*held} == {*examples} and not {e.id for e in training} & {e.id for e in held}


def test_of_one_problem_nothing_is_left_to_train_on():
    assert held_out([example("a", token) for token in range(10)], 0.1)[0] == []


PROBLEM = next(iter(generate(1, GeneratorSettings(3, 3), seed=5)))
GOLD = gold_completion(PROBLEM)
LEAP = ("So it is.", render_action("MODUS_PONENS", [0, 0]))


def sampled(number: int, completion: str) -> Trace:
    trace = verify(build_trace(PROBLEM, completion))
    tokens = len(load_tokenizer("embedded").encode(completion, add_special_tokens=False))
    return msgspec.structs.replace(trace, sample=number, prompt_tokens=prompt_tokens(), completion_tokens=tokens)


def prompt_tokens() -> int:
    return len(encode_prompt(load_tokenizer("embedded"), PROBLEM, PromptStyle.load(resolve("embedded").base)))


def fitting(traces: list[Trace], max_length: int, compared: str) -> tuple[list[int], int]:
    config = load(None, [f"dpo.max_length={max_length}", f"preference_pairs.compared={compared}"])
    pairs, _, left_out = fitting_pairs(traces, "embedded", config)
    return [pair.rejected_sample for pair in pairs], left_out


def test_of_whole_traces_another_is_chosen_where_one_is_too_long():
    good, bad = sampled(0, GOLD), sampled(1, render([LEAP], PROBLEM.label))
    rambling = sampled(2, render([LEAP] * 40, PROBLEM.label))
    length = good.prompt_tokens + good.completion_tokens + 1
    assert fitting([good, bad, rambling], length, "whole") == ([1], 1)
    assert fitting([good, bad, rambling], length - 1, "whole") == ([], 2)


def test_a_trace_that_is_cut_at_its_error_may_have_been_too_long():
    rambling = sampled(2, render([LEAP] * 40, PROBLEM.label))
    length = prompt_tokens() + 60
    assert fitting([rambling], length, "correction") == ([2], 0)
    assert fitting([rambling], prompt_tokens() + 20, "correction") == ([], 1), "the corrected step alone is longer"
