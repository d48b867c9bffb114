from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model

from sokrates import models
from sokrates.engines.engine import Request, Sampling
from sokrates.engines.row import new_row
from sokrates.engines.transformers import PREFILL_TOKENS, TransformersEngine, _chunks, ready
from sokrates.errors import SokratesError
from sokrates.traces.text import parse, well_formed
from tests import tiny

GREEDY = Sampling(temperature=0, top_p=1, max_tokens=24, max_steps=24, seed=0)
SAMPLED = Sampling(temperature=1.0, top_p=0.95, max_tokens=25, max_steps=24, seed=3)


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    return models.load_tokenizer(str(tiny_model))


def new_engine(folder, *, max_batch=4, batch_tokens=10**6) -> TransformersEngine:
    model = models.load_model(str(folder), device="cpu")
    return TransformersEngine(model, models.load_tokenizer(str(folder)), max_batch=max_batch, batch_tokens=batch_tokens)


def requests(problems: int, samples: int = 1, seed: int = 0) -> list[Request]:
    """Prompts of random tokens and ragged lengths."""
    source = random.Random(seed)
    prompts = [tuple(source.randrange(3, 300) for _ in range(source.randint(1, 40))) for _ in range(problems)]
    return [Request(prompt, f"p{i}", sample) for i, prompt in enumerate(prompts) for sample in range(samples)]


def texts(completions) -> dict[tuple[str, int], str]:
    return {(c.request.problem_id, c.request.sample): c.text for c in completions}


def generated(model, prompt, tokens=GREEDY.max_tokens) -> tuple[int, ...]:
    """transformers' own greedy generation, one prompt at a time."""
    output = model.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=tokens)
    return tuple(output[0, len(prompt) :].tolist())


@pytest.mark.parametrize("shape", [{}, {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}])
def test_batched_greedy_tokens_are_those_of_one_prompt_alone(tmp_path, shape):
    folder = tiny.build(tmp_path / "model", **shape)
    reference = models.load_model(str(folder), device="cpu")
    expected = {request.problem_id: generated(reference, request.prompt_ids) for request in requests(11)}
    completions = list(new_engine(folder).generate(requests(11), GREEDY))
    assert {c.request.problem_id: c.token_ids for c in completions} == expected
    assert len(set(expected.values())) > 5, "the texts should differ for this to say something"


def test_end_of_text_frees_a_place_for_the_next(tiny_model, tokenizer):
    reference = models.load_model(str(tiny_model), device="cpu")
    prompts = [r for r in requests(14, seed=5) if len(r.prompt_ids) > 1]
    free = {r.problem_id: generated(reference, r.prompt_ids) for r in prompts}
    common = max({t for ids in free.values() for t in ids}, key=lambda t: sum(t in ids for ids in free.values()))
    expected = {name: ids[: ids.index(common) + 1] if common in ids else ids for name, ids in free.items()}
    assert len({len(ids) for ids in expected.values()}) > 2, "some should end early"
    model = models.load_model(str(tiny_model), device="cpu")
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, common]
    engine = TransformersEngine(model, tokenizer, max_batch=5, batch_tokens=10**6)
    shapes = forwards(engine)
    completions = list(engine.generate(prompts, GREEDY))
    assert {c.request.problem_id: c.token_ids for c in completions} == expected
    fed = sum(rows for rows, columns in shapes if columns == 1)
    assert fed < 4 / 3 * sum(len(ids) - 1 for ids in expected.values()), "finished rows are under a quarter"
    assert all((c.finish_reason == "stop") == (c.token_ids[-1] == common) for c in completions)


def test_a_sample_does_not_depend_on_what_is_beside_it(tiny_model):
    asked = requests(6, samples=3)
    expected = texts(new_engine(tiny_model, max_batch=1).generate(asked, SAMPLED))
    assert len(expected) == 18
    for max_batch, batch_tokens in ((2, 10**6), (7, 10**6), (64, 10**6), (64, 300)):
        random.Random(max_batch).shuffle(asked)
        engine = new_engine(tiny_model, max_batch=max_batch, batch_tokens=batch_tokens)
        assert texts(engine.generate(asked, SAMPLED)) == expected
    few = [request for request in asked if request.sample == 1]
    assert texts(new_engine(tiny_model).generate(few, SAMPLED)).items() <= expected.items()


def test_samples_seeds_and_problems_differ(tiny_model):
    prompt = requests(1)[0].prompt_ids
    asked = [Request(prompt, problem, sample) for problem in "ab" for sample in range(4)]
    engine = new_engine(tiny_model)
    first = list(texts(engine.generate(asked, SAMPLED)).values())
    second = list(texts(engine.generate(asked, replace(SAMPLED, seed=4))).values())
    assert len({*first, *second}) == 16
    assert list(texts(engine.generate(asked, SAMPLED)).values()) == first


def forwards(engine) -> list[tuple[int, int]]:
    """Records the shape of what is fed to the model at each call."""
    shapes: list[tuple[int, int]] = []
    engine._model.register_forward_pre_hook(
        lambda _module, _args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    return shapes


@pytest.mark.parametrize("samples", [3, 4])
def test_samples_of_a_problem_share_its_prompt(tiny_model, samples):
    asked = [r for r in requests(9, samples, seed=1) if len(r.prompt_ids) > 1]
    engine = new_engine(tiny_model, max_batch=8)
    shapes = forwards(engine)
    assert len(list(engine.generate(asked, GREEDY))) == len(asked)
    assert sum(rows for rows, columns in shapes if columns > 1) == len(asked) // samples


def test_batch_tokens_bound_the_batch(tiny_model):
    asked = requests(12)
    engine = new_engine(tiny_model, max_batch=64, batch_tokens=200)
    shapes = forwards(engine)
    assert len(list(engine.generate(asked, GREEDY))) == 12
    longest = max(len(r.prompt_ids) for r in asked) + GREEDY.max_tokens
    assert 1 < max(rows for rows, _ in shapes) <= 200 // min(longest, 25)
    assert max(rows for rows, columns in shapes[:5]) <= 200 // longest
    alone = new_engine(tiny_model, max_batch=64, batch_tokens=1)
    assert len(list(alone.generate(asked[:3], GREEDY))) == 3


def test_completions_come_as_they_finish(tiny_model):
    engine = new_engine(tiny_model, max_batch=2)
    shapes = forwards(engine)
    stream = engine.generate(requests(6), GREEDY)
    next(stream)
    early = len(shapes)
    assert not torch.is_inference_mode_enabled()
    assert len(list(stream)) == 5
    assert early < len(shapes) / 2


def test_a_prompt_without_room_names_its_problem(tmp_path):
    engine = new_engine(tiny.build(tmp_path / "model", window=32))
    fits, full = Request((5,) * 31, "fits", 0), Request((5,) * 32, "full", 0)
    with pytest.raises(SokratesError, match=r"full: its prompt has 32 tokens; expected at most 31"):
        engine.generate([fits, full], GREEDY)
    with pytest.raises(SokratesError, match="empty: its prompt is empty"):
        engine.generate([Request((), "empty", 0)], GREEDY)
    (only,) = engine.generate([fits], GREEDY)
    assert only.finish_reason == "length" and len(only.token_ids) == 1


def test_the_window_cuts_the_completion(tmp_path):
    engine = new_engine(tiny.build(tmp_path / "model", window=32))
    (only,) = engine.generate([Request((7,) * 20, "p", 0)], GREEDY)
    assert only.finish_reason == "length" and len(only.token_ids) == 12


class Scripted(TransformersEngine):
    """An engine whose model says a given text, whatever its scores are."""

    script: tuple[int, ...] = ()

    def _extend(self, rows, logits, sampling):
        forced = torch.full_like(logits, float("-inf"))
        for index, row in enumerate(rows):
            forced[index, self.script[len(row.token_ids)]] = 0
        super()._extend(rows, forced, sampling)


@pytest.mark.parametrize(
    ("said", "kept", "reason"),
    [
        (f"{tiny.STEPS}\n\nFinal Answer: FALSE\nThought: more", f"{tiny.STEPS}\n\nFinal Answer: FALSE", "stop"),
        (f"{tiny.STEPS}\nThought: more", tiny.STEPS, "stop"),
        ("Thought: é, ü and 日本.\nAction: x\n" * 3, "Thought: é, ü and 日本.\nAction: x", "max_steps"),
        ("Thought: 日本\n" * 30, ("Thought: 日本\n" * 30)[:5], "length"),
    ],
)
def test_a_completion_ends_where_its_text_does(tiny_model, tokenizer, said, kept, reason):
    model = models.load_model(str(tiny_model), device="cpu")
    engine = Scripted(model, tokenizer, max_batch=2, batch_tokens=10**6)
    engine.script = (*tokenizer.encode(said, add_special_tokens=False), *[0] * 200)
    max_steps = 1 if reason == "max_steps" else 24
    max_tokens = 5 if reason == "length" else 300
    sampling = replace(GREEDY, max_tokens=max_tokens, max_steps=max_steps)
    (done,) = engine.generate([Request((5, 6), "p", 0)], sampling)
    assert done.finish_reason == reason
    assert done.token_ids == engine.script[: len(done.token_ids)]
    if reason == "length":
        assert done.text == tokenizer.decode(engine.script[:5])
    else:
        assert done.text == kept
        assert said.startswith(tokenizer.decode(done.token_ids))
        assert len(done.token_ids) < len(tokenizer.encode(said)), "it should stop before all is said"


def test_an_adapter_generates_as_it_is_and_added_to_its_base(tiny_model, tokenizer, tmp_path):
    model = models.load_model(str(tiny_model), device="cpu")
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    asked = requests(5)
    expected = {r.problem_id: generated(adapted, r.prompt_ids) for r in asked}
    base = models.load_model(str(tiny_model), device="cpu")
    assert expected != {r.problem_id: generated(base, r.prompt_ids) for r in asked}
    engine = TransformersEngine(adapted, tokenizer, max_batch=3, batch_tokens=10**6)
    assert {c.request.problem_id: c.token_ids for c in engine.generate(asked, GREEDY)} == expected
    merged = TransformersEngine(ready(adapted), tokenizer, max_batch=3, batch_tokens=10**6)
    assert {c.request.problem_id: c.token_ids for c in merged.generate(asked, GREEDY)} == expected


def test_prompts_are_computed_in_chunks(tiny_model):
    engine = new_engine(tiny_model)
    long = [Request((i,) * (PREFILL_TOKENS // 3), f"p{i}", s) for i in range(4) for s in range(2)]
    rows = [new_row(request, GREEDY, engine.window) for request in long]
    assert [len(chunk) for chunk in _chunks(rows)] == [6, 2]
    assert [row for chunk in _chunks(rows) for row in chunk] == rows
    assert [len(chunk) for chunk in _chunks(rows[:1])] == [1]
    assert list(_chunks([])) == []


@pytest.mark.parametrize("temperature", [0, 1.0])
def test_a_guide_holds_in_every_row(tiny_model, temperature):
    """A model of random weights under the grammar guide: what it writes of actions is well-formed."""
    tokenizer = models.load_tokenizer(str(tiny_model))
    beginning = tuple(tokenizer.encode("Premises:\n[0] x\nThought: so x.\nAction:", add_special_tokens=False))
    asked = [Request((*beginning, 3 + i), f"p{i}", 0) for i in range(12)]
    sampling = replace(SAMPLED, temperature=temperature, guide="grammar", max_tokens=120, max_steps=2)

    class Opened(TransformersEngine):
        """Each completion begins with an action's label."""

        def _extend(self, rows, logits, sampling):
            for index, row in enumerate(rows):
                if len(row.token_ids) < len(label):
                    logits[index] = float("-inf")
                    logits[index, label[len(row.token_ids)]] = 0
            super()._extend(rows, logits, sampling)

    label = tokenizer.encode("Action:", add_special_tokens=False)
    engine = Opened(models.load_model(str(tiny_model), device="cpu"), tokenizer, max_batch=5, batch_tokens=10**6)
    steps = [parse(c.text).steps[0] for c in engine.generate(asked, sampling) if "/>" in c.text]
    assert len(steps) > 3 and all(well_formed(step.option_type, step.option_args) for step in steps)
