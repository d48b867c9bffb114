"""Starting vLLM: what it is told, what it must find on the machine, and what its own errors mean to a user.

Contract: environment variables that the user has set stay as they are. Nothing here initialises CUDA in this process:
vLLM's engine process can then be a fork of this one, which has the imports done (they take over 10 s).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sokrates.errors import SokratesError

_ENVIRONMENT = {
    "VLLM_LOGGING_LEVEL": "ERROR",  # every start brings a dozen warnings that a user can do nothing about
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_USE_V2_MODEL_RUNNER": "0",  # the second runner has another kind of logits processors
    "VLLM_USE_FLASHINFER_SAMPLER": "0",  # vLLM's own samplers are not used
}
_CUDA_ENVIRONMENT = {
    # settings of the LoRA kernels by GPU, from `benchmarks.lora_kernels`; for a GPU without any vLLM has its own
    "VLLM_TUNED_CONFIG_FOLDER": str(Path(__file__).parent / "lora_kernels"),
}
_CPU_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "4",  # GiB
    "TORCH_COMPILE_DISABLE": "1",  # a compiler run for one small function, and a C++ compiler needed for it
}
_CPU_MEMORY = 0.2
"""Share of the memory that vLLM must find free on a CPU, where the cache has a size of its own."""

CAPTURED = (1, 2, 4, *range(8, 65, 8), *range(80, 257, 16), *range(288, 1025, 32))
"""Batch sizes whose decoding is captured as a CUDA graph; a batch is padded to the next."""


def installed() -> bool:
    """Whether vLLM can be imported; it is not, for that takes seconds."""
    return find_spec("vllm") is not None


def check_installed() -> None:
    """Errors: SokratesError where vLLM is not installed."""
    if not installed():
        raise SokratesError("vLLM is not installed: pip install 'sokrates[vllm]', or use --engine transformers")


def on_cuda(device: str) -> bool:
    """Whether a configured device (auto, cpu, mps, cuda or cuda:N) means CUDA here, for vLLM.

    Errors: SokratesError for a device that vLLM does not take, or that is not there.
    """
    if device not in ("auto", "cpu", "cuda", "cuda:0"):
        raise SokratesError(f"device {device}: vLLM takes auto, cpu or cuda; CUDA_VISIBLE_DEVICES chooses the GPU")
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # looking for a GPU does not initialise it
    import torch

    cuda: bool = torch.cuda.is_available()
    if device.startswith("cuda") and not cuda:
        raise SokratesError(f"device {device}: this machine has no CUDA device")
    return cuda and device != "cpu"


def set_environment(cuda: bool) -> None:
    """Set what vLLM and torch read from the environment, where the user has not; before either is imported whole."""
    for name, value in (_ENVIRONMENT | (_CUDA_ENVIRONMENT if cuda else _CPU_ENVIRONMENT)).items():
        os.environ.setdefault(name, value)


def import_vllm(cuda: bool) -> None:
    """Import vLLM. Errors: SokratesError where the installed one is not for this kind of device."""
    from vllm import LLM  # noqa: F401
    from vllm.platforms import current_platform

    if not (current_platform.is_cuda() if cuda else current_platform.is_cpu()):
        raise SokratesError(
            f"the installed vLLM is not built for {'CUDA' if cuda else 'CPUs'}: install the build that is, "
            "choose another --device, or use --engine transformers"
        )


def number_format(dtype: str, cuda: bool) -> str:
    """The number format of the weights, chosen as `models.load_model` does."""
    if dtype != "auto":
        return dtype
    return "bfloat16" if cuda else "float32"


def device_options(cuda: bool, max_batch: int, gpu_memory: float) -> dict[str, Any]:
    """What `vllm.LLM` is told of the device.

    On CUDA decoding is captured as graphs, but nothing is compiled: in short runs that takes longer than it saves.
    """
    if not cuda:
        return {"enforce_eager": True, "gpu_memory_utilization": _CPU_MEMORY}
    sizes = [*(size for size in CAPTURED if size < max_batch), max_batch]
    graphs = {
        "mode": 0,
        "cudagraph_mode": "FULL_DECODE_ONLY",
        "cudagraph_capture_sizes": sizes,
        "cudagraph_specialize_lora": False,  # an engine with room for an adapter nearly always has one
    }
    return {"compilation_config": graphs, "gpu_memory_utilization": gpu_memory}


def check_shape(config: Any, cuda: bool, tensor_parallel_size: int) -> None:
    """Errors: SokratesError for more GPUs than there are, or a number that the attention heads cannot be shared among.

    `config`: the model's transformers config.
    """
    import torch

    count = torch.cuda.device_count() if cuda else 0
    if tensor_parallel_size > max(count, 1):
        raise SokratesError(f"tensor_parallel_size {tensor_parallel_size}: this machine has {count} CUDA devices")
    heads = config.get_text_config().num_attention_heads
    if heads % tensor_parallel_size:
        raise SokratesError(
            f"tensor_parallel_size {tensor_parallel_size}: the model has {heads} attention heads; "
            "expected a number that divides them"
        )


def check_memory(gpus: int, share: float) -> None:
    """Errors: SokratesError where one of the first `gpus` GPUs has not the share of its memory free that vLLM takes."""
    for index in range(gpus):
        free, total = _memory(index)
        if free < share * total:
            raise SokratesError(
                f"GPU {index}: {_gib(free)} of {_gib(total)} GiB are free, and vLLM was to take {_gib(share * total)}: "
                f"end what else uses it, or give --gpu-memory {int(100 * free / total) / 100:g} or less"
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


def start(model: str, settings: dict[str, Any]) -> Any:
    """A `vllm.LLM`. Errors: SokratesError for all that vLLM itself finds wrong."""
    from vllm import LLM

    hint = (
        "vLLM cannot start (where it speaks of memory: --gpu-memory gives it more of the GPU, on a CPU "
        "VLLM_CPU_KVCACHE_SPACE more GiB for its cache, and a smaller --max-batch or more GPUs by "
        "--tensor-parallel-size need less)"
    )
    with explained(model, hint), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return LLM(model, **settings)


@contextmanager
def explained(subject: str, message: str) -> Iterator[None]:
    """What vLLM raises, as the user's error."""
    try:
        yield
    except (ValueError, RuntimeError, NotImplementedError, OSError) as error:
        raise SokratesError(f"{subject}: {message}: {str(error).strip()}") from error
