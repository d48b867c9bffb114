"""A merged folder is a model of its own that says what the adapter says, and a failed check leaves nothing behind."""

from __future__ import annotations

import pytest
import torch
from click.testing import CliRunner

from sokrates import models
from sokrates.cli import main
from sokrates.config import load
from sokrates.errors import SokratesError
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces import probes
from sokrates.traces.prompt import PromptStyle, encode_prompt
from sokrates.training import export
from tests import adapters

FLOAT = load(None, ["hardware.device=cpu", "hardware.dtype=float32"])


@pytest.fixture
def adapter(tmp_path):
    folder = adapters.build(tmp_path / "adapter")
    PromptStyle(instructions=False).save(folder)
    return folder


def greedy(name: str) -> str:
    tokenizer, model = models.load_tokenizer(name), models.load_model(name, device="cpu")
    (problem,) = generate(1, GeneratorSettings(1, 2), seed=3)
    prompt = torch.tensor([encode_prompt(tokenizer, problem, PromptStyle(instructions=False))])
    return tokenizer.decode(model.generate(prompt, max_new_tokens=40, do_sample=False)[0, prompt.shape[1] :])


def difference(left: probes.Probes, right: probes.Probes) -> float:
    both = zip(left.probes, right.probes, strict=True)
    return max(abs(a - b) for one, other in both for a, b in zip(one.log_probs, other.log_probs, strict=True))


def test_says_the_same_without_the_adapter(adapter, tmp_path):
    output = tmp_path / "merged"
    shown = CliRunner().invoke(main, ["export", "--merge", str(adapter), "--output", str(output), "--dtype", "float32"])
    assert shown.exit_code == 0 and "float32 model" in shown.output, shown.output
    assert models.resolve(str(output)).adapter is None
    assert not (output / "adapter_config.json").exists() and not list(tmp_path.glob("*.partial"))
    assert models.style(models.resolve(str(output)), PromptStyle()) == PromptStyle(instructions=False)
    assert greedy(str(output)) == greedy(str(adapter))
    before, base = (
        probes.measure(models.load_model(name), models.load_tokenizer(name)) for name in (str(adapter), "embedded")
    )
    assert difference(before, base) > 0.01 > 1e-4 > difference(before, probes.read(output))
    assert probes.read(output) == probes.measure(models.load_model(str(output)), models.load_tokenizer(str(output)))


def test_in_bfloat16_within_its_wider_tolerance(adapter, tmp_path):
    settings = load(None, ["hardware.device=cpu", "hardware.dtype=bfloat16"])
    result = export.merge(str(adapter), settings, tmp_path / "merged")
    assert 0 < result.largest_difference <= result.tolerance and result.dtype == "bfloat16"
    assert models.load_model(str(tmp_path / "merged"), dtype="bfloat16").dtype == torch.bfloat16


def test_a_model_that_says_something_else_is_not_left_behind(adapter, tmp_path, monkeypatch):
    from peft import PeftModel

    monkeypatch.setattr(PeftModel, "merge_and_unload", lambda model, **_: model.unload(), raising=False)
    with pytest.raises(SokratesError, match=r"nats more or less likely"):
        export.merge(str(adapter), FLOAT, tmp_path / "merged")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]


def test_only_an_adapter_into_an_empty_folder(adapter, tmp_path):
    with pytest.raises(SokratesError, match="embedded: a model without an adapter"):
        export.merge("embedded", FLOAT, tmp_path / "merged")
    with pytest.raises(SokratesError, match="holds something already"):
        export.merge(str(adapter), FLOAT, adapter)
