"""Starting vLLM: what it is told, what it must find on the machine, and what its own errors mean to a user.

Contract: environment variables that the user has set stay as they are. Nothing here initialises CUDA in this process:
vLLM's engine process can then be a fork of this one, which has the imports done (they take over 10 s).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from sokrates import models
from sokrates.errors import SokratesError

_ENVIRONMENT = {
    "VLLM_LOGGING_LEVEL": "ERROR",  # every start brings a dozen warnings that a user can do nothing about
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_USE_V2_MODEL_RUNNER": "0",  # the second runner has another kind of logits processors
    "VLLM_USE_FLASHINFER_SAMPLER": "0",  # vLLM is never asked to sample
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",  # so that looking for a GPU does not initialise it
}
_CPU_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "4",  # GiB
}
_CPU_MEMORY = 0.2
"""Share of the memory that vLLM must find free on a CPU, where the cache has a size of its own."""

CAPTURED = (1, 2, 4, *range(8, 65, 8), *range(80, 257, 16), *range(288, 1025, 32))
"""Batch sizes whose decoding is captured as a CUDA graph; a batch is padded to the next."""


def installed() -> bool:
    """Whether vLLM can be imported; it is not, for that takes seconds."""
    return find_spec("vllm") is not None


def on_cuda(device: str) -> bool:
    """Whether a configured device (auto, cpu, mps, cuda or cuda:N) means CUDA here, for vLLM.

    Errors: SokratesError where vLLM cannot run on that device.
    """
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    import torch

    cuda: bool = torch.cuda.is_available()
    if device == "mps" or (device.startswith("cuda:") and device != "cuda:0"):
        raise SokratesError(f"device {device}: vLLM takes auto, cpu or cuda; to choose a GPU set CUDA_VISIBLE_DEVICES")
    if device.startswith("cuda") and not cuda:
        raise SokratesError(f"device {device}: this machine has no CUDA device")
    return cuda and device != "cpu"


def prepare(cuda: bool) -> None:
    """Set vLLM's environment where the user has not, and import vLLM.

    Errors: SokratesError where it is not installed or not built for this kind of device.
    """
    for name, value in (_ENVIRONMENT | ({} if cuda else _CPU_ENVIRONMENT)).items():
        os.environ.setdefault(name, value)
    if not installed():
        raise SokratesError("vLLM is not installed: pip install 'sokrates[vllm]', or use --engine transformers")
    import vllm  # noqa: F401
    from vllm.platforms import current_platform

    if not (current_platform.is_cuda() if cuda else current_platform.is_cpu()):
        wanted = "CUDA" if cuda else "CPUs"
        raise SokratesError(
            f"the installed vLLM is not built for {wanted} or finds no such device here; install a build that is, "
            "choose another --device, or use --engine transformers"
        )


def options(cuda: bool, max_batch: int, gpu_memory: float) -> dict[str, Any]:
    """What `vllm.LLM` is told of the device. On CUDA decoding is captured as graphs, but nothing is compiled: a compiler
    would take longer than it saves in all but the longest runs."""
    if not cuda:
        return {"enforce_eager": True, "gpu_memory_utilization": _CPU_MEMORY}
    sizes = [size for size in CAPTURED if size < max_batch] + [max_batch]
    graphs = {"mode": 0, "cudagraph_mode": "FULL_DECODE_ONLY", "cudagraph_capture_sizes": sizes}
    return {"compilation_config": graphs, "gpu_memory_utilization": gpu_memory}


def dtype(name: str, cuda: bool) -> str:
    """The number format of the weights, as `models.load_model` would choose it."""
    return name if name != "auto" else "bfloat16" if cuda else "float32"


def check_shape(config: Any, tensor_parallel_size: int) -> None:
    """Errors: SokratesError for a number of GPUs that the attention heads cannot be shared among."""
    heads = config.get_text_config().num_attention_heads
    if heads % tensor_parallel_size:
        raise SokratesError(
            f"tensor_parallel_size {tensor_parallel_size}: the model has {heads} attention heads; "
            "expected a number that divides them"
        )


def check_gpus(tensor_parallel_size: int, gpu_memory: float) -> None:
    """Errors: SokratesError for more GPUs than there are, or one without the memory that vLLM is to take."""
    import torch

    count = torch.cuda.device_count()
    if tensor_parallel_size > count:
        raise SokratesError(f"tensor_parallel_size {tensor_parallel_size}: this machine has {count} GPUs")
    for index in range(tensor_parallel_size):
        free, total = _memory(index)
        if free < gpu_memory * total:
            raise SokratesError(
                f"GPU {index}: {_gib(free)} of {_gib(total)} GiB are free, but vLLM was to take {_gib(gpu_memory * total)}: "
                f"end what else uses it, or give --gpu-memory {max(int(100 * free / total) - 1, 1) / 100:g} or less"
            )


def _memory(index: int) -> tuple[int, int]:
    """(free, total) bytes of a GPU, asked of the driver: asking CUDA would initialise it."""
    from vllm.platforms import current_platform
    from vllm.utils.import_utils import import_pynvml

    nvml = import_pynvml()
    nvml.nvmlInit()
    try:
        device = current_platform.device_id_to_physical_device_id(index)
        info = nvml.nvmlDeviceGetMemoryInfo(nvml.nvmlDeviceGetHandleByIndex(device))
        return info.free, info.total
    finally:
        nvml.nvmlShutdown()


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f}"


@contextmanager
def starting(model: str) -> Iterator[None]:
    """What vLLM raises when it cannot start, as the user's error."""
    try:
        yield
    except (ValueError, RuntimeError, NotImplementedError) as error:
        raise SokratesError(f"{model}: vLLM cannot start: {str(error).strip()}") from error
