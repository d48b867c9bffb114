"""What is checked before vLLM starts; none of it needs vLLM."""

from __future__ import annotations

import pytest
import torch

from sokrates import models
from sokrates.config import GenerationConfig, ModelConfig
from sokrates.engines import load_engine, vllm_start
from sokrates.engines.transformers import TransformersEngine
from sokrates.errors import SokratesError


@pytest.fixture
def gpus(monkeypatch):
    """A machine with a number of CUDA devices."""

    def pretend(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


@pytest.mark.parametrize(
    ("device", "count", "cuda"),
    [("auto", 0, False), ("auto", 1, True), ("cpu", 1, False), ("cuda", 1, True), ("cuda:0", 2, True)],
)
def test_which_device_it_runs_on(gpus, device, count, cuda):
    gpus(count)
    assert vllm_start.on_cuda(device) is cuda


@pytest.mark.parametrize(
    ("device", "count", "message"),
    [
        ("cuda", 0, "this machine has no CUDA device"),
        ("cuda:1", 2, "CUDA_VISIBLE_DEVICES chooses"),
        ("mps", 0, "vLLM takes auto, cpu or cuda"),
    ],
)
def test_devices_that_it_does_not_take(gpus, device, count, message):
    gpus(count)
    with pytest.raises(SokratesError, match=f"device {device}: .*{message}"):
        vllm_start.on_cuda(device)


def test_a_number_of_gpus_that_does_not_fit(gpus, tiny_model):
    gpus(8)
    config = models.load_config(str(tiny_model))
    vllm_start.check_shape(config, True, 4)
    with pytest.raises(SokratesError, match="tensor_parallel_size 3: the model has 4 attention heads"):
        vllm_start.check_shape(config, True, 3)
    with pytest.raises(SokratesError, match="tensor_parallel_size 16: this machine has 8 CUDA devices"):
        vllm_start.check_shape(config, True, 16)
    vllm_start.check_shape(config, False, 1)
    with pytest.raises(SokratesError, match="tensor_parallel_size 2: this machine has 0 CUDA devices"):
        vllm_start.check_shape(config, False, 2)


def test_a_gpu_without_room_names_what_is_free_and_what_was_asked(monkeypatch):
    gib = 2**30
    monkeypatch.setattr(vllm_start, "_memory", lambda index: ((30 + 40 * (index == 0)) * gib, 80 * gib))
    vllm_start.check_memory(1, 0.85)
    vllm_start.check_memory(2, 0.3)
    with pytest.raises(
        SokratesError, match=r"GPU 1: 30\.0 of 80\.0 GiB are free, .* 40\.0: .*--gpu-memory 0\.37 or less"
    ):
        vllm_start.check_memory(2, 0.5)


def test_graphs_are_captured_up_to_the_largest_batch():
    graphs = vllm_start.device_options(True, 300, 0.5)["compilation_config"]
    assert graphs["cudagraph_capture_sizes"][-2:] == [288, 300]
    assert graphs["cudagraph_capture_sizes"] == sorted(set(graphs["cudagraph_capture_sizes"]))
    assert "compilation_config" not in vllm_start.device_options(False, 300, 0.5)


def test_the_users_environment_stays(monkeypatch):
    monkeypatch.setattr("os.environ", {"VLLM_LOGGING_LEVEL": "INFO"})
    vllm_start.set_environment(False)
    import os

    assert os.environ["VLLM_LOGGING_LEVEL"] == "INFO"
    assert os.environ["VLLM_USE_V2_MODEL_RUNNER"] == "0"
    assert os.environ["VLLM_CPU_KVCACHE_SPACE"] == "4"


def test_the_number_format_is_that_of_the_transformers_engine():
    assert vllm_start.number_format("auto", True) == "bfloat16"
    assert vllm_start.number_format("auto", False) == "float32"
    assert vllm_start.number_format("float32", True) == "float32"


@pytest.mark.parametrize("error", [ValueError("no room"), torch.OutOfMemoryError("no room"), OSError("no room")])
def test_what_vllm_raises_is_told_to_the_user(error):
    with pytest.raises(SokratesError, match="m: cannot start: no room"), vllm_start.explained("m", "cannot start"):
        raise error


def test_missing_vllm_is_an_error_where_it_is_asked_for(monkeypatch, tiny_model):
    monkeypatch.setattr(vllm_start, "find_spec", lambda name: None)
    model = ModelConfig(model=str(tiny_model), device="cpu")
    with pytest.raises(SokratesError, match=r"vLLM is not installed: pip install 'sokrates\[vllm\]'"):
        load_engine("vllm", model, GenerationConfig())


def test_auto_is_vllm_where_it_and_a_gpu_are(monkeypatch, gpus, tiny_model):
    model = ModelConfig(model=str(tiny_model))
    started = []
    monkeypatch.setattr("sokrates.engines.vllm.load_vllm", lambda *given, stays: started.append(stays))
    monkeypatch.setattr(vllm_start, "find_spec", lambda name: object())
    gpus(1)
    load_engine("auto", model, GenerationConfig())
    load_engine("vllm", model, GenerationConfig(), stays=True)
    assert started == [False, True]
    gpus(0)
    assert isinstance(load_engine("auto", model, GenerationConfig()), TransformersEngine)
    gpus(1)
    monkeypatch.setattr(vllm_start, "find_spec", lambda name: None)
    on_cpu = model.model_copy(update={"device": "cpu"})
    assert isinstance(load_engine("auto", on_cpu, GenerationConfig()), TransformersEngine)
    assert len(started) == 2
