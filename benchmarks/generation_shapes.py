"""Models of a real model's shape, for measuring without its weights, and the work that they are given.

Contract: a folder with what an engine needs but the weights: the configuration, a tokenizer whose every id decodes, a
stand-in for the weights file, a random LoRA adapter beside it, and the problems. Weights are made at random where they
are needed. The tokenizer is byte-level BPE trained on our own prompts and traces; ids that it does not need are filled
with invented words, so that a choice among the whole vocabulary costs what it costs with the real model. Everything
follows from fixed seeds. The embedded model is used as it is, with real weights.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import msgspec

from benchmarks.roofline import Architecture
from sokrates import jsonl, models
from sokrates.problems import Problem
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.gold import gold_completion
from sokrates.traces.prompt import PromptStyle, build_prompt, encode_prompt

RANK = 64
PROMPT_TOKENS, TRACE_TOKENS = 400, 150
"""What prompts and traces are to be long; the problems nearest to it are taken."""
WINDOW = 1024
SETTINGS = GeneratorSettings(least_hops=1, most_hops=5, distractors=1.5)
TRIED = 8
"""Problems generated for each one taken."""

_PIECES = r" ?\[[^\]\d\n]*\]|\d{1,2}|\s?[A-Za-z_]+|\s?[^\sA-Za-z0-9]+|\s"
"""How text is cut before BPE merges within pieces: a number of two digits is one, and so is a list of arguments."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A model's shape; without an architecture it is the embedded model."""

    name: str
    architecture: Architecture | None = None
    tied: bool = False

    @property
    def real(self) -> bool:
        """Whether the model has real weights and says something."""
        return self.architecture is None


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("embedded"),
        Shape("tiny", Architecture(2, 64, 4, 2, 32, 128, 2048), tied=True),
        Shape("0.6b", Architecture(28, 1024, 16, 8, 128, 3072, 151936), tied=True),
        Shape("8b", Architecture(36, 4096, 32, 8, 128, 12288, 151936)),
    )
}
"""Qwen3-0.6B and Qwen3-8B by their published configurations; `tiny` is for trying the benchmark itself."""


class Task(msgspec.Struct, frozen=True):
    """A problem as the engines get it, and its gold trace's tokens."""

    problem: Problem
    prompt_ids: tuple[int, ...]
    gold_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bench:
    """A shape made ready: its model and adapter folders, and its tasks. All tasks begin with the same tokens."""

    shape: Shape
    model: str
    adapter: str
    tasks: list[Task]

    @property
    def shared(self) -> int:
        """How many tokens all prompts begin with."""
        first, *rest = (task.prompt_ids for task in self.tasks)
        return min((_common(first, other) for other in rest), default=len(first))

    @property
    def architecture(self) -> Architecture:
        config = models.load_config(self.model)
        return self.shape.architecture or Architecture(
            config.num_hidden_layers,
            config.hidden_size,
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
            config.intermediate_size,
            config.vocab_size,
        )


def _common(left: Sequence[int], right: Sequence[int]) -> int:
    return next((index for index, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]), len(left))


def prepare(shape: Shape, folder: Path, count: int) -> Bench:
    """Make the folder of a shape, with `count` tasks, or take it up where it is there already."""
    model, adapter, tasks = folder / "model", folder / f"adapter-r{RANK}", folder / f"tasks-{count}.jsonl"
    name = models.EMBEDDED if shape.real else str(model)
    if not shape.real and not (model / "config.json").is_file():
        _write_model(shape, model)
    if not tasks.is_file():
        jsonl.write(tasks, _tasks(shape, name, count))
    if not (adapter / "adapter_config.json").is_file():
        architecture = Bench(shape, name, "", []).architecture
        _write_adapter(architecture, adapter, name)
    return Bench(shape, name, str(adapter), list(jsonl.read(tasks, Task)))


def qwen3_config(shape: Shape) -> Any:
    """The configuration of a shape that has an architecture."""
    from transformers import Qwen3Config

    assert shape.architecture is not None
    sizes = shape.architecture
    config = Qwen3Config(
        vocab_size=sizes.vocabulary,
        hidden_size=sizes.hidden,
        intermediate_size=sizes.intermediate,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        num_key_value_heads=sizes.kv_heads,
        head_dim=sizes.head_dim,
        max_position_embeddings=WINDOW,
        tie_word_embeddings=shape.tied,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    config.architectures = ["Qwen3ForCausalLM"]
    config.dtype = "bfloat16"
    return config


def random_model(shape: Shape, device: Any, dtype: Any) -> Any:
    """A model of a shape that has an architecture, with random weights, frozen."""
    import torch
    from transformers import Qwen3ForCausalLM

    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    with device:
        model = Qwen3ForCausalLM(qwen3_config(shape))
    torch.set_default_dtype(before)
    return model.requires_grad_(False).eval()


def _write_model(shape: Shape, folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    assert shape.architecture is not None
    tokenizer(shape.architecture.vocabulary).save_pretrained(folder)
    save_file({"stand_in": torch.zeros(1)}, folder / "model.safetensors")
    qwen3_config(shape).save_pretrained(folder)


def tokenizer(vocabulary: int) -> Any:
    """A tokenizer of exactly `vocabulary` ids."""
    from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers, trainers
    from tokenizers import models as bpe
    from transformers import PreTrainedTokenizerFast

    trained = Tokenizer(bpe.BPE())
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trained.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    trained.train_from_iterator(_texts(300), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_filled(trained.to_str(), vocabulary)),
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        model_max_length=WINDOW,
        clean_up_tokenization_spaces=False,
    )


def _texts(count: int) -> Iterator[str]:
    for problem in generate(count, SETTINGS, seed=5, prefix="tokenizer"):
        yield build_prompt(problem, PromptStyle()) + gold_completion(problem, max_steps=40)
    yield " ".join(map(str, range(100)))


def _filled(description: str, vocabulary: int) -> str:
    """A tokenizer's JSON with invented words up to the size of the vocabulary; no merge leads to them."""
    parts = json.loads(description)
    words = parts["model"]["vocab"]
    rng = random.Random(0)
    while len(words) < vocabulary:
        syllables = (rng.choice("bcdfghjklmnprstvwz") + rng.choice("aeiou") for _ in range(rng.randint(2, 4)))
        words.setdefault(rng.choice(("Ġ", "")) + "".join(syllables) + rng.choice(("", "n", "s", "r")), len(words))
    return json.dumps(parts)


def _tasks(shape: Shape, model: str, count: int) -> list[Task]:
    """Tasks of about the wanted lengths; of the embedded model, problems as they come and prompts as it knows them."""
    tokenizer = models.load_tokenizer(model)
    style = PromptStyle(instructions=not shape.real)
    settings = GeneratorSettings(1, 5) if shape.real else SETTINGS
    found = []
    for problem in generate(count if shape.real else TRIED * count, settings, seed=1, prefix="benchmark"):
        prompt = encode_prompt(tokenizer, problem, style)
        gold = tokenizer.encode(gold_completion(problem, max_steps=40), add_special_tokens=False)
        found.append(Task(problem, tuple(prompt), tuple(gold)))
    return found if shape.real else _nearest(found, count)


def _nearest(tasks: Sequence[Task], count: int) -> list[Task]:
    """The `count` tasks nearest to the wanted lengths, in their order."""
    far = [2 * abs(len(task.prompt_ids) - PROMPT_TOKENS) + abs(len(task.gold_ids) - TRACE_TOKENS) for task in tasks]
    taken = sorted(sorted(range(len(tasks)), key=far.__getitem__)[:count])
    return [tasks[index] for index in taken]


def _write_adapter(sizes: Architecture, folder: Path, base: str) -> None:
    """A random adapter on all linear layers, in the layout that peft saves."""
    import torch
    from safetensors.torch import save_file

    names = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
    names += ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
    random_numbers = torch.Generator().manual_seed(0)

    def numbers(rows: int, columns: int) -> torch.Tensor:
        return (0.01 * torch.randn(rows, columns, generator=random_numbers)).to(torch.bfloat16)

    weights = {}
    for layer in range(sizes.layers):
        for name, (inputs, outputs) in zip(names, sizes.matrices, strict=True):
            path = f"base_model.model.model.layers.{layer}.{name}"
            weights[f"{path}.lora_A.weight"] = numbers(RANK, inputs)
            weights[f"{path}.lora_B.weight"] = numbers(outputs, RANK)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "adapter_model.safetensors")
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": RANK,
        "lora_alpha": RANK,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": [name.partition(".")[2] for name in names],
        "base_model_name_or_path": base,
        "inference_mode": True,
    }
    jsonl.write_json(folder / "adapter_config.json", settings)


def lengths(bench: Bench) -> dict[str, Any]:
    """The real lengths of the work, in tokens."""
    prompts = [len(task.prompt_ids) for task in bench.tasks]
    golds = [len(task.gold_ids) for task in bench.tasks]
    return {
        "prompt": {"mean": round(mean(prompts), 1), "least": min(prompts), "most": max(prompts)},
        "shared_by_all_prompts": bench.shared,
        "gold_trace": {"mean": round(mean(golds), 1), "least": min(golds), "most": max(golds)},
        "architecture": asdict(bench.architecture),
    }
