from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from sokrates import models
from sokrates.errors import SokratesError
from tests import tiny


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return tiny.build(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture
def adapter(base, tmp_path) -> Path:
    folder = tmp_path / "adapter"
    model = models.load_model(str(base), device="cpu")
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    adapted.peft_config["default"].base_model_name_or_path = str(base)
    adapted.save_pretrained(folder)
    return folder


@pytest.fixture
def embedded(base, tmp_path, monkeypatch) -> Path:
    """A package whose embedded model is the tiny one."""
    shutil.copytree(base, tmp_path / "package" / "embedded")
    monkeypatch.setattr(models.resources, "files", lambda package: tmp_path / "package")
    return tmp_path / "package" / "embedded"


def edit(file: Path, **changes) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def logits(model) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.arange(3, 20)[None]).logits


def test_a_model_folder(base, monkeypatch):
    assert models.resolve(str(base)) == models.ModelPaths(str(base), None, str(base))
    monkeypatch.chdir(base.parent)
    assert models.resolve("base").base_name == str(base), "what is written down holds from everywhere"
    model = models.load_model("base", device="cpu")
    assert model.dtype == torch.float32 and not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert all(p.requires_grad for p in models.load_model("base", device="cpu", trainable=True).parameters())
    assert models.load_model("base", device="cpu", dtype="bfloat16").dtype == torch.bfloat16


@pytest.mark.gpu
def test_a_model_on_a_gpu_is_the_one_on_the_processor(base, adapter):
    for name in (str(base), str(adapter)):
        usual = models.load_model(name, device="cpu", dtype="bfloat16").state_dict()
        found = models.load_model(name, device="cuda", dtype="bfloat16").state_dict()
        assert {value.device.type for value in found.values()} == {"cuda"}
        assert found.keys() == usual.keys()
        assert all(torch.equal(value.cpu(), usual[key]) for key, value in found.items())


def test_an_adapter_without_some_of_its_weights(base, adapter):
    file = adapter / "adapter_model.safetensors"
    weights = load_file(file)
    del weights[sorted(weights)[0]]
    save_file(weights, file)
    with pytest.raises(
        SokratesError, match=r"lacks 1 of the weights that adapter_config.json speaks of, such as .*lora_A"
    ):
        models.load_model(str(adapter), device="cpu")


def test_an_adapter_folder(base, adapter):
    assert models.resolve(str(adapter)) == models.ModelPaths(str(base), str(adapter), str(base))
    model = models.load_model(str(adapter), device="cpu")
    assert isinstance(model, PeftModel) and model.active_adapters == ["default"] and not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not torch.allclose(logits(model), logits(models.load_model(str(base), device="cpu")))
    trained = models.load_model(str(adapter), device="cpu", trainable=True)
    assert {"lora" in name for name, p in trained.named_parameters() if p.requires_grad} == {True}
    assert torch.equal(logits(trained), logits(model))
    for trainable, dtype in ((False, torch.bfloat16), (True, torch.float32)):
        model = models.load_model(str(adapter), device="cpu", dtype="bfloat16", trainable=trainable)
        assert {p.dtype for name, p in model.named_parameters() if "lora" in name} == {dtype}
        assert {p.dtype for name, p in model.named_parameters() if "lora" not in name} == {torch.bfloat16}


def test_the_embedded_model_and_its_adapters_can_be_moved(embedded, adapter):
    assert models.resolve("embedded") == models.ModelPaths(str(embedded), None, "embedded")
    edit(adapter / "adapter_config.json", base_model_name_or_path="embedded")
    assert models.resolve(str(adapter)) == models.ModelPaths(str(embedded), str(adapter), "embedded")
    assert isinstance(models.load_model(str(adapter), device="cpu"), PeftModel)


@pytest.mark.parametrize("name", ["Qwen/Qwen3-8B", "gpt2"])
def test_other_names_are_hub_names(name):
    assert models.resolve(name) == models.ModelPaths(name, None, name)


@pytest.mark.parametrize("name", ["/no/such", "./no", "outputs/nowhere/sft", "~/nowhere", "../x"])
def test_a_path_that_is_not_there_is_no_hub_name(name):
    with pytest.raises(SokratesError, match="no such folder"):
        models.resolve(name)


def test_a_hub_model_that_cannot_be_fetched(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(SokratesError, match=r"nobody/nothing: cannot be loaded as a tokenizer"):
        models.load_tokenizer("nobody/nothing")
    with pytest.raises(SokratesError, match=r"nobody/nothing: cannot be loaded as a causal language model"):
        models.load_model("nobody/nothing", device="cpu")


def test_a_folder_of_something_else(tmp_path):
    with pytest.raises(SokratesError, match=r"expected config.json \(a model\) or adapter_config.json \(an adapter\)"):
        models.resolve(str(tmp_path))


@pytest.mark.parametrize(("left", "message"), [(None, "a model without weights"), ("pytorch_model.bin", "only safe")])
def test_a_model_without_safetensors(base, tmp_path, left, message):
    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    (folder / "model.safetensors").unlink()
    if left:
        (folder / left).write_bytes(b"pickle")
    with pytest.raises(SokratesError, match=message):
        models.load_model(str(folder), device="cpu")


@pytest.mark.parametrize(("left", "message"), [(None, "adapter without weights"), ("adapter_model.bin", "only safe")])
def test_an_adapter_without_safetensors(adapter, left, message):
    (adapter / "adapter_model.safetensors").unlink()
    if left:
        (adapter / left).write_bytes(b"pickle")
    with pytest.raises(SokratesError, match=message):
        models.load_model(str(adapter), device="cpu")


def test_weights_that_were_cut_short(base, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(SokratesError, match=r"model: cannot be loaded as a causal language model"):
        models.load_model(str(folder), device="cpu")


def test_an_adapter_of_nothing(adapter, tmp_path):
    settings = adapter / "adapter_config.json"
    edit(settings, base_model_name_or_path=str(tmp_path / "gone"))
    with pytest.raises(SokratesError, match=r"its base model cannot be used: .*gone: no such folder"):
        models.resolve(str(adapter))
    edit(settings, base_model_name_or_path=None)
    with pytest.raises(SokratesError, match="names no base model"):
        models.resolve(str(adapter))
    edit(settings, base_model_name_or_path=str(adapter))
    with pytest.raises(SokratesError, match="is an adapter itself"):
        models.resolve(str(adapter))
    edit(settings, peft_type="PROMPT_TUNING")
    with pytest.raises(SokratesError, match="not a LoRA adapter"):
        models.resolve(str(adapter))


def test_an_adapter_of_another_model(adapter, tmp_path):
    other = tiny.build(tmp_path / "other", hidden_size=16)
    edit(adapter / "adapter_config.json", base_model_name_or_path=str(other))
    with pytest.raises(SokratesError, match=r"adapter: cannot be loaded as an adapter of .*other"):
        models.load_model(str(adapter), device="cpu")


def test_the_tokenizer_pads_with_end_of_text_where_it_has_no_padding(base, adapter, tmp_path):
    assert models.load_tokenizer(str(base)).pad_token == "<pad>"
    assert models.load_tokenizer(str(adapter)).get_vocab() == models.load_tokenizer(str(base)).get_vocab()
    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    edit(folder / "tokenizer_config.json", pad_token=None)
    tokenizer = models.load_tokenizer(str(folder))
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    edit(folder / "tokenizer_config.json", eos_token=None)
    with pytest.raises(SokratesError, match="no end-of-text token"):
        models.load_tokenizer(str(folder))


def test_the_window(base):
    model = models.load_model(str(base), device="cpu")
    assert models.window(model) == models.window(model.config) == 512
    assert models.window(get_peft_model(model, LoraConfig(target_modules="all-linear"))) == 512


def test_a_device_that_is_not_there(base):
    with pytest.raises(SokratesError, match=r"device cuda:7"):
        models.load_model(str(base), device="cuda:7")


@dataclass
class Kept:
    """A style that is read from a file of one line."""

    said: str

    def load(self, folder, default=None):
        file = Path(folder) / "style"
        return Kept(file.read_text()) if file.is_file() else default


def test_the_style_beside_an_adapter_goes_before_that_of_its_base(base, adapter, tmp_path):
    own_base = tmp_path / "base"
    shutil.copytree(base, own_base)
    edit(adapter / "adapter_config.json", base_model_name_or_path=str(own_base))
    paths = models.resolve(str(adapter))
    assert models.style(paths, Kept("default")) == Kept("default")
    (own_base / "style").write_text("base")
    assert models.style(paths, Kept("default")) == Kept("base")
    (adapter / "style").write_text("adapter")
    assert models.style(paths, Kept("default")) == Kept("adapter")


def test_parameters_without_loading_anything(tmp_path, monkeypatch):
    assert models.parameters("embedded") == 4_677_440
    folder = tiny.build(tmp_path / "model")
    model = models.load_model(str(folder))
    assert models.parameters(str(folder)) == sum(parameter.numel() for parameter in model.parameters())
    assert models.parameters("someone/not-here") is None
    (folder / "model.safetensors").write_bytes(b"\x10")
    with pytest.raises(SokratesError, match=r"model\.safetensors: not a safetensors file"):
        models.parameters(str(folder))


def test_parameters_of_a_hub_model_by_its_cached_configuration(tmp_path, monkeypatch):
    shape = {"hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128}
    shape |= {"intermediate_size": 12288, "vocab_size": 151936, "num_hidden_layers": 36}
    file = tmp_path / "config.json"
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda name, path: str(file))
    file.write_text(json.dumps(shape))
    assert models.parameters("Qwen/Qwen3-8B") == 8_190_427_136
    file.write_text(json.dumps(shape | {"num_experts": 8}))
    assert models.parameters("Qwen/Qwen3-8B") is None
    file.write_text(json.dumps({"n_embd": 768}))
    assert models.parameters("gpt2") is None
