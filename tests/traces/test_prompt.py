"""One prompt builder: the same ids in SFT, generation and DPO, and a style that stays with its model."""

from __future__ import annotations

import msgspec
import pytest

from sokrates import generation, models
from sokrates.config import GenerationConfig
from sokrates.engines.engine import Request
from sokrates.errors import SokratesError
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.building import build_trace
from sokrates.traces.gold import gold_completion
from sokrates.traces.prompt import EXAMPLE, INSTRUCTIONS, PromptStyle, build_prompt, encode_completion, encode_prompt
from sokrates.training.examples import examples, pair_ids
from sokrates.training.preferences import Pair
from sokrates.verification.verify import verify

PROBLEMS = list(generate(4, GeneratorSettings(1, 3), seed=11))
STYLES = [PromptStyle(instructions=i, example=e) for i in (False, True) for e in (False, True)]


@pytest.fixture(scope="module")
def tokenizer():
    return models.load_tokenizer("embedded")


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_prompt_ids_are_equal_in_sft_generation_and_dpo(tokenizer, style):
    traces = [build_trace(problem, gold_completion(problem)) for problem in PROBLEMS]
    pairs = [
        Pair(
            problem_id=t.problem_id, premises=t.premises, conclusion=t.conclusion, label=t.label, chosen=t.completion,
            rejected="x", chosen_sample=0, rejected_sample=1, chosen_score=2.5, rejected_score=0.0,
        )
        for t in traces
    ]  # fmt: skip
    asker = generation.Asker(start=lambda: None, tokenizer=tokenizer, style=style, model="embedded")  # type: ignore[arg-type]
    once = GenerationConfig(samples_per_problem=1)
    requests: list[Request] = list(generation._requests(PROBLEMS, asker, once, set()))
    in_sft = [example.prompt_ids for example in examples(traces, tokenizer, style)]
    in_dpo = [pair.prompt_ids for pair in pair_ids(pairs, tokenizer, style)]
    assert in_sft == in_dpo == [request.prompt_ids for request in requests]
    assert len(set(in_sft)) == len(PROBLEMS)


def test_a_completion_is_what_the_engine_would_have_to_say(tokenizer):
    problem = PROBLEMS[0]
    text = gold_completion(problem)
    ids = encode_completion(tokenizer, text)
    assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(ids[:-1]) == text
    prompt = encode_prompt(tokenizer, problem, PromptStyle(instructions=False))
    assert tokenizer.decode([*prompt, *ids[:-1]]) == build_prompt(problem, PromptStyle(instructions=False)) + text


def test_a_part_of_a_completion_has_the_tokens_that_it_has_in_the_whole(tokenizer):
    text = gold_completion(PROBLEMS[0])
    whole = encode_completion(tokenizer, text)
    for until in range(len(text)):
        part = encode_completion(tokenizer, text, until=until)
        assert part == whole[: len(part)]
        assert text.startswith(tokenizer.decode(part)) and len(tokenizer.decode(part)) <= until
        assert len(tokenizer.decode(whole[: len(part) + 1])) > until, "no token that lies in it is left out"
    assert encode_completion(tokenizer, text, until=len(text)) == whole[:-1]


def test_what_all_prompts_share_stands_first():
    first, second = (build_prompt(problem, PromptStyle(example=True)) for problem in PROBLEMS[:2])
    assert first.startswith(INSTRUCTIONS + "\n" + EXAMPLE)
    assert second.startswith(INSTRUCTIONS + "\n" + EXAMPLE)


def test_the_worked_example_is_a_valid_trace():
    statement, _, completion = EXAMPLE.partition("Reasoning:\n")
    premises = tuple(line.partition("] ")[2] for line in statement.splitlines() if line.startswith("  ["))
    problem = Problem(problem_id="example", premises=premises, conclusion="Tom is cold.")
    trace = verify(build_trace(problem, completion))
    assert trace.all_steps_valid, trace
    assert trace.misquotes == 0


def test_formulas_are_shown_behind_their_sentences():
    problem = Problem(
        problem_id="p", premises=("A cat.",), premises_fol=("Cat(tom)",), conclusion="So.", conclusion_fol="Cat(tom)"
    )
    text = build_prompt(problem, PromptStyle(instructions=False))
    assert "[0] A cat. | Cat(tom)" in text
    assert "Conclusion to evaluate: So. | Cat(tom)" in text


def test_a_formula_that_stands_for_its_sentence_is_shown_once():
    problem = Problem(problem_id="p", premises=("Cat(tom)",), premises_fol=("Cat(tom)",), conclusion="So.")
    assert "[0] Cat(tom)\n" in build_prompt(problem, PromptStyle(instructions=False))


def test_the_style_stays_with_its_model(tmp_path):
    assert PromptStyle.load(tmp_path, PromptStyle(chat=True)) == PromptStyle(chat=True)
    PromptStyle(instructions=False, example=True).save(tmp_path)
    assert PromptStyle.load(tmp_path, PromptStyle(chat=True)) == PromptStyle(instructions=False, example=True)


def test_a_style_of_another_version_is_an_error(tmp_path):
    (tmp_path / "prompt.json").write_bytes(msgspec.json.encode({"instruction": True}))
    with pytest.raises(SokratesError, match=r"prompt\.json"):
        PromptStyle.load(tmp_path)
